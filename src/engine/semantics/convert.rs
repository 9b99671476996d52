//! The types that are text with rules: uuid, json, jsonb, varchar(n), char(n).

use std::sync::Arc;

use catalog::types::PgType;
use datafusion::arrow::array::{Array, AsArray, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::{Error, SqlState};

/// The declared type of a cast's target, where it is one of these.
pub(super) fn declared(field: &Field) -> Option<PgType> {
    let pg = field.metadata().get(catalog::types::PG_TYPE)?.parse().ok()?;
    matches!(pg, PgType::Uuid | PgType::Json | PgType::Jsonb | PgType::Varchar(Some(_)) | PgType::Char(_)).then_some(pg)
}

/// `value` checked and normalized as a value of `pg`.
pub(super) fn call(value: Expr, pg: PgType, context: Context) -> Expr {
    ScalarUDF::from(Convert { pg, context, signature: Signature::any(1, Volatility::Immutable) }).call(vec![value])
}

/// Text as a column of type `pg` keeps it, as an INSERT would: checked and normalized where the type has rules.
pub(crate) fn assigned_text(pg: &PgType, text: &str) -> crate::error::Result<String> {
    converted(pg, Context::Assignment, text)
}

/// Why a value is converted: PostgreSQL is lenient about length where the user wrote a cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Context {
    Cast,
    Assignment,
}

/// Text to one of the types that are text with rules.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Convert {
    pg: PgType,
    context: Context,
    signature: Signature,
}

impl ScalarUDFImpl for Convert {
    fn name(&self) -> &str {
        match self.pg {
            PgType::Uuid => "to_uuid",
            PgType::Json => "to_json_text",
            PgType::Jsonb => "to_jsonb_text",
            PgType::Char(_) => "to_char_n",
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
        converted(&self.pg, self.context, text)
    }
}

fn converted(pg: &PgType, context: Context, text: &str) -> crate::error::Result<String> {
    let invalid = |what: &str| {
        Error::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("invalid input syntax for type {what}: \"{text}\""))
    };
    match (pg, context) {
        (PgType::Uuid, _) => {
            // Hyphens and braces are free, as in PostgreSQL.
            let digits: String = text.trim().trim_matches(['{', '}']).chars().filter(|c| *c != '-').collect();
            let uuid = uuid::Uuid::try_parse(&digits).map_err(|_| invalid("uuid"))?;
            Ok(uuid.to_string())
        }
        (PgType::Json, _) => {
            serde_json::from_str::<serde::de::IgnoredAny>(text)
                .map_err(|e| invalid("json").with_detail(e.to_string()))?;
            Ok(text.to_owned())
        }
        (PgType::Jsonb, _) => {
            let value: serde_json::Value =
                serde_json::from_str(text).map_err(|e| invalid("json").with_detail(e.to_string()))?;
            Ok(jsonb_text(&value))
        }
        (PgType::Varchar(Some(n)) | PgType::Char(n), context) => {
            let n = *n as usize;
            let length = text.chars().count();
            let fits = length <= n || text.chars().skip(n).all(|c| c == ' ');
            if !fits && context == Context::Assignment {
                let message = format!("value too long for type {pg}");
                return Err(Error::new(SqlState::STRING_DATA_RIGHT_TRUNCATION, message));
            }
            let mut cut: String = text.chars().take(n).collect();
            if matches!(pg, PgType::Char(_)) && length < n {
                cut.extend(std::iter::repeat_n(' ', n - length));
            }
            Ok(cut)
        }
        _ => Ok(text.to_owned()),
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
