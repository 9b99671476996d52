//! Loading files into a table: `audiencedb load`, and the library behind it.
//!
//! Each file is one transaction under an id made of its name and its content, so a load that was interrupted and is
//! run again goes on where it stopped and no row is in the table twice. The table is made with the first file if it
//! does not exist, from the columns of all files.
//!
//! * `find`: which files a path means
//! * `source`: a file as a stream of bytes, decompressed
//! * `records`: bytes to rows and fields, by `csv` and `json`
//! * `infer`, `schema`: columns and types of the files, and of all of them together
//! * `target`: the table, as it is or as it is to be made
//! * `convert`, `scan`: fields to columns, as rows of a plan
//! * `parquet`: files that DataFusion reads
//! * `rejects`: rows that could not be read
//! * `identity`: what a file is known by

mod convert;
mod csv;
mod find;
mod identity;
mod infer;
mod json;
mod options;
mod parquet;
mod records;
mod rejects;
mod scan;
mod schema;
mod source;
mod target;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use catalog::objects::Change;
use catalog::table::{Progress, Written};
use datafusion::arrow::datatypes::Schema;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, ident, lit};
use datafusion::prelude::Expr;
use datafusion::scalar::ScalarValue;
use encoding_rs::Encoding;

use self::convert::{Column, Converter};
use self::find::Naming;
pub use self::options::{LoadEvent, LoadFormat, LoadObserver, LoadOptions, Loaded, OnError};
use self::rejects::Rejects;
use self::scan::TextScan;
use self::schema::{FileSchema, Reading};
use self::source::Input;
use self::target::Target;
use crate::engine::{Planner, assignment};
use crate::error::{Error, Result, SqlState};
use crate::session::Session;
use crate::statement::table;
use crate::values::encode::Zone;

impl Session {
    /// Loads files into a table, telling `observer` how it goes. [`Session::canceller`] ends it.
    ///
    /// # Errors
    /// 58P01 if there is no such file, 22023 for options or a format that do not fit, 42703 and 42804 for files whose
    /// columns fit neither each other nor the table, and what reading, converting and writing meet, with file, line
    /// and column. Files before the failing one stay loaded, of that one nothing does.
    pub async fn load(&mut self, options: &LoadOptions, observer: LoadObserver) -> Result<Loaded> {
        let running = self.begin_running();
        let outcome = running.race(self.load_all(options, &observer)).await;
        if outcome.is_err() {
            self.rollback().await;
        }
        outcome
    }

    async fn load_all(&mut self, options: &LoadOptions, observer: &LoadObserver) -> Result<Loaded> {
        let inputs = self.find(options).await?;
        let encoding = check(options, &inputs)?;
        self.engine().begin_writing().await?;
        self.renew_work().await?;
        let (mut target, files) = self.target(options, inputs, encoding).await?;
        observer(LoadEvent::Table {
            name: format!("{}.{}", target.def.schema, target.def.name),
            created: target.to_create,
            columns: target.def.columns.iter().map(|c| (c.name.clone(), c.pg_type.clone())).collect(),
            files: files.len(),
            bytes: files.iter().map(|(input, _)| input.size).sum(),
        });
        let rejects = Arc::new(Rejects::open(options.on_error, options.max_errors, options.rejects.clone())?);
        let mut loaded = Loaded::default();
        let (mut seen, mut names) = (HashMap::new(), HashSet::new());
        let of = files.len();
        for (index, (input, schema)) in files.into_iter().enumerate() {
            observer(LoadEvent::File { name: input.name.clone(), number: index + 1, of });
            let application = identity::of(&input).await?;
            // Files of one load that are alike in name and content are as many files.
            let copy = *seen.entry(application.clone()).and_modify(|n| *n += 1).or_insert(1);
            let Some(ids) = self.ids(&target, &input, application, copy, options.again).await? else {
                observer(LoadEvent::Bytes(input.size));
                loaded.skipped += 1;
                observer(LoadEvent::Skipped);
                continue;
            };
            let renewed = ids.renewed && !names.contains(&input.name);
            names.insert(input.name.clone());
            let rows = match self.load_file(&mut target, &input, schema, ids.transactions, &rejects, observer).await {
                Ok(rows) => rows,
                Err(e) => {
                    rejects.forget()?;
                    return Err(e);
                }
            };
            let (rows, rejected) = rows;
            loaded.rows += rows;
            loaded.rejected += rejected;
            loaded.files += 1;
            observer(LoadEvent::Committed { rows, rejected, renewed });
        }
        Ok(loaded)
    }

