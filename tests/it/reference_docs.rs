//! The reference of the functions, udfs/README.md: written from what they say of themselves, and every example run.
//!
//! `AUDIENCEDB_COMPLETE=1` writes the file anew. An example that prints something else fails with what it printed: it
//! stands in the function's file, where it is put right by hand.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use audiencedb::{Execution, Session};
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::arrow::util::pretty::pretty_format_batches_with_schema;
use datafusion::logical_expr::Documentation;
use datafusion::logical_expr::registry::{FunctionRegistry, MemoryFunctionRegistry};
use futures::TryStreamExt;
use libtest_mimic::Trial;

use crate::trial::{Fault, Outcome, ensure, trial};
use crate::warehouse::Warehouse;

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("reference_docs::is_current", is_current),
        trial("reference_docs::examples_print_what_they_say", examples_print_what_they_say),
    ]
}

/// A function as the reference shows it.
struct Entry {
    name: String,
    kind: &'static str,
    aliases: Vec<String>,
    documentation: Documentation,
}

/// Every function of the package, by name.
fn entries() -> Outcome<Vec<Entry>> {
    let mut registry = MemoryFunctionRegistry::new();
    udfs::register_all(&mut registry).map_err(|e| e.to_string())?;
    let mut entries = Vec::new();
    let mut add = |name: &str, kind, aliases: &[String], documentation: Option<&Documentation>| -> Outcome {
        let documentation = documentation.ok_or_else(|| format!("{name} says nothing of itself"))?.clone();
        entries.push(Entry { name: name.to_owned(), kind, aliases: aliases.to_vec(), documentation });
        Ok(())
    };
    // A registry lists a function by each of its names as well.
    for name in registry.udfs() {
        let function = registry.udf(&name).map_err(|e| e.to_string())?;
        if function.name() == name {
            add(&name, "scalar function", function.aliases(), function.documentation())?;
        }
    }
    for name in registry.udafs() {
        let function = registry.udaf(&name).map_err(|e| e.to_string())?;
        if function.name() == name {
            add(&name, "aggregate function", function.aliases(), function.documentation())?;
        }
    }
    for name in registry.udwfs() {
        let function = registry.udwf(&name).map_err(|e| e.to_string())?;
        if function.name() == name {
            add(&name, "window function", function.aliases(), function.documentation())?;
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    ensure(entries.len() > 2, "hardly any functions are registered")?;
    Ok(entries)
}

async fn is_current() -> Outcome {
    let warehouse = Warehouse::open().await?;
    let mut session = warehouse.engine.session("postgres", "audience")?;
    let tables = table_functions(&mut session).await?;
    let text = reference(&entries()?, &tables).map_err(|e| e.to_string())?;
    drop(session);
    warehouse.close().await?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../udfs/README.md");
    if std::env::var_os("AUDIENCEDB_COMPLETE").is_some_and(|v| v == "1") {
        std::fs::write(&path, &text)?;
    }
    let written = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let other = text.lines().zip(written.lines()).find(|(now, written)| now != written);
    let what = other.map(|(now, written)| format!("\"{written}\" should be \"{now}\"")).unwrap_or_default();
    ensure(text == written, format_args!("udfs/README.md is stale: AUDIENCEDB_COMPLETE=1 writes it anew. {what}"))
}

/// A table function over other tables: its name, how it is called, what it says of itself.
struct TableFunction {
    name: String,
    syntax: String,
    description: String,
}

/// Those of the engine, as `\df+` shows them: the syntax up to a colon, and the description.
async fn table_functions(session: &mut Session) -> Outcome<Vec<TableFunction>> {
    let sql = "SELECT p.proname, d.description FROM pg_proc AS p JOIN pg_description AS d \
               ON d.objoid = p.oid AND d.classoid = 'pg_proc'::regclass \
               WHERE p.proretset AND p.oid >= 1073741824 ORDER BY p.proname";
    let (_, batches) = last_rows(session, sql).await?.ok_or("pg_proc has no rows")?;
    let mut found = Vec::new();
    for batch in &batches {
        let text = |column: usize| cast(batch.column(column), &DataType::Utf8).map_err(|e| e.to_string());
        let (names, texts) = (text(0)?, text(1)?);
        for (name, text) in names.as_string::<i32>().iter().zip(texts.as_string::<i32>()) {
            let (name, text) = (name.unwrap_or_default(), text.unwrap_or_default());
            let (syntax, description) =
                text.split_once("): ").ok_or_else(|| format!("{name}: no syntax before its description"))?;
            found.push(TableFunction {
                name: name.to_owned(),
                syntax: format!("{syntax})"),
                description: description.to_owned(),
            });
        }
    }
    ensure(!found.is_empty(), "the engine has no table function")?;
    Ok(found)
}

const HEAD: &str = "# Functions

Written from what the functions say of themselves: tests/it/reference_docs.rs does it, run with
`AUDIENCEDB_COMPLETE=1`, and fails while this file is not what it would write. Every example has been run.
Square brackets enclose what may be left out; `=>` gives an option by its name.

";

const TABLES: &str = "
## Functions over tables

They stand in FROM. A table, and its columns, are given as text; the table may be a CTE or a sub-query in
parentheses as well. EXPLAIN shows the query that they are short for.
";

/// The whole file.
fn reference(entries: &[Entry], tables: &[TableFunction]) -> Result<String, std::fmt::Error> {
    let mut sections: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        sections.entry(entry.documentation.doc_section.label).or_default().push(entry);
    }
    let mut text = HEAD.to_owned();
    for (section, entries) in &sections {
        let links: Vec<String> = entries.iter().map(|entry| format!("[{0}](#{0})", entry.name)).collect();
        writeln!(text, "* {section}: {}", links.join(", "))?;
    }
    let links: Vec<String> = tables.iter().map(|table| format!("[{0}](#{0})", table.name)).collect();
    writeln!(text, "* Functions over tables: {}", links.join(", "))?;
    for (section, entries) in &sections {
        writeln!(text, "\n## {section}")?;
        for entry in entries {
            write_entry(&mut text, entry)?;
        }
    }
    text.push_str(TABLES);
    for table in tables {
        writeln!(text, "\n### {}\n\n{}\n\n```sql\n{}\n```", table.name, table.description, table.syntax)?;
    }
    Ok(text)
}

fn write_entry(text: &mut String, entry: &Entry) -> std::fmt::Result {
    let documentation = &entry.documentation;
    writeln!(text, "\n### {}\n\n{}\n", entry.name, documentation.description.trim())?;
    let also = match entry.aliases.as_slice() {
        [] => String::new(),
        aliases => format!(", also called {}", aliases.join(", ")),
    };
    let first = entry.kind[..1].to_uppercase();
    writeln!(text, "{first}{}{also}.\n\n```sql\n{}\n```", &entry.kind[1..], documentation.syntax_example.trim())?;
    if let Some(arguments) = documentation.arguments.as_ref().filter(|arguments| !arguments.is_empty()) {
        writeln!(text, "\n| argument | |\n|---|---|")?;
        for (name, description) in arguments {
            writeln!(text, "| {} | {} |", name.replace('|', "\\|"), description.trim().replace('|', "\\|"))?;
        }
    }
    if let Some(example) = &documentation.sql_example {
        writeln!(text, "\n{}", example.trim())?;
    }
    Ok(())
}

/// A statement of an example, and the table that it is said to print.
struct Example {
    sql: String,
    table: String,
}

/// The statements of a block: each begins with `> `, goes on over lines without a frame, and its table has one.
fn examples(block: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    for line in block.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with("```")) {
        if let Some(sql) = line.strip_prefix("> ") {
            examples.push(Example { sql: sql.to_owned(), table: String::new() });
        } else if let Some(example) = examples.last_mut() {
            let part = if line.starts_with(['+', '|']) { &mut example.table } else { &mut example.sql };
            if !part.is_empty() {
                part.push('\n');
            }
            part.push_str(line);
        }
    }
    examples
}

