//! Casts with PostgreSQL's meaning, where Arrow's differs.
//!
//! * A fraction cast to an integer is rounded (floats half to even, numeric half away from zero); Arrow cuts it off.
//! * Text is read by PostgreSQL's input syntax (`2026-01-01 10:00+02`, `1 day 02:00`, `\\x00ff`), in the session's zone.
//! * `uuid`, `json` and `jsonb` are strings here, so what is cast to them is checked, and `jsonb` normalized.
//! * `varchar(n)` cuts in an explicit cast and refuses in an assignment; `char(n)` pads.

use std::sync::Arc;

use catalog::types::{PG_TYPE, PgType as Stored};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use datafusion::arrow::compute::{cast, kernels::arity::unary};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type, IntervalUnit, TimeUnit};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, TryCast, Volatility,
};
use datafusion::optimizer::analyzer::AnalyzerRule;
use datafusion::scalar::ScalarValue;

use crate::error::{Error, SqlState};
use crate::values::decode::decode;
use crate::values::encode::Zone;
use crate::values::pg_type::PgType;

/// Puts PostgreSQL's conversions in the place of Arrow's, in every cast of a plan.
#[derive(Debug)]
pub(super) struct PostgresCasts;

impl AnalyzerRule for PostgresCasts {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| {
            let mut schema = merge_schema(&plan.inputs());
            if let LogicalPlan::TableScan(scan) = &plan {
                schema.merge(&DFSchema::try_from(scan.source.schema())?);
            }
            plan.map_expressions(|expression| expression.transform_up(|e| rewrite(e, &schema)))
        })
        .map(|transformed| transformed.data)
    }

    fn name(&self) -> &str {
        "postgres_casts"
    }
}

fn rewrite(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let (inner, field, rebuild): (&Expr, &FieldRef, fn(Box<Expr>, FieldRef) -> Expr) = match &expression {
        Expr::Cast(Cast { expr, field }) => (expr, field, |expr, field| Expr::Cast(Cast { expr, field })),
        Expr::TryCast(TryCast { expr, field }) => (expr, field, |expr, field| Expr::TryCast(TryCast { expr, field })),
        _ => return Ok(Transformed::no(expression)),
    };
    if let Some(pg) = declared(field) {
        // A value that already has the type needs no check, and the check itself leaves no cast behind.
        let (_, from) = inner.to_field(schema)?;
        if from.metadata().get(PG_TYPE) == field.metadata().get(PG_TYPE) {
            return Ok(Transformed::no(expression));
        }
        return Ok(Transformed::yes(convert(inner.clone(), pg, Context::Cast)));
    }
    let from = inner.get_type(schema)?;
    if from.is_string() && reads_text(field.data_type()) && matches!(expression, Expr::Cast(_)) {
        let read = ScalarUDF::from(Read { field: Arc::clone(field), signature: Signature::any(1, Volatility::Immutable) });
        return Ok(Transformed::yes(read.call(vec![inner.clone()])));
    }
    if field.data_type().is_integer() {
        let rounded = from.is_floating() || matches!(from, DataType::Decimal128(_, s) | DataType::Decimal256(_, s) if s > 0);
        if rounded && !matches!(inner, Expr::ScalarFunction(f) if f.func.name() == ROUND) {
            let rounded = ScalarUDF::from(Round::new()).call(vec![inner.clone()]);
            return Ok(Transformed::yes(rebuild(Box::new(rounded), Arc::clone(field))));
        }
    }
    Ok(Transformed::no(expression))
}

/// The declared type of a cast's target, where it is one that needs our conversion.
fn declared(field: &Field) -> Option<Stored> {
    let pg = field.metadata().get(PG_TYPE)?.parse().ok()?;
    matches!(pg, Stored::Uuid | Stored::Json | Stored::Jsonb | Stored::Varchar(Some(_)) | Stored::Char(_)).then_some(pg)
}

/// Converts `value` for a column of type `pg`, as an INSERT does: what does not fit is an error.
pub(crate) fn assignment(value: Expr, pg: &Stored, zone: &Arc<str>) -> Expr {
    let field = Arc::new(super::types::in_zone(&pg.field("", true), zone));
    match declared(&field) {
        Some(pg) => convert(value, pg, Context::Assignment),
        None => Expr::Cast(Cast { expr: Box::new(value), field }),
    }
}

fn convert(value: Expr, pg: Stored, context: Context) -> Expr {
    ScalarUDF::from(Convert { pg, context, signature: Signature::any(1, Volatility::Immutable) }).call(vec![value])
}

/// The types whose text Arrow reads by other rules than PostgreSQL's.
fn reads_text(to: &DataType) -> bool {
    matches!(
        to,
        DataType::Date32
            | DataType::Time64(TimeUnit::Microsecond)
            | DataType::Timestamp(TimeUnit::Microsecond, _)
            | DataType::Interval(IntervalUnit::MonthDayNano)
            | DataType::Binary
            | DataType::BinaryView
    )
}

/// Text to a date, time, interval or bytes, as PostgreSQL reads it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Read {
    field: FieldRef,
    signature: Signature,
}

