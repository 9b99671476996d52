//! The table that is loaded into: as it is, or as the files and the options say it is to be made.

use std::sync::Arc;

use catalog::objects::{Privileges, Relation, TableDef};
use catalog::table::Layout;
use catalog::types::PgType;
use datafusion::arrow::datatypes::Schema;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;
use encoding_rs::Encoding;

use super::convert::{Column, Origin};
use super::options::LoadOptions;
use super::schema::{Examiner, FileSchema, position, union};
use super::source::Input;
use crate::engine::types::storable;
use crate::error::{Error, Result, SqlState};
use crate::session::Session;
use crate::statement::{QualifiedName, table};

/// The table.
pub(super) struct Target {
    pub(super) def: TableDef,
    /// Whether the first file makes it.
    pub(super) to_create: bool,
    /// Columns whose types were found from the files' values.
    guessed: Vec<String>,
}

impl Session {
    /// The table, and the files' columns.
    pub(super) async fn target(
        &mut self,
        options: &LoadOptions,
        inputs: Vec<Input>,
        encoding: Option<&'static Encoding>,
    ) -> Result<(Target, Vec<(Input, FileSchema)>)> {
        let types = types(options)?;
        let name = QualifiedName::parse(&options.table)?;
        if !self.may_read_server_files()? {
            let message = "must have privileges of the pg_read_server_files role to load a file";
            return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
        }
        let schema = match &name.schema {
            Some(schema) => {
                self.rights()?.check_schema(schema, Privileges::USAGE)?;
                schema.clone()
            }
            None => self.creation_schema()?,
        };
        let found = self.work()?.objects().lookup(&schema, &name.name);
        let found = match found {
            Some(Relation::Table(def)) => {
                let columns = def.columns.iter().map(|column| column.name.as_str());
                let relation = Relation::Table(Arc::clone(&def));
                self.rights()?.check_relation(&relation, Privileges::INSERT, columns)?;
                Some((*def).clone())
            }
            Some(Relation::View(_)) => {
                let message = format!("\"{}\" is a view, rows can only be loaded into a table", name.name);
                return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
            None => {
                self.rights()?.check_schema(&schema, Privileges::CREATE)?;
                None
            }
        };
        let planner = self.planner()?;
        let examiner = Examiner { options, planner: &planner, encoding, types: found.is_none(), files: inputs.len() };
        let mut files = Vec::with_capacity(inputs.len());
        for input in inputs {
            let schema = examiner.examine(&input).await?;
            files.push((input, schema));
        }
        let target = match found {
            Some(def) => {
                agree(&def, options, &types)?;
                Target { def, to_create: false, guessed: Vec::new() }
            }
            None => {
                let columns = union(&files, &types)?;
                let fields: Vec<_> = columns.iter().map(|(name, pg)| pg.field(name, true)).collect();
                let mut def = table::definition(self.work()?, schema, name.name.clone(), &Schema::new(fields))?;
                if def.columns.is_empty() {
                    return Err(Error::new(SqlState::INVALID_TABLE_DEFINITION, "the files have no columns"));
                }
                lay_out(&mut def, options)?;
                let typed = |name: &String| types.iter().any(|(typed, _)| typed == name);
                let guessed = columns.into_iter().map(|(name, _)| name).filter(|name| !typed(name)).collect();
                Target { def, to_create: true, guessed }
            }
        };
        let names: Vec<String> = target.def.columns.iter().map(|column| column.name.clone()).collect();
        for (input, schema) in &mut files {
            if schema.own > 0 {
                schema.expect(&names);
                target.matched(input, schema)?;
            }
        }
        Ok((target, files))
    }
}

impl Target {
    /// Where each of the table's columns is in a file.
    pub(super) fn matched(&self, input: &Input, schema: &FileSchema) -> Result<Vec<Option<usize>>> {
        let matched: Vec<Option<usize>> = self.def.columns.iter().map(|column| schema.position(&column.name)).collect();
        let extra = schema.columns.iter().enumerate().find(|(index, _)| !matched.contains(&Some(*index)));
        if let Some((_, (name, _))) = extra {
            let message =
                format!("column \"{name}\" of \"{}\" does not exist in table \"{}\"", input.whole, self.def.name);
            return Err(Error::new(SqlState::UNDEFINED_COLUMN, message)
                .with_hint("add it to the table, or take it out of the file"));
        }
        for (column, position) in self.def.columns.iter().zip(&matched) {
            if position.is_none() && column.not_null && column.default.is_none() {
                let (name, table) = (&column.name, &self.def.name);
                let message = format!(
                    "column \"{name}\" of table \"{table}\" must not be null and is not in \"{}\"",
                    input.whole
                );
                return Err(Error::new(SqlState::NOT_NULL_VIOLATION, message));
            }
        }
        Ok(matched)
    }

