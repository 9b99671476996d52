//! `routines` and `parameters`: functions in the standard's words.

use datafusion::common::Result;

use super::columns::{internal_name, standard_name};
use super::yes_or_no;
use crate::pg_catalog::rows::{Datum, Rows};
use crate::pg_catalog::table::Wanted;
use crate::pg_catalog::{DATABASE, PgCatalog};

/// The schema of all functions.
const SCHEMA: &str = "pg_catalog";

pub(super) fn fill(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns([
        "specific_catalog",
        "specific_schema",
        "specific_name",
        "routine_catalog",
        "routine_schema",
        "routine_name",
        "routine_type",
        "data_type",
        "type_udt_catalog",
        "type_udt_schema",
        "type_udt_name",
        "dtd_identifier",
        "routine_body",
        "external_language",
        "parameter_style",
        "is_deterministic",
        "sql_data_access",
        "is_null_call",
        "schema_level_routine",
        "max_dynamic_result_sets",
        "security_type",
        "as_locator",
        "is_udt_dependent",
    ])?;
    for function in catalog.functions.all() {
        out.push([
            DATABASE.into(),
            SCHEMA.into(),
            format!("{}_{}", function.name, function.oid).into(),
            DATABASE.into(),
            SCHEMA.into(),
            function.name.as_str().into(),
            // PostgreSQL has no word for aggregates here either.
            if function.kind == "f" { "FUNCTION".into() } else { Datum::Null },
            standard_name(function.returns).into(),
            DATABASE.into(),
            SCHEMA.into(),
            internal_name(function.returns).into(),
            "0".into(),
            "EXTERNAL".into(),
            "INTERNAL".into(),
            "GENERAL".into(),
            yes_or_no(function.volatility == "i"),
            "MODIFIES".into(),
            yes_or_no(function.strict),
            yes_or_no(true),
            Datum::Int(0),
            "INVOKER".into(),
            yes_or_no(false),
            yes_or_no(false),
        ])?;
    }
    Ok(())
}

pub(super) fn fill_parameters(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns([
        "specific_catalog",
        "specific_schema",
        "specific_name",
        "ordinal_position",
        "parameter_mode",
        "is_result",
        "as_locator",
        "parameter_name",
        "data_type",
        "udt_catalog",
        "udt_schema",
        "udt_name",
        "dtd_identifier",
    ])?;
    for function in catalog.functions.all() {
        for (i, kind) in function.arguments.iter().enumerate() {
            let name = function.argument_names.get(i).filter(|name| !name.is_empty());
            out.push([
                DATABASE.into(),
                SCHEMA.into(),
                format!("{}_{}", function.name, function.oid).into(),
                Datum::Int(i64::try_from(i + 1).unwrap_or_default()),
                "IN".into(),
                yes_or_no(false),
                yes_or_no(false),
                name.map(String::as_str).into(),
                standard_name(*kind).into(),
                DATABASE.into(),
                SCHEMA.into(),
                internal_name(*kind).into(),
                (i + 1).to_string().into(),
            ])?;
        }
    }
    Ok(())
}
