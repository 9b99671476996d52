//! Minimum, maximum and null count of a file's columns: taken from Parquet's footer when a file is written, kept
//! as Delta's statistics JSON, read back from it when a table is opened.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion_functions_aggregate_common::min_max::{max_batch, min_batch};
use serde::Deserialize;
use serde_json::Value;

use super::file::has_ranges;
use crate::error::{Error, Result};

/// What the log knows of one column of one file. `None` is "not known", never "no such value".
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ranges {
    /// A lower bound of the non-null values, in the type the column is read as.
    pub min: Option<ScalarValue>,
    /// An upper bound of the non-null values.
    pub max: Option<ScalarValue>,
    /// How many values are null.
    pub nulls: Option<u64>,
}

/// Delta's statistics JSON of a file just written, with ranges for `columns` only.
///
/// `stored` is the schema the file was written with.
pub(crate) fn to_json(metadata: &ParquetMetaData, stored: &Schema, columns: &[String]) -> Result<String> {
    let parquet_schema = metadata.file_metadata().schema_descr();
    let (mut mins, mut maxs, mut nulls) = (String::new(), String::new(), String::new());
    for field in stored.fields().iter().filter(|f| has_ranges(f.data_type())) {
        let converter = StatisticsConverter::try_new(field.name(), stored, parquet_schema).map_err(parquet)?;
        let counts = converter.row_group_null_counts(metadata.row_groups()).map_err(parquet)?;
        if counts.null_count() == 0 {
            entry(&mut nulls, field.name(), &counts.iter().flatten().sum::<u64>().to_string())?;
        }
        if !columns.contains(field.name()) {
            continue;
        }
        let min = converter.row_group_mins(metadata.row_groups()).map_err(parquet)?;
        let max = converter.row_group_maxes(metadata.row_groups()).map_err(parquet)?;
        // A row group without a minimum may be all null or may not have told: then no bound holds for the file,
        // unless its null count says that it is all null.
        let silent = |values: &ArrayRef| {
            (0..values.len()).any(|i| {
                values.is_null(i) && (counts.is_null(i) || counts.value(i) < metadata.row_group(i).num_rows() as u64)
            })
        };
        if silent(&min) || silent(&max) {
            continue;
        }
        if let Some(text) = json_text(&min_batch(&min)?, false)? {
            entry(&mut mins, field.name(), &text)?;
        }
        if let Some(text) = json_text(&max_batch(&max)?, true)? {
            entry(&mut maxs, field.name(), &text)?;
        }
    }
    let rows = metadata.file_metadata().num_rows();
    Ok(format!(r#"{{"numRecords":{rows},"minValues":{{{mins}}},"maxValues":{{{maxs}}},"nullCount":{{{nulls}}}}}"#))
}

fn entry(object: &mut String, name: &str, value: &str) -> Result<()> {
    let comma = if object.is_empty() { "" } else { "," };
    let name = serde_json::to_string(name).map_err(|e| Error::Invalid(e.to_string()))?;
    write!(object, "{comma}{name}:{value}").map_err(|e| Error::Invalid(e.to_string()))
}

/// A bound as JSON, `None` if there is none or it can't be told in JSON (infinite floats).
fn json_text(value: &ScalarValue, upper: bool) -> Result<Option<String>> {
    Ok(match value {
        v if v.is_null() => None,
        ScalarValue::Float32(Some(v)) => v.is_finite().then(|| v.to_string()),
        ScalarValue::Float64(Some(v)) => v.is_finite().then(|| v.to_string()),
        ScalarValue::Int16(Some(v)) => Some(v.to_string()),
        ScalarValue::Int32(Some(v)) => Some(v.to_string()),
        ScalarValue::Int64(Some(v)) => Some(v.to_string()),
        ScalarValue::Utf8(Some(v)) | ScalarValue::Utf8View(Some(v)) => {
            // Parquet shortens long bounds itself; a bound that is still long is left out rather than cut here.
            // An address is a person's, whatever the column: no bound of it is for the log.
            (v.len() <= 256 && !v.contains('@'))
                .then(|| serde_json::to_string(v))
                .transpose()
                .map_err(|e| Error::Invalid(e.to_string()))?
        }
        ScalarValue::Decimal128(Some(_), _, _) | ScalarValue::Date32(Some(_)) => {
            let text = cast(&value.to_array()?, &DataType::Utf8)?;
            let text = ScalarValue::try_from_array(&text, 0)?.to_string();
            Some(if matches!(value, ScalarValue::Date32(_)) { format!("\"{text}\"") } else { text })
        }
        ScalarValue::TimestampMicrosecond(Some(v), _) => {
            // Delta's writers keep milliseconds; readers round bounds outwards, and so do we when we cut.
            let millis = if upper { v.saturating_add(999).div_euclid(1000) } else { v.div_euclid(1000) };
            chrono::DateTime::from_timestamp_millis(millis)
                .map(|t| format!("\"{}\"", t.format("%Y-%m-%dT%H:%M:%S%.3fZ")))
        }
        _ => None,
    })
}

/// A JSON number of more digits may have been rounded on the way, and a rounded bound is none.
const EXACT_DIGITS: usize = 15;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statistics {
    num_records: Option<u64>,
    #[serde(default)]
    min_values: HashMap<String, Value>,
    #[serde(default)]
    max_values: HashMap<String, Value>,
    #[serde(default)]
    null_count: HashMap<String, Value>,
}

/// Row count and ranges (one entry per column of `schema`) from Delta's statistics JSON.
pub(crate) fn from_json(json: Option<&str>, schema: &SchemaRef) -> Result<(Option<u64>, Vec<Ranges>)> {
    let mut ranges = vec![Ranges::default(); schema.fields().len()];
    let Some(json) = json.filter(|j| !j.is_empty()) else { return Ok((None, ranges)) };
    let corrupt =
        |e: serde_json::Error| Error::Corrupt { object: "file statistics".to_owned(), message: e.to_string() };
    let statistics: Statistics = serde_json::from_str(json).map_err(corrupt)?;
    for (field, ranges) in schema.fields().iter().zip(&mut ranges) {
        let bound = |values: &HashMap<String, Value>, upper| {
            values.get(field.name()).and_then(|value| parse(value, field.data_type(), upper))
        };
        ranges.min = bound(&statistics.min_values, false);
        ranges.max = bound(&statistics.max_values, true);
        ranges.nulls = statistics.null_count.get(field.name()).and_then(Value::as_u64);
    }
    Ok((statistics.num_records, ranges))
}

/// One bound; anything that does not read as a value of the type is no bound.
fn parse(value: &Value, data_type: &DataType, upper: bool) -> Option<ScalarValue> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let rounded = data_type.is_decimal() && text.bytes().filter(u8::is_ascii_digit).count() > EXACT_DIGITS;
    if rounded || !has_ranges(data_type) {
        return None;
    }
    let strings = Arc::new(datafusion::arrow::array::StringArray::from(vec![text])) as ArrayRef;
    let value = match data_type {
        // A timestamp without time zone is stored as UTC: the zone in the text is dropped, the digits stay.
        DataType::Timestamp(unit, _) => {
            let utc = cast(&strings, &DataType::Timestamp(*unit, Some("UTC".into()))).ok()?;
            let micros = cast(&cast(&utc, data_type).ok()?, &DataType::Int64).ok()?;
            let micros = ScalarValue::try_from_array(&micros, 0).ok()?;
            let ScalarValue::Int64(Some(v)) = micros else { return None };
            // Foreign writers cut to milliseconds: the upper bound is the whole of its millisecond.
            let v = if upper { v.saturating_add(999) } else { v };
            cast(&ScalarValue::Int64(Some(v)).to_array().ok()?, data_type).ok()?
        }
        DataType::Time64(_) => cast(&cast(&strings, &DataType::Int64).ok()?, data_type).ok()?,
        other => cast(&strings, other).ok()?,
    };
    ScalarValue::try_from_array(&value, 0).ok().filter(|v| !v.is_null())
}

fn parquet(e: datafusion::parquet::errors::ParquetError) -> Error {
    Error::DataFusion(e.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_no_bounds() {
        assert_eq!(json_text(&ScalarValue::from("ada@example.com"), false).unwrap(), None);
        assert_eq!(json_text(&ScalarValue::from("p1"), false).unwrap().as_deref(), Some("\"p1\""));
    }
}