impl ScalarUDFImpl for Read {
    fn name(&self) -> &str {
        "read_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.field.data_type().clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let to = self.field.data_type();
        let zone = match to {
            DataType::Timestamp(_, Some(zone)) => Zone::parse(zone).unwrap_or_else(Zone::utc),
            _ => Zone::utc(),
        };
        let oid = PgType::of(&self.field).oid;
        let read = |text: Option<&str>| -> Result<ScalarValue> {
            let value = decode(text.map(str::as_bytes), false, oid, &self.field, zone)?;
            value.cast_to(to)
        };
        match &args.args[0] {
            ColumnarValue::Scalar(scalar) => Ok(ColumnarValue::Scalar(read(scalar.try_as_str().flatten())?)),
            ColumnarValue::Array(array) => {
                let text = cast(array, &DataType::Utf8View)?;
                let text = text.as_string_view();
                if text.is_empty() {
                    return Ok(ColumnarValue::Array(datafusion::arrow::array::new_empty_array(to)));
                }
                let values = text.iter().map(read).collect::<Result<Vec<_>>>()?;
                Ok(ColumnarValue::Array(ScalarValue::iter_to_array(values)?))
            }
        }
    }
}

const ROUND: &str = "round_to_integer";

/// Rounds to a whole number of the same type, as PostgreSQL does before it casts to an integer.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Round {
    signature: Signature,
}

impl Round {
    fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Round {
    fn name(&self) -> &str {
        ROUND
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(match &arguments[0] {
            DataType::Decimal128(p, s) => DataType::Decimal128((*p - *s as u8 + 1).min(38), 0),
            DataType::Decimal256(p, s) => DataType::Decimal256((*p - *s as u8 + 1).min(76), 0),
            DataType::Float16 => DataType::Float32,
            other => other.clone(),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let to = args.return_type().clone();
        let array = ColumnarValue::values_to_arrays(&args.args)?.remove(0);
        let rounded: ArrayRef = match array.data_type() {
            DataType::Float64 => Arc::new(unary::<_, _, Float64Type>(array.as_primitive::<Float64Type>(), f64::round_ties_even)),
            DataType::Float16 | DataType::Float32 => {
                let array = cast(&array, &DataType::Float32)?;
                Arc::new(unary::<_, _, Float32Type>(array.as_primitive::<Float32Type>(), f32::round_ties_even))
            }
            // Arrow rounds half away from zero when it lowers a scale.
            _ => cast(&array, &to)?,
        };
        Ok(ColumnarValue::Array(rounded))
    }
}

/// Why a value is converted: PostgreSQL is lenient about length where the user wrote a cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Context {
    Cast,
    Assignment,
}

/// Text to one of the types that are text with rules.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Convert {
    pg: Stored,
    context: Context,
    signature: Signature,
}

impl ScalarUDFImpl for Convert {
    fn name(&self) -> &str {
        match self.pg {
            Stored::Uuid => "to_uuid",
            Stored::Json => "to_json_text",
            Stored::Jsonb => "to_jsonb_text",
            Stored::Char(_) => "to_char_n",
            _ => "to_varchar_n",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(self.pg.field(self.name(), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = ColumnarValue::values_to_arrays(&args.args)?.remove(0);
        let text = cast(&array, &DataType::Utf8View)?;
        let text = text.as_string_view();
        let mut converted = Vec::with_capacity(text.len());
        for value in text {
            converted.push(value.map(|value| self.value(value)).transpose()?);
        }
        Ok(ColumnarValue::Array(Arc::new(converted.into_iter().collect::<StringViewArray>())))
    }
}

impl Convert {
    fn value(&self, text: &str) -> crate::error::Result<String> {
        let invalid = |what: &str| {
            Error::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("invalid input syntax for type {what}: \"{text}\""))
        };
        match (&self.pg, self.context) {
            (Stored::Uuid, _) => {
                let uuid = uuid::Uuid::parse_str(text.trim()).map_err(|_| invalid("uuid"))?;
                Ok(uuid.to_string())
            }
            (Stored::Json, _) => {
                serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|e| invalid("json").with_detail(e.to_string()))?;
                Ok(text.to_owned())
            }
            (Stored::Jsonb, _) => {
                let value: serde_json::Value =
                    serde_json::from_str(text).map_err(|e| invalid("json").with_detail(e.to_string()))?;
                Ok(jsonb_text(&value))
            }
            (Stored::Varchar(Some(n)) | Stored::Char(n), context) => {
                let n = *n as usize;
                let length = text.chars().count();
                let fits = length <= n || text.chars().skip(n).all(|c| c == ' ');
                if !fits && context == Context::Assignment {
                    let message = format!("value too long for type {}", self.pg);
                    return Err(Error::new(SqlState::STRING_DATA_RIGHT_TRUNCATION, message));
                }
                let mut cut: String = text.chars().take(n).collect();
                if matches!(self.pg, Stored::Char(_)) && length < n {
                    cut.extend(std::iter::repeat_n(' ', n - length));
                }
                Ok(cut)
            }
            _ => Ok(text.to_owned()),
        }
    }
}

/// `jsonb` as PostgreSQL prints it: `, ` and `: `, keys sorted by length and then by bytes.
fn jsonb_text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Array(values) => {
            format!("[{}]", values.iter().map(jsonb_text).collect::<Vec<_>>().join(", "))
        }
        serde_json::Value::Object(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
            let entries: Vec<String> = entries
                .into_iter()
                .map(|(key, value)| format!("{}: {}", serde_json::Value::String(key.clone()), jsonb_text(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        scalar => scalar.to_string(),
    }
}