async fn examples_print_what_they_say() -> Outcome {
    let mut wrong = String::new();
    for entry in entries()? {
        // What an example makes is nobody else's.
        let warehouse = Warehouse::open().await?;
        let mut session = warehouse.engine.session("postgres", "audience")?;
        let blocks = entry.documentation.sql_example.as_deref().map(examples).unwrap_or_default();
        if !blocks.iter().any(|example| !example.table.is_empty()) {
            let _ = writeln!(wrong, "{}: no example with a statement after \"> \" and the table it prints", entry.name);
        }
        for Example { sql, table } in blocks {
            match printed(&mut session, &sql).await {
                Ok(printed) if printed == table => {}
                Ok(printed) => {
                    let _ = writeln!(wrong, "{}: {sql}\nprints\n{printed}\nand is said to print\n{table}", entry.name);
                }
                Err(fault) => {
                    let _ = writeln!(wrong, "{}: {sql}\n{fault}", entry.name);
                }
            }
        }
        drop(session);
        warehouse.close().await?;
    }
    ensure(wrong.is_empty(), wrong)
}

/// What the last statement of `sql` prints: a table, or nothing.
async fn printed(session: &mut Session, sql: &str) -> Outcome<String> {
    match last_rows(session, sql).await? {
        None => Ok(String::new()),
        Some((schema, batches)) => {
            let table = pretty_format_batches_with_schema(schema, &batches).map_err(|e| e.to_string())?;
            Ok(table.to_string())
        }
    }
}

/// The rows of the last statement; `None` if it has none to give.
async fn last_rows(session: &mut Session, sql: &str) -> Outcome<Option<(SchemaRef, Vec<RecordBatch>)>> {
    let mut last = None;
    let outcome = session.run(sql, async |_, execution| {
        last = match execution {
            Execution::Rows(rows) => {
                let schema = SchemaRef::clone(&rows.schema);
                Some((schema, rows.try_collect::<Vec<_>>().await?))
            }
            _ => None,
        };
        Ok(())
    });
    outcome.await.map_err(Fault::from)?;
    Ok(last)
}