    /// The files that the paths mean, none twice.
    async fn find(&self, options: &LoadOptions) -> Result<Vec<Input>> {
        let naming = Naming { format: options.format, hive: options.hive };
        let mut inputs: Vec<Input> = Vec::new();
        let mut known = HashSet::new();
        for path in &options.paths {
            let location = self.engine().location(path)?;
            self.engine().register_location(&location);
            let found = find::find(location, naming).await?;
            inputs.extend(found.into_iter().filter(|input| known.insert(input.whole.clone())));
        }
        if inputs.is_empty() {
            return Err(Error::new(SqlState::UNDEFINED_FILE, "there are no files to load"));
        }
        Ok(inputs)
    }

    /// The application transactions under which a file is committed; `None` if it was loaded before.
    async fn ids(
        &mut self,
        target: &Target,
        input: &Input,
        application: String,
        copy: i64,
        again: bool,
    ) -> Result<Option<Ids>> {
        let by_name = format!("load-name:{}", input.name);
        if target.to_create {
            return Ok(Some(Ids { transactions: vec![(application, copy), (by_name, 1)], renewed: false }));
        }
        let warehouse = Arc::clone(self.engine().warehouse());
        let snapshot = warehouse.snapshot().await?;
        let before = warehouse.ingested(&snapshot, target.def.id, &application).await?.unwrap_or(0);
        if before >= copy && !again {
            return Ok(None);
        }
        let files = warehouse.ingested(&snapshot, target.def.id, &by_name).await?.unwrap_or(0);
        let transactions = vec![(application, before.max(copy - 1) + 1), (by_name, files + 1)];
        Ok(Some(Ids { transactions, renewed: files > 0 && before == 0 }))
    }

    /// One file as one transaction: its rows, and those that were skipped.
    async fn load_file(
        &mut self,
        target: &mut Target,
        input: &Input,
        schema: FileSchema,
        transactions: Vec<(String, i64)>,
        rejects: &Arc<Rejects>,
        observer: &LoadObserver,
    ) -> Result<(u64, u64)> {
        self.renew_work().await?;
        if target.to_create {
            self.work()?.change(Change::PutTable(target.def.clone()))?;
        }
        let planner = self.planner()?;
        let (written, checked_at) = if schema.own == 0 {
            // An empty file has no columns, and no rows.
            (Written::default(), None)
        } else {
            let is_parquet = matches!(schema.reading, Reading::Parquet(_));
            let plan = self.plan(target, input, schema, &planner, rejects, observer)?;
            let counter = Arc::clone(observer);
            let progress: Progress = Arc::new(move |rows| counter(LoadEvent::Rows(rows)));
            let written = table::write(self, &planner, &target.def, plan, Some(progress)).await;
            let written = written.map_err(|e| named(e, input))?;
            if is_parquet {
                observer(LoadEvent::Bytes(input.size));
            }
            (written.written, written.checked_at)
        };
        let rows = written.rows;
        self.work()?.append(target.def.id, written, transactions, checked_at);
        let rejected = rejects.keep()?;
        self.commit().await.map_err(|e| named(e, input))?;
        target.to_create = false;
        Ok((rows, rejected))
    }

