//! `audience_bucket(key [, …], buckets)`: the bucket of a key, which decides in which files a profile is stored.
//!
//! The bucket is the 64-bit XXH3 hash (seed 0) of the key's bytes modulo the number of buckets. Bytes and hash are
//! fixed for ever, on every machine and in every version: stored tables and programs of others rely on them.
//!
//! * One key column: the bytes of its value.
//! * Several: for each, in order, the number of its bytes (4 bytes, little-endian) and the bytes. So `('ab', 'c')`
//!   and `('a', 'bc')` differ.
//! * A NULL in any of them: NULL.
//!
//! The bytes of a value do not depend on the width of its type:
//!
//! | type | bytes |
//! |---|---|
//! | text, varchar, uuid, json | UTF-8, as it stands; a uuid is its text |
//! | smallint, integer, bigint | 8 bytes, little-endian |
//! | date | days since 1970-01-01 as bigint |
//! | timestamp, timestamptz | microseconds since 1970-01-01 (UTC) as bigint |
//! | time | microseconds since midnight as bigint |
//! | numeric | digits as a 16-byte little-endian integer, then the number of decimal places (1 byte); trailing zeros after the point are dropped, so 1.50 is 1.5 |
//! | real, double precision | the 8 bytes of the double, little-endian; -0 is 0, every NaN is one |
//! | boolean | 1 byte, 0 or 1 |

use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, Int32Array};
use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;
use twox_hash::XxHash3_64;

use super::key_bytes::{KeyBytes, is_key_type};
use crate::InvalidArgument;
use crate::named::named;
use crate::rows::evaluate_some;

/// The function `audience_bucket`.
#[user_doc(
    doc_section(label = "Identity Functions"),
    description = "Returns the bucket, from 0 to buckets - 1, in which the profile with this key is stored. It depends on nothing but the key's value and the number of buckets, and never changes. NULL if any argument is NULL.",
    syntax_example = "audience_bucket(key [, ...], buckets)",
    sql_example = r#"```sql
