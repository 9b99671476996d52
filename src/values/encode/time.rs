//! time without time zone, from any unit.

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use datafusion::arrow::datatypes::TimeUnit;

use super::calendar::MICROS_PER_DAY;
use super::{Values, digits};
use crate::error::{Error, Result, SqlState};

struct Times<T: ArrowPrimitiveType> {
    array: PrimitiveArray<T>,
    unit: TimeUnit,
}

/// Times of day counted in `unit` since midnight.
pub(super) fn times<T>(array: &ArrayRef, unit: TimeUnit) -> Box<dyn Values>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i64>,
{
    Box::new(Times { array: array.as_primitive::<T>().clone(), unit })
}

impl<T> Times<T>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i64>,
{
    /// Microseconds since midnight; 24:00:00 is a time, as in PostgreSQL.
    fn micros(&self, row: usize) -> Result<i64> {
        micros(self.array.value(row).into(), self.unit)
            .filter(|micros| (0..=MICROS_PER_DAY).contains(micros))
            .ok_or_else(|| Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "time out of range"))
    }
}

impl<T> Values for Times<T>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i64>,
{
    fn is_null(&self, row: usize) -> bool {
        self.array.is_null(row)
    }

    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        digits::clock(out, self.micros(row)?.unsigned_abs());
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_i64(self.micros(row)?);
        Ok(())
    }
}

/// A count of `unit` in microseconds, cut towards the past; `None` if it does not fit.
pub(super) fn micros(count: i64, unit: TimeUnit) -> Option<i64> {
    match unit {
        TimeUnit::Second => count.checked_mul(1_000_000),
        TimeUnit::Millisecond => count.checked_mul(1000),
        TimeUnit::Microsecond => Some(count),
        TimeUnit::Nanosecond => Some(count.div_euclid(1000)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{Time32SecondArray, Time64NanosecondArray};
    use datafusion::arrow::datatypes::{Time32SecondType, Time64NanosecondType};

    use super::*;

    #[test]
    fn nanoseconds_are_cut_and_days_have_an_end() {
        let array: ArrayRef = Arc::new(Time64NanosecondArray::from(vec![14_706_789_012_999]));
        let nanos = times::<Time64NanosecondType>(&array, TimeUnit::Nanosecond);
        let mut out = BytesMut::new();
        assert!(nanos.text(0, &mut out).is_ok());
        assert_eq!(&out[..], b"04:05:06.789012");

        let array: ArrayRef = Arc::new(Time32SecondArray::from(vec![86_400, 86_401, -1]));
        let seconds = times::<Time32SecondType>(&array, TimeUnit::Second);
        out.clear();
        assert!(seconds.text(0, &mut out).is_ok());
        assert_eq!(&out[..], b"24:00:00");
        assert!(seconds.text(1, &mut out).is_err() && seconds.binary(2, &mut out).is_err());
    }
}
