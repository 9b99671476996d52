//! `pg_typeof(value)`: the type of an expression, as PostgreSQL names it.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::{Signature, Volatility};

use super::session_function::text;
use super::{SessionFacts, SessionFunction};
use crate::error::type_name;

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "pg_typeof",
        DataType::Utf8,
        |_, args| text(type_name(&args.arg_fields[0])),
        "pg_typeof(value)",
        "Returns the name of the value's type, without length or precision.",
    )
    .taking(Signature::any(1, Volatility::Stable), &[("value", "Any expression.")])
}
