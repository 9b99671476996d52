//! Text to a date, time, interval, array or bytes, as PostgreSQL reads it.

use datafusion::arrow::array::{Array, AsArray, new_empty_array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef, IntervalUnit, TimeUnit};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use crate::values::decode::decode;
use crate::values::encode::Zone;
use crate::values::pg_type::PgType;

/// Whether the text of this type is read by other rules than Arrow's.
pub(super) fn applies(to: &DataType) -> bool {
    matches!(
        to,
        DataType::Date32
            | DataType::Time64(TimeUnit::Microsecond)
            | DataType::Timestamp(TimeUnit::Microsecond, _)
            | DataType::Interval(IntervalUnit::MonthDayNano)
            | DataType::Binary
            | DataType::BinaryView
            | DataType::List(_)
    )
}

/// `text` read as a value of `field`'s type.
pub(super) fn call(text: Expr, field: FieldRef) -> Expr {
    ScalarUDF::from(Read { field, signature: Signature::any(1, Volatility::Immutable) }).call(vec![text])
}

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
            DataType::Timestamp(_, Some(zone)) => Zone::of_arrow(zone).unwrap_or_else(Zone::utc),
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
                    return Ok(ColumnarValue::Array(new_empty_array(to)));
                }
                let values = text.iter().map(read).collect::<Result<Vec<_>>>()?;
                Ok(ColumnarValue::Array(ScalarValue::iter_to_array(values)?))
            }
        }
    }
}
