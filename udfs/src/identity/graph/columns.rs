//! Columns of ids: which types they may have, and lists made of them.

use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, ListArray};
use datafusion_common::arrow::buffer::OffsetBuffer;
use datafusion_common::arrow::datatypes::{DataType, Field};
use datafusion_common::{Result, ScalarValue, plan_err};

use crate::InvalidArgument;

/// The code of a NULL.
pub(in crate::identity) const NONE: u32 = u32::MAX;

/// The type that ids of these types are coerced to: text, or the widest of the integers.
///
/// # Errors
/// If one is neither, or if there are both.
pub(in crate::identity) fn node_type(function: &str, given: &[DataType]) -> Result<DataType> {
    let mut common = DataType::Null;
    for one in given.iter().map(value_type) {
        common = match (&common, one) {
            (_, DataType::Null) => common,
            (DataType::Null | DataType::Utf8View, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => {
                DataType::Utf8View
            }
            (DataType::Null, DataType::Int16 | DataType::Int32 | DataType::Int64) => one.clone(),
            (DataType::Null, DataType::Int8 | DataType::UInt8) => DataType::Int16,
            (DataType::Null, DataType::UInt16) => DataType::Int32,
            (DataType::Null, DataType::UInt32) => DataType::Int64,
            (known, one) if known.is_signed_integer() && one.is_integer() => {
                let one = node_type(function, std::slice::from_ref(one))?;
                if one.primitive_width() > known.primitive_width() { one } else { common }
            }
            (DataType::Null, one) => {
                return plan_err!("{function} takes ids as text or as integers, not as {one}; cast them to text");
            }
            (known, one) => {
                return plan_err!("{function} takes ids of one type, not {known} and {one}; cast them to text");
            }
        };
    }
    Ok(if common.is_null() { DataType::Utf8View } else { common })
}

fn value_type(given: &DataType) -> &DataType {
    match given {
        DataType::Dictionary(_, value) => value,
        other => other,
    }
}

/// One list of these values.
///
/// # Errors
/// If they are more than a list can have.
pub(in crate::identity) fn list_value(function: &str, values: ArrayRef) -> Result<ScalarValue> {
    if i32::try_from(values.len()).is_err() {
        return Err(InvalidArgument::error(format!("{function}: {} ids are more than a list can have", values.len())));
    }
    let field = Field::new_list_field(values.data_type().clone(), true);
    let list = ListArray::try_new(Arc::new(field), OffsetBuffer::from_lengths([values.len()]), values, None)?;
    Ok(ScalarValue::List(Arc::new(list)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_type() {
        use DataType::*;
        let of = |a: DataType, b: DataType| node_type("f", &[a, b]).ok();
        assert_eq!(of(Utf8, LargeUtf8), Some(Utf8View));
        assert_eq!(of(Int32, Int64), Some(Int64));
        assert_eq!(of(Int64, Int16), Some(Int64));
        assert_eq!(of(Int32, Int16), Some(Int32));
        assert_eq!(of(Null, Int32), Some(Int32));
        assert_eq!(of(UInt32, Int32), Some(Int64));
        assert_eq!(of(Null, Null), Some(Utf8View));
        assert_eq!(of(Dictionary(Box::new(Int32), Box::new(Utf8)), Null), Some(Utf8View));
        assert_eq!(of(Int32, Utf8), None);
        assert_eq!(of(Utf8, Int32), None);
        assert_eq!(of(Float64, Float64), None);
        assert_eq!(of(UInt64, UInt64), None);
    }
}
