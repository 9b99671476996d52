//! EXPLAIN [ANALYZE]: the plan as text, one line a row, as psql expects it.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use catalog::table::pruned;
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::scalar::ScalarValue;
use futures::StreamExt;

use super::{Kind, change, conflict, insert, query, table, text_columns};
use crate::error::{Error, Result};
use crate::session::{Execution, Prepared, Rows, Running, Session};

/// The one column of its result.
pub(super) fn columns() -> SchemaRef {
    text_columns(&["QUERY PLAN"])
}

/// Runs EXPLAIN; with `analyze` the statement is run too, and what it changes stays changed.
pub(super) async fn run(
    session: &mut Session,
    explained: &Kind,
    analyze: bool,
    verbose: bool,
    prepared: &Prepared,
    params: Vec<ScalarValue>,
    running: Running,
) -> Result<Execution> {
    if let Kind::Execute { name, arguments } = explained {
        let (named, params) = super::prepared::values(session, name, arguments).await?;
        let plan = named.plan.as_ref().ok_or_else(|| Error::unsupported("EXPLAIN of an empty statement"))?;
        if analyze {
            super::before(session, &plan.statement.kind).await?;
        }
        let run = run(session, &plan.statement.kind, analyze, verbose, plan, params, running);
        return Box::pin(run).await.map_err(Error::placeless);
    }
    let known = query::known(prepared);
    let planner = session.planner()?;
    let mut text = String::new();
    let logical = match explained {
        Kind::Query(query) => query::bind(planner.query(query, &known).await?.logical, params.clone())?,
        Kind::Insert(insert) if conflict::applies(insert) => {
            let def = insert::target(session, insert)?;
            line(&mut text, 0, &format!("Insert on {}", def.name))?;
            let (changes, _) = conflict::plan(session, &planner, &def, insert, &known).await?;
            changes.check()?;
            query::bind(changes.logical, params.clone())?
        }
        Kind::Insert(insert) => {
            let def = insert::target(session, insert)?;
            line(&mut text, 0, &format!("Insert on {}", def.name))?;
            insert::plan(session, &planner, &def, insert, &known, params.clone()).await?
        }
        Kind::Change(change) => {
            let def = change::target(session, change)?;
            change::check_privileges(session, change, &def)?;
            line(&mut text, 0, &format!("{} on {}", change::noun(change), def.name))?;
            let changes = change::plan(&planner, &def, change, &known).await?;
            changes.check()?;
            query::bind(changes.logical, params.clone())?
        }
        Kind::CreateTable(create) => match &create.as_query {
            Some(query) => planner.query(query, &known).await?.logical,
            None => return Err(Error::unsupported("EXPLAIN of this statement")),
        },
        _ => return Err(Error::unsupported("EXPLAIN of this statement")),
    };
    if verbose {
        let optimized = planner.state().optimize(&logical)?;
        text.push_str("Logical plan:\n");
        for row in optimized.display_indent().to_string().lines() {
            line(&mut text, 1, row)?;
        }
        text.push_str("Physical plan:\n");
    }
    let physical = planner.physical(&logical).await?;
    let started = Instant::now();
    let mut rows = 0;
    if analyze {
        match explained {
            Kind::Query(_) => {
                let mut stream = session.engine().stream(Arc::clone(&physical), planner.state().task_ctx())?;
                while let Some(batch) = stream.next().await {
                    rows += batch?.num_rows() as u64;
                }
            }
            Kind::Insert(insert) if conflict::applies(insert) => {
                let done = conflict::run(session, insert, prepared, params, running.clone()).await?;
                rows = affected(done).await?;
            }
            Kind::Change(change) => {
                let done = change::run(session, change, prepared, params, running.clone()).await?;
                rows = affected(done).await?;
            }
            Kind::Insert(insert) => {
                let def = insert::target(session, insert)?;
                let written = table::write_physical(session, &planner, &def, Arc::clone(&physical), None).await?;
                rows = written.written.rows;
                session.work()?.append(def.id, written.written, Vec::new(), written.checked_at);
            }
            _ => return Err(Error::unsupported("EXPLAIN ANALYZE of CREATE TABLE AS")),
        }
    }
    describe(&mut text, &physical, analyze, verbose)?;
    if analyze {
        line(&mut text, 0, &format!("Rows: {rows}"))?;
        line(&mut text, 0, &format!("Execution Time: {:.3} ms", started.elapsed().as_secs_f64() * 1000.0))?;
    }
    let array: ArrayRef = Arc::new(text.lines().map(Some).collect::<StringArray>());
    let batch = RecordBatch::try_new(columns(), vec![array]).map_err(DataFusionError::from)?;
    let stream = futures::stream::iter([Ok(batch)]);
    Ok(Execution::Rows(Rows::new("EXPLAIN", columns(), stream, running, session.failure_flag())))
}

/// The rows that a statement changed.
async fn affected(done: Execution) -> Result<u64> {
    match done {
        Execution::Done { tag } => Ok(tag.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0)),
        Execution::Rows(mut returned) => {
            let mut rows = 0;
            while let Some(batch) = returned.next().await {
                rows += batch?.num_rows() as u64;
            }
            Ok(rows)
        }
        Execution::CopyIn(_) | Execution::CopyOut(_) => Err(Error::internal("a change is no COPY")),
    }
}

/// The plan's tree. A scan says how many files it reads of how many; their names are left out unless `verbose`.
fn describe(text: &mut String, plan: &Arc<dyn ExecutionPlan>, analyze: bool, verbose: bool) -> Result<()> {
    let mut counts = Vec::new();
    files(plan, &mut counts);
    let shown = if analyze {
        DisplayableExecutionPlan::with_metrics(plan.as_ref()).indent(verbose).to_string()
    } else {
        displayable(plan.as_ref()).indent(verbose).to_string()
    };
    let mut counts = counts.into_iter();
    for row in shown.lines() {
        if !row.trim_start().starts_with("DataSourceExec: ") {
            line(text, 0, row)?;
            continue;
        }
        match counts.next().flatten() {
            Some((kept, total, groups)) if !verbose => {
                // The names in `{…}` are random; what a reader wants to know is how much is read.
                let indent = row.len() - row.trim_start().len();
                let rest = row.find("]]}").map_or("", |end| &row[end + 3..]);
                line(text, 0, &format!("{:indent$}Scan: files={kept}/{total}, groups={groups}{rest}", ""))?;
            }
            _ => line(text, 0, row)?,
        }
    }
    Ok(())
}

/// For every data source of the plan, in the order it is printed: files read, files there are, groups.
fn files(plan: &Arc<dyn ExecutionPlan>, counts: &mut Vec<Option<(usize, usize, usize)>>) {
    if plan.name() == "DataSourceExec" {
        let groups = plan.properties().output_partitioning().partition_count();
        counts.push(pruned(plan.as_ref()).map(|p| (p.kept, p.total, groups)));
    }
    for child in plan.children() {
        files(child, counts);
    }
}

fn line(text: &mut String, indent: usize, row: &str) -> Result<()> {
    writeln!(text, "{:width$}{row}", "", width = indent * 2).map_err(|e| Error::internal(e.to_string()))
}
