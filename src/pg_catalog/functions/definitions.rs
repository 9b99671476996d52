//! `pg_get_viewdef` and its kin: definitions as SQL text.

use datafusion::common::Result;

use super::catalog_function::{Body, Entry, Row};
use crate::error::{Error, SqlState};
use crate::pg_catalog::names::type_name;
use crate::pg_catalog::{PgCatalog, Reg, oids, pg_index, pg_views, roles};

const fn text(
    name: &'static str,
    arguments: (usize, usize),
    body: fn(&PgCatalog, &Row<'_>) -> Result<Option<String>>,
) -> Entry {
    Entry { name, arguments, strict: arguments.0, returns: "text", body: Body::Text(body) }
}

pub(super) const LIST: &[Entry] = &[
    text("pg_get_viewdef", (1, 2), view),
    text("pg_get_ruledef", (1, 2), rule),
    text("pg_get_indexdef", (1, 3), index),
    text("pg_get_constraintdef", (1, 2), constraint),
    text("pg_get_expr", (2, 3), expression),
    text("pg_get_partkeydef", (1, 1), nothing),
    text("pg_get_triggerdef", (1, 2), nothing),
    text("pg_get_statisticsobjdef_columns", (1, 1), nothing),
    text("pg_get_statisticsobjdef", (1, 1), nothing),
    text("pg_get_partition_constraintdef", (1, 1), nothing),
    text("pg_get_serial_sequence", (2, 2), nothing),
    text("pg_get_functiondef", (1, 1), function),
    text("pg_get_function_arguments", (1, 1), arguments),
    text("pg_get_function_identity_arguments", (1, 1), arguments),
    text("pg_get_function_result", (1, 1), result),
    text("pg_get_function_sqlbody", (1, 1), nothing),
    text("pg_get_function_arg_default", (2, 2), nothing),
    // NULL for a modifier asks for the type's SQL name.
    Entry { name: "format_type", arguments: (2, 2), strict: 1, returns: "text", body: Body::Text(formatted) },
    Entry { name: "pg_get_userbyid", arguments: (1, 1), strict: 1, returns: "name", body: Body::Text(user) },
    Entry {
        name: "pg_relation_is_publishable",
        arguments: (1, 1),
        strict: 1,
        returns: "bool",
        body: Body::Bool(|_, _| Ok(Some(false))),
    },
    text("pg_tablespace_location", (1, 1), |_, _| Ok(Some(String::new()))),
    Entry {
        name: "getdatabaseencoding",
        arguments: (0, 0),
        strict: 0,
        returns: "name",
        body: Body::Text(|_, _| Ok(Some("UTF8".to_owned()))),
    },
    text("like_escape", (2, 2), like_escape),
    Entry {
        name: "pg_char_to_encoding",
        arguments: (1, 1),
        strict: 1,
        returns: "int4",
        body: Body::Int(|_, row| Ok(row.text(0).map(encoding))),
    },
];

/// There are no such objects in a warehouse.
fn nothing(_: &PgCatalog, _: &Row<'_>) -> Result<Option<String>> {
    Ok(None)
}

fn view(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<String>> {
    let oid = row.oid(catalog, 0, Reg::Class)?;
    let view = oid.and_then(|oid| catalog.view.objects().view(oid));
    Ok(view.map(|view| pg_views::definition(&view.sql)))
}

fn rule(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<String>> {
    let owner = row.int(0).and_then(|oid| oids::owner(u32::try_from(oid).ok()?));
    let view = owner.and_then(|id| catalog.view.objects().view(id));
    Ok(view.map(|view| {
        let name = crate::pg_catalog::names::quoted(&view.name);
        format!("CREATE RULE \"_RETURN\" AS\n    ON SELECT TO {name} DO INSTEAD {}", pg_views::definition(&view.sql))
    }))
}

fn index(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<String>> {
    let Some(oid) = row.oid(catalog, 0, Reg::Class)? else { return Ok(None) };
    let Some(table) = oids::owner(oid).and_then(|id| catalog.view.objects().table(id)) else { return Ok(None) };
    if oid != oids::primary_key_index(table.id) {
        return Ok(None);
    }
    Ok(match row.int(1) {
        None | Some(0) => Some(pg_index::definition(table)),
        Some(column) => {
            let column = usize::try_from(column - 1).ok().and_then(|column| table.primary_key.get(column));
            column.map(|name| crate::pg_catalog::names::quoted(name))
        }
    })
}

fn constraint(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<String>> {
    let Some(oid) = row.int(0).and_then(|oid| u32::try_from(oid).ok()) else { return Ok(None) };
    let table = oids::owner(oid).and_then(|id| catalog.view.objects().table(id));
    let table = table.filter(|table| oid == oids::primary_key(table.id));
    Ok(table.map(|table| format!("PRIMARY KEY ({})", pg_index::key_columns(table))))
}

/// A pattern of LIKE with another escape character than the backslash, as one with the backslash.
fn like_escape(_: &PgCatalog, row: &Row<'_>) -> Result<Option<String>> {
    let (Some(pattern), Some(escape)) = (row.text(0), row.text(1)) else { return Ok(None) };
    let mut escapes = escape.chars();
    let escape = escapes.next();
    if escapes.next().is_some() {
        let error = Error::new(SqlState::INVALID_ESCAPE_SEQUENCE, "invalid escape string");
        return Err(error.with_hint("Escape string must be empty or one character.").into());
    }
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            c if Some(c) == escape => {
                out.push('\\');
                out.extend(chars.next());
            }
            '\\' => out.push_str("\\\\"),
            c => out.push(c),
        }
    }
    Ok(Some(out))
}

/// An encoding's number; -1 for one that there is not.
fn encoding(name: &str) -> i64 {
    match name.to_ascii_lowercase().replace(['-', '_'], "").as_str() {
        "utf8" | "unicode" => 6,
        "sqlascii" => 0,
        "latin1" | "iso88591" => 8,
        "win1252" => 24,
        _ => -1,
    }
}

/// Stored expressions are SQL text already.
fn expression(_: &PgCatalog, row: &Row<'_>) -> Result<Option<String>> {
    Ok(row.text(0).map(str::to_owned))
}

fn function(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<String>> {
    let oid = row.oid(catalog, 0, Reg::Proc)?;
    let Some(function) = oid.and_then(|oid| catalog.functions.by_oid(oid)) else { return Ok(None) };
    if function.is_aggregate() {
        let message = format!("\"{}\" is an aggregate function", function.name);
        return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message).into());
    }
    Ok(Some(function.statement()))
}

fn arguments(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<String>> {
    let oid = row.oid(catalog, 0, Reg::Proc)?;
    Ok(oid.and_then(|oid| catalog.functions.by_oid(oid)).map(|function| function.declaration()))
}

fn result(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<String>> {
    let oid = row.oid(catalog, 0, Reg::Proc)?;
    Ok(oid.and_then(|oid| catalog.functions.by_oid(oid)).map(|function| function.result()))
}

/// A type's name with its modifier.
fn formatted(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<String>> {
    use crate::values::pg_type::oid;
    let Some(number) = row.oid(catalog, 0, Reg::Type)? else { return Ok(None) };
    let typmod = row.int(1);
    let element = crate::values::pg_type::element_of(number);
    let name = match (element.unwrap_or(number), typmod) {
        (0, _) => return Ok(Some("-".to_owned())),
        // Without a modifier one is asked for the type's SQL name, with -1 for the type as it is.
        (oid::BPCHAR, Some(_)) => "bpchar".to_owned(),
        (other, _) => type_name(other),
    };
    let length = typmod.unwrap_or(-1) - 4;
    let name = match element.unwrap_or(number) {
        oid::NUMERIC if length >= 0 => format!("{name}({},{})", length >> 16, length & 0x7ff),
        oid::BPCHAR if length > 0 => format!("character({length})"),
        oid::VARCHAR if length > 0 => format!("{name}({length})"),
        _ => name,
    };
    Ok(Some(if element.is_some() { format!("{name}[]") } else { name }))
}

fn user(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<String>> {
    let oid = row.oid(catalog, 0, Reg::Role)?;
    Ok(oid.map(|oid| roles::role_name(catalog, oid).unwrap_or_else(|| format!("unknown (OID={oid})"))))
}
