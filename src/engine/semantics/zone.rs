//! Instants and wall clocks: `timezone(zone, t)`, which `t AT TIME ZONE zone` stands for, and the cast from
//! `timestamptz` to `timestamp`, `date` or `time`, which reads the session's wall clock. Arrow would keep UTC's digits.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, PrimitiveArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use crate::error::{Error, SqlState};
use crate::values::encode::Zone;

const WALL_CLOCK: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// The zone of an instant that is cast to a type without zone, if it is not UTC.
pub(super) fn leaves(from: &DataType, to: &DataType) -> Option<Arc<str>> {
    let DataType::Timestamp(_, Some(zone)) = from else { return None };
    let wall_clock = matches!(to, DataType::Timestamp(_, None) | DataType::Date32 | DataType::Time64(_));
    (wall_clock && zone.as_ref() != "UTC").then(|| Arc::clone(zone))
}

/// What the clock in `zone` shows at the instant `value`.
pub(super) fn local(value: Expr, zone: &str) -> Expr {
    function().call(vec![Expr::Literal(ScalarValue::from(Zone::posix_name(zone)), None), value])
}

/// `timezone(zone, t)`: of an instant the wall clock in that zone, of a wall clock the instant.
pub(in crate::engine) fn function() -> ScalarUDF {
    ScalarUDF::from(Timezone { signature: Signature::any(2, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Timezone {
    signature: Signature,
}

impl ScalarUDFImpl for Timezone {
    fn name(&self) -> &str {
        "timezone"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(match &arguments[1] {
            DataType::Timestamp(_, Some(_)) => WALL_CLOCK,
            _ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let to = args.return_type().clone();
        let [ColumnarValue::Scalar(zone), value] = args.args.as_slice() else {
            return exec_err!("the zone of timezone() must be a constant");
        };
        let Some(name) = zone.try_as_str().flatten() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from(&to)?));
        };
        let zone = Zone::parse(name).ok_or_else(|| {
            Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("time zone \"{name}\" not recognized"))
        })?;
        let array = value.to_array(args.number_rows)?;
        let instant = matches!(array.data_type(), DataType::Timestamp(_, Some(_)));
        // Micros since 1970 either way; the zone of the type does not change them.
        let micros = match array.data_type() {
            DataType::Timestamp(_, Some(zone)) => {
                cast(&array, &DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(zone))))?
            }
            _ => cast(&array, &WALL_CLOCK)?,
        };
        let moved: PrimitiveArray<TimestampMicrosecondType> =
            micros.as_primitive::<TimestampMicrosecondType>().unary(|micros| {
                let seconds = micros.div_euclid(1_000_000);
                let east = if instant { zone.east(seconds) } else { -zone.east_at_local(seconds) };
                micros.saturating_add(i64::from(east) * 1_000_000)
            });
        let moved: ArrayRef = match to {
            DataType::Timestamp(_, Some(zone)) => Arc::new(moved.with_timezone(zone)),
            _ => Arc::new(moved),
        };
        Ok(ColumnarValue::Array(moved))
    }
}