> SELECT audience_bucket('p1', 8) AS bucket;
+--------+
| bucket |
+--------+
| 4      |
+--------+
```"#,
    argument(
        name = "key",
        description = "The key: text, a number, a date or time, or boolean. A key of several columns is given column by column."
    ),
    argument(name = "buckets", description = "The number of buckets, a constant of at least 1.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct AudienceBucket;

impl ScalarUDFImpl for AudienceBucket {
    named!("audience_bucket");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    /// Keys stay as they are; the number of buckets becomes a bigint.
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let Some((buckets, keys)) = types.split_last().filter(|(_, keys)| !keys.is_empty()) else {
            return plan_err!("audience_bucket needs a key and the number of buckets");
        };
        if let Some(key) = keys.iter().find(|key| !is_key_type(key)) {
            return plan_err!("audience_bucket does not take a key of type {key}, cast it to text");
        }
        if !buckets.is_integer() && !buckets.is_null() {
            return plan_err!("audience_bucket needs the number of buckets as an integer, not as {buckets}");
        }
        Ok(keys.iter().cloned().chain([DataType::Int64]).collect())
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some((buckets, keys)) = args.args.split_last().filter(|(_, keys)| !keys.is_empty()) else {
            return plan_err!("audience_bucket needs a key and the number of buckets");
        };
        let ColumnarValue::Scalar(buckets) = buckets else {
            return Err(InvalidArgument::error("audience_bucket needs a constant number of buckets"));
        };
        let ScalarValue::Int64(Some(buckets)) = buckets.cast_to(&DataType::Int64)? else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Int32(None)));
        };
        let buckets = u32::try_from(buckets).map_err(|_| invalid_buckets(buckets))?;
        evaluate_some(&args, keys, |keys| Ok(Arc::new(bucket_of(keys, buckets)?)))
    }
}

/// The bucket of each row's key; `keys` are the key's columns, of equal length, in the order of the key.
///
/// # Errors
/// [`InvalidArgument`] without a key column, for a type that cannot be a key, and unless `buckets` is from 1 to
/// `i32::MAX`.
pub fn bucket_of(keys: &[ArrayRef], buckets: u32) -> Result<Int32Array> {
    if buckets == 0 || i32::try_from(buckets).is_err() {
        return Err(invalid_buckets(i64::from(buckets)));
    }
    let Some(rows) = keys.first().map(|key| key.len()) else {
        return Err(InvalidArgument::error("audience_bucket needs a key"));
    };
    if keys.iter().any(|key| key.len() != rows) {
        return Err(InvalidArgument::error("audience_bucket needs key columns of equal length"));
    }
    let columns = keys.iter().map(KeyBytes::new).collect::<Result<Vec<_>>>()?;
    let mut bytes = Vec::new();
    (0..rows)
        .map(|row| {
            if columns.iter().any(|column| column.is_null(row)) {
                return Ok(None);
            }
            bytes.clear();
            match columns.as_slice() {
                [column] => column.append(row, &mut bytes)?,
                columns => {
                    for column in columns {
                        append_with_length(column, row, &mut bytes)?;
                    }
                }
            }
            // Smaller than `buckets`, which is an i32.
            Ok(Some((XxHash3_64::oneshot(&bytes) % u64::from(buckets)) as i32))
        })
        .collect()
}

fn append_with_length(column: &KeyBytes, row: usize, bytes: &mut Vec<u8>) -> Result<()> {
    let start = bytes.len();
    bytes.extend([0; 4]);
    column.append(row, bytes)?;
    let length = u32::try_from(bytes.len() - start - 4)
        .map_err(|_| InvalidArgument::error("audience_bucket does not take a key of 4 GB or more"))?;
    bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

fn invalid_buckets(buckets: i64) -> datafusion_common::DataFusionError {
    InvalidArgument::error(format!("audience_bucket needs from 1 to {} buckets, not {buckets}", i32::MAX))
}

#[cfg(test)]
mod tests {
    use datafusion_common::arrow::array::{
        BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array, Int16Array,
        Int64Array, LargeStringArray, NullArray, StringArray, StringViewArray, TimestampMicrosecondArray,
        TimestampSecondArray,
    };
    use datafusion_common::arrow::datatypes::Field;
    use datafusion_common::arrow::datatypes::Int8Type;
    use datafusion_common::config::ConfigOptions;

    use super::*;

    /// Buckets of 1000 of each row; -1 for NULL.
    fn buckets(keys: &[ArrayRef]) -> Vec<i32> {
        bucket_of(keys, 1000).unwrap().iter().map(|bucket| bucket.unwrap_or(-1)).collect()
    }

    fn one(key: impl Array + 'static) -> Vec<i32> {
        buckets(&[Arc::new(key)])
    }

    /// Made with another implementation: `xxhash.xxh3_64_intdigest(bytes) % 1000` of Python's xxhash. The hash of no
    /// bytes, 0x2d06800538d394c2, is also the one that XXH3's authors publish.
    #[test]
    fn reference_values() {
        let texts = ["", "a", "p1", "household-2469", "Zoë", "6f9619ff-8b86-d011-b42d-00cf4fc964ff"];
        assert_eq!(one(StringArray::from_iter_values(texts)), [138, 719, 148, 78, 494, 243]);
        assert_eq!(one(StringArray::from(vec!["x".repeat(300)])), [492]);
        assert_eq!(one(Int64Array::from(vec![0, 1, -1, 42, i64::MAX])), [897, 78, 627, 720, 142]);
        assert_eq!(one(Date32Array::from(vec![17_167])), [802]);
        assert_eq!(one(TimestampMicrosecondArray::from(vec![17_167 * 86_400_000_000])), [291]);
        assert_eq!(one(BooleanArray::from(vec![true, false])), [715, 883]);
        assert_eq!(one(Float64Array::from(vec![1.5, 0.0, -0.0])), [384, 897, 897]);
        let numeric = |digits: i128, precision: u8, scale: i8| {
            Decimal128Array::from(vec![digits]).with_precision_and_scale(precision, scale).unwrap()
        };
        assert_eq!(one(numeric(150, 10, 2)), [359]);
        assert_eq!(one(numeric(15, 38, 1)), [359]);
        assert_eq!(one(numeric(4200, 10, 2)), [295]);
        assert_eq!(one(numeric(-1, 10, 2)), [237]);
    }

    #[test]
    fn several_columns_are_told_apart() {
        let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
        assert_eq!(buckets(&[text("a"), Arc::new(Int64Array::from(vec![1]))]), [594]);
        assert_eq!(buckets(&[text("ab"), text("c")]), [751]);
        assert_eq!(buckets(&[text("a"), text("bc")]), [626]);
    }

    #[test]
    fn encodings_of_a_value_share_its_bucket() {
        let values = [Some("p1"), None, Some("")];
        let expected = [148, -1, 138];
        assert_eq!(one(StringArray::from_iter(values)), expected);
        assert_eq!(one(LargeStringArray::from_iter(values)), expected);
        assert_eq!(one(StringViewArray::from_iter(values)), expected);
        assert_eq!(one(DictionaryArray::<Int8Type>::from_iter(values)), expected);
        assert_eq!(one(StringArray::from_iter(values).slice(1, 2)), [-1, 138]);
        assert_eq!(one(Int16Array::from(vec![Some(42), None])), [720, -1]);
        assert_eq!(one(Float32Array::from(vec![1.5])), [384]);
        assert_eq!(one(TimestampSecondArray::from(vec![17_167 * 86_400]).with_timezone("UTC")), [291]);
        assert_eq!(one(NullArray::new(2)), [-1, -1]);
        assert!(one(StringArray::new_null(0)).is_empty());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let key: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        assert!(bucket_of(&[Arc::clone(&key)], 0).is_err());
        assert!(bucket_of(&[Arc::clone(&key)], u32::MAX).is_err());
        assert!(bucket_of(&[], 8).is_err());
        assert!(AudienceBucket.coerce_types(&[DataType::Binary, DataType::Int32]).is_err());
        assert!(AudienceBucket.coerce_types(&[DataType::Int64]).is_err());
        let types = AudienceBucket.coerce_types(&[DataType::Utf8View, DataType::Int32]).unwrap();
        assert_eq!(types, [DataType::Utf8View, DataType::Int64]);
    }

    #[test]
    fn constants_give_a_constant() {
        let invoke = |buckets| {
            AudienceBucket.invoke_with_args(ScalarFunctionArgs {
                args: vec![ColumnarValue::Scalar(ScalarValue::from("p1")), ColumnarValue::Scalar(buckets)],
                arg_fields: vec![],
                number_rows: 3,
                return_field: Arc::new(Field::new("bucket", DataType::Int32, true)),
                config_options: Arc::new(ConfigOptions::default()),
            })
        };
        assert!(matches!(
            invoke(ScalarValue::Int64(Some(8))).unwrap(),
            ColumnarValue::Scalar(ScalarValue::Int32(Some(4)))
        ));
        assert!(matches!(invoke(ScalarValue::Int64(None)).unwrap(), ColumnarValue::Scalar(ScalarValue::Int32(None))));
        assert!(invoke(ScalarValue::Int64(Some(-1))).unwrap_err().to_string().contains("-1"));
    }
}