    /// The columns that a text file has, with where they come from.
    pub(super) fn converted(&self, input: &Input, matched: &[Option<usize>], own: usize) -> Result<Vec<Column>> {
        let mut columns = Vec::new();
        for (column, position) in self.def.columns.iter().zip(matched) {
            let Some(position) = *position else { continue };
            let origin = if position < own {
                Origin::File(position)
            } else {
                Origin::Folder(input.hive.get(position - own).and_then(|(_, value)| value.clone()))
            };
            let guessed = matches!(origin, Origin::File(_)) && self.guessed.contains(&column.name);
            columns.push(Column {
                name: column.name.clone(),
                pg: column.pg_type.parse()?,
                not_null: column.not_null,
                origin,
                guessed,
            });
        }
        Ok(columns)
    }
}

/// The types asked for in `--column`.
fn types(options: &LoadOptions) -> Result<Vec<(String, PgType)>> {
    let mut types: Vec<(String, PgType)> = Vec::with_capacity(options.types.len());
    for (name, text) in &options.types {
        let wrong = |e: String| {
            let message = format!("\"{text}\" in --column {name}={text} is not a type: {e}");
            Error::new(SqlState::SYNTAX_ERROR, message)
        };
        let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(text).map_err(|e| wrong(e.to_string()))?;
        let data_type = parser.parse_data_type().map_err(|e| wrong(e.to_string()))?;
        let next = parser.next_token().token;
        if next != Token::EOF {
            return Err(wrong(format!("unexpected \"{next}\"")));
        }
        if types.iter().any(|(known, _)| known == name) {
            let message = format!("column \"{name}\" specified more than once");
            return Err(Error::new(SqlState::DUPLICATE_COLUMN, message));
        }
        types.push((name.clone(), storable(&data_type)?));
    }
    Ok(types)
}

/// Sets key, partitions and order of a table to be made.
fn lay_out(def: &mut TableDef, options: &LoadOptions) -> Result<()> {
    let names: Vec<String> = def.columns.iter().map(|column| column.name.clone()).collect();
    let find = |option: &str, name: &str| {
        position(names.iter().map(String::as_str), name).ok_or_else(|| {
            let message = format!("column \"{name}\" named in {option} does not exist");
            Error::new(SqlState::UNDEFINED_COLUMN, message).with_hint(format!("the columns are {}", names.join(", ")))
        })
    };
    for key in &options.primary_key {
        let index = find("--key", key)?;
        if def.primary_key.contains(&names[index]) {
            let message = format!("column \"{key}\" appears twice in primary key constraint");
            return Err(Error::new(SqlState::DUPLICATE_COLUMN, message));
        }
        def.columns[index].not_null = true;
        def.primary_key.push(names[index].clone());
    }
    if let Some(column) = &options.partition_by {
        def.partition_by = Some(names[find("--partition-by", column)?].clone());
    }
    let mut cluster = Vec::new();
    for column in &options.cluster_by {
        cluster.push(names[find("--cluster-by", column)?].clone());
    }
    if !cluster.is_empty() {
        def.options.insert("cluster_by".to_owned(), cluster.join(", "));
    }
    Layout::of(def)?;
    Ok(())
}

/// Refuses options that say of an existing table what it is not.
fn agree(def: &TableDef, options: &LoadOptions, types: &[(String, PgType)]) -> Result<()> {
    let refuse = |message: String| {
        Err(Error::new(SqlState::INVALID_TABLE_DEFINITION, message)
            .with_hint("these options make a table; leave them out for one that exists"))
    };
    let table = &def.name;
    for (name, pg) in types {
        match def.columns.iter().find(|column| column.name == *name) {
            None => {
                let message = format!("column \"{name}\" of relation \"{table}\" does not exist");
                return Err(Error::new(SqlState::UNDEFINED_COLUMN, message));
            }
            Some(column) if column.pg_type != pg.to_string() => {
                return refuse(format!("column \"{name}\" of table \"{table}\" is of type {}", column.pg_type));
            }
            Some(_) => {}
        }
    }
    let folded = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect::<Vec<_>>();
    if !options.primary_key.is_empty() && folded(&options.primary_key) != folded(&def.primary_key) {
        return refuse(match def.primary_key.is_empty() {
            true => format!("table \"{table}\" has no primary key"),
            false => format!("table \"{table}\" has the primary key ({})", def.primary_key.join(", ")),
        });
    }
    if let Some(column) = &options.partition_by {
        if def.partition_by.as_ref().map(|by| by.to_lowercase()) != Some(column.to_lowercase()) {
            return refuse(match &def.partition_by {
                None => format!("table \"{table}\" is not partitioned"),
                Some(by) => format!("table \"{table}\" is partitioned by \"{by}\""),
            });
        }
    }
    if !options.cluster_by.is_empty() && folded(&options.cluster_by) != folded(&Layout::of(def)?.sort) {
        return refuse(format!("table \"{table}\" is clustered by ({})", Layout::of(def)?.sort.join(", ")));
    }
    Ok(())
}