    /// The table's columns in order, taken by name from a file.
    fn plan(
        &mut self,
        target: &Target,
        input: &Input,
        schema: FileSchema,
        planner: &Planner,
        rejects: &Arc<Rejects>,
        observer: &LoadObserver,
    ) -> Result<LogicalPlan> {
        let zone: Arc<str> = self.settings().time_zone().into();
        let matched = target.matched(input, &schema)?;
        let source = match schema.reading {
            Reading::Parquet(plan) => Source::Plan(plan),
            Reading::Text(format) => {
                let columns = target.converted(input, &matched, schema.own)?;
                let scan = TextScan {
                    input: input.clone(),
                    format,
                    converter: Arc::new(converter(&target.def.name, columns, &zone)),
                    rejects: Arc::clone(rejects),
                    observer: Arc::clone(observer),
                };
                let arrow = Arc::clone(&scan.converter.schema);
                let table = StreamingTable::try_new(arrow, vec![Arc::new(scan)])?;
                Source::Converted(LogicalPlanBuilder::scan("file", provider_as_source(Arc::new(table)), None)?.build()?)
            }
        };
        let mut expressions = Vec::with_capacity(target.def.columns.len());
        for (column, position) in target.def.columns.iter().zip(&matched) {
            let pg = column.pg_type.parse()?;
            let value = match (position, &source, &column.default) {
                (Some(_), Source::Converted(_), _) => ident(&column.name),
                (Some(position), Source::Plan(plan), _) if *position < schema.own => {
                    let (qualifier, field) = plan.schema().qualified_field(*position);
                    assignment(Expr::Column((qualifier, field).into()), &pg, &zone)
                }
                (Some(position), Source::Plan(_), _) => {
                    let value = input.hive.get(position - schema.own).and_then(|(_, value)| value.clone());
                    assignment(lit(ScalarValue::Utf8(value)), &pg, &zone)
                }
                (None, _, Some(default)) => {
                    assignment(planner.expression(table::default_expression(default)?)?, &pg, &zone)
                }
                (None, _, None) => assignment(lit(ScalarValue::Null), &pg, &zone),
            };
            expressions.push(value.alias(&column.name));
        }
        let (Source::Plan(plan) | Source::Converted(plan)) = source;
        Ok(LogicalPlanBuilder::from(plan).project(expressions)?.build()?)
    }
}

/// Rows of a file: of its own types, or converted already.
enum Source {
    Plan(LogicalPlan),
    Converted(LogicalPlan),
}

struct Ids {
    transactions: Vec<(String, i64)>,
    renewed: bool,
}

/// Refuses options that would do nothing; returns the encoding that is asked for.
fn check(options: &LoadOptions, inputs: &[Input]) -> Result<Option<&'static Encoding>> {
    let some = |format: LoadFormat| inputs.iter().any(|input| input.format == format);
    let refuse = |option: &str, what: &str| {
        let message = format!("{option} is for {what}, of which there are none");
        Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message))
    };
    let csv = [
        ("--delimiter", options.delimiter.is_some()),
        ("--no-header", !options.header),
        ("--null", !options.null.is_empty()),
        ("--columns", !options.columns.is_empty()),
    ];
    if let (Some((option, _)), false) = (csv.iter().find(|(_, given)| *given), some(LoadFormat::Csv)) {
        return refuse(option, "CSV files");
    }
    let text = some(LoadFormat::Csv) || some(LoadFormat::Json);
    if options.encoding.is_some() && !text {
        return refuse("--encoding", "CSV and JSON files");
    }
    if options.on_error == OnError::Skip && some(LoadFormat::Parquet) {
        return Err(Error::unsupported("--on-error skip for Parquet files")
            .with_hint("their values have types already; load them without it"));
    }
    if options.on_error == OnError::Stop && (options.rejects.is_some() || options.max_errors.is_some()) {
        let option = if options.rejects.is_some() { "--rejects" } else { "--max-errors" };
        let message = format!("{option} needs --on-error skip");
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
    }
    if options.delimiter.is_some_and(|byte| !byte.is_ascii() || matches!(byte, b'"' | b'\n' | b'\r')) {
        let message = "the delimiter must be one character of ASCII, and no quote or line end";
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
    }
    match &options.encoding {
        None => Ok(None),
        Some(name) => Encoding::for_label(name.as_bytes()).map(Some).ok_or_else(|| {
            Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("encoding \"{name}\" is not known"))
                .with_hint("for instance utf-8, windows-1252, iso-8859-15 or utf-16le")
        }),
    }
}

fn converter(table: &str, columns: Vec<Column>, zone: &str) -> Converter {
    let fields: Vec<_> = columns.iter().map(|column| column.pg.field(&column.name, true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let zone = Zone::parse(zone).unwrap_or_else(Zone::utc);
    Converter { table: table.to_owned(), columns, schema, zone }
}

/// An error with the file it is about, unless it names it already.
fn named(error: Error, input: &Input) -> Error {
    let begins = error.message.starts_with(&input.name) || error.message.contains(&format!("\"{}\"", input.whole));
    // That the disk is full or the load was cancelled is not about this file.
    let general = [SqlState::QUERY_CANCELED, SqlState::DISK_FULL].contains(&error.sqlstate);
    if begins || general { error } else { error.inside(&input.whole) }
}
