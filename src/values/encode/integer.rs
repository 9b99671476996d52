//! smallint, integer, bigint and object identifiers.

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};

use super::{Values, digits};
use crate::error::{Error, Result, SqlState};
use crate::values::pg_type::{PgType, is_object_identifier, oid};

/// What the send function writes.
enum Width {
    Two,
    Four,
    Eight,
    Identifier,
}

struct Integers<T: ArrowPrimitiveType> {
    array: PrimitiveArray<T>,
    width: Width,
}

/// Integers of any Arrow type that fits into 64 signed bits, shown as `pg`.
pub(super) fn integers<T>(array: &ArrayRef, pg: PgType) -> Box<dyn Values>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i64>,
{
    let width = match pg.oid {
        oid::INT2 => Width::Two,
        oid::INT4 => Width::Four,
        other if is_object_identifier(other) => Width::Identifier,
        _ => Width::Eight,
    };
    Box::new(Integers { array: array.as_primitive::<T>().clone(), width })
}

impl<T> Values for Integers<T>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i64>,
{
    fn is_null(&self, row: usize) -> bool {
        self.array.is_null(row)
    }

    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let value: i64 = self.array.value(row).into();
        match self.width {
            Width::Identifier => digits::unsigned(out, identifier(value)?.into()),
            _ => digits::signed(out, value),
        }
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let value: i64 = self.array.value(row).into();
        match self.width {
            // The width was chosen from the Arrow type, so that the value fits.
            Width::Two => out.put_i16(value as i16),
            Width::Four => out.put_i32(value as i32),
            Width::Eight => out.put_i64(value),
            Width::Identifier => out.put_u32(identifier(value)?),
        }
        Ok(())
    }

    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.text(row, out)
    }
}

/// An object identifier: four bytes without a sign, which a 32-bit column holds as a signed number.
fn identifier(value: i64) -> Result<u32> {
    match (u32::try_from(value), i32::try_from(value)) {
        (Ok(identifier), _) => Ok(identifier),
        (_, Ok(negative)) => Ok(negative as u32),
        _ => Err(Error::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            format!("value \"{value}\" is out of range for type oid"),
        )),
    }
}
