//! Columns of text to columns of a table's types, value by value, so that a value that does not fit is named.

use std::sync::Arc;

use catalog::types::PgType;
use datafusion::arrow::array::{
    ArrayRef, ArrowPrimitiveType, BooleanBuilder, PrimitiveBuilder, RecordBatch, StringViewBuilder,
};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, SchemaRef,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use datafusion::common::ScalarValue;

use super::infer::has_leading_zeros;
use super::records::{Block, Fault, Kind};
use crate::engine::assigned_text;
use crate::error::{Error, Result, SqlState};
use crate::values::decode::decode;
use crate::values::encode::{Zone, calendar};
use crate::values::pg_type::PgType as WireType;

const MICROS: i64 = 1_000_000;

/// A column of the table, and where its values come from.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) pg: PgType,
    pub(super) not_null: bool,
    pub(super) origin: Origin,
    /// The type was found from a part of the file, in which no number had leading zeros: one that has them is no
    /// number.
    pub(super) guessed: bool,
}

/// Where a column's values come from.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// The file's column of this number.
    File(usize),
    /// The name of a folder.
    Folder(Option<String>),
}

/// Columns of text files to columns of one table.
#[derive(Debug)]
pub(super) struct Converter {
    pub(super) table: String,
    pub(super) columns: Vec<Column>,
    pub(super) schema: SchemaRef,
    pub(super) zone: Zone,
}

impl Converter {
    /// The rows of a block that fit, and what is wrong with the others, in their order.
    pub(super) fn convert(&self, block: &mut Block) -> Result<(RecordBatch, Vec<Fault>)> {
        let mut faults = std::mem::take(&mut block.faults);
        let flawed: Vec<usize> = faults.iter().map(|fault| fault.row).collect();
        let mut arrays = Vec::with_capacity(self.columns.len());
        for (column, field) in self.columns.iter().zip(self.schema.fields()) {
            let values = Values { block, column, field, table: &self.table, flawed: &flawed };
            arrays.push(values.convert(self.zone, &mut faults)?);
        }
        // Stable: of several faults of a row the one of its first column stays in front.
        faults.sort_by_key(|fault| fault.row);
        faults.dedup_by_key(|fault| fault.row);
        let options = datafusion::arrow::array::RecordBatchOptions::new().with_row_count(Some(block.rows.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?;
        if faults.is_empty() {
            return Ok((batch, faults));
        }
        let mut keep = BooleanBuilder::with_capacity(block.rows.len());
        let mut next = faults.iter().map(|fault| fault.row).peekable();
        for row in 0..block.rows.len() {
            keep.append_value(next.next_if_eq(&row).is_none());
        }
        Ok((filter_record_batch(&batch, &keep.finish())?, faults))
    }
}

/// The values of one column in one block.
struct Values<'a> {
    block: &'a Block,
    column: &'a Column,
    field: &'a Field,
    table: &'a str,
    /// Rows that could not be split; in order.
    flawed: &'a [usize],
}

impl<'a> Values<'a> {
    fn convert(&self, zone: Zone, faults: &mut Vec<Fault>) -> Result<ArrayRef> {
        let guessed = self.column.guessed;
        match &self.column.pg {
            PgType::Text | PgType::Varchar(None) => self.text(faults, |_, _| None),
            PgType::Varchar(Some(_)) | PgType::Char(_) | PgType::Uuid => {
                let pg = &self.column.pg;
                self.text(faults, |_, text| Some(assigned_text(pg, text)))
            }
            PgType::Json | PgType::Jsonb => {
                let pg = &self.column.pg;
                // A string of a JSON file is a JSON string; a CSV value is the text of any JSON value.
                self.text(faults, |kind, text| match kind {
                    Kind::String => Some(assigned_text(pg, &serde_json::Value::String(text.to_owned()).to_string())),
                    _ => Some(assigned_text(pg, text)),
                })
            }
            PgType::Boolean => self.booleans(zone, faults),
            PgType::SmallInt => self.numbers::<Int16Type>(zone, faults, |text| {
                whole(text, guessed).and_then(|value| i16::try_from(value).ok())
            }),
            PgType::Integer => self.numbers::<Int32Type>(zone, faults, |text| {
                whole(text, guessed).and_then(|value| i32::try_from(value).ok())
            }),
            PgType::BigInt => self.numbers::<Int64Type>(zone, faults, |text| whole(text, guessed)),
            PgType::Real => self.numbers::<Float32Type>(zone, faults, |text| {
                double(text, guessed).and_then(|_| text.parse::<f32>().ok()).filter(|value| value.is_normal())
            }),
            PgType::Double => self.numbers::<Float64Type>(zone, faults, |text| double(text, guessed)),
            PgType::Numeric(p, s) => {
                let (precision, scale) = (*p, s.unsigned_abs());
                let limit = 10_i128.checked_pow(u32::from(precision)).unwrap_or(i128::MAX);
                self.numbers::<Decimal128Type>(zone, faults, |text| {
                    decimal(text, scale).filter(|value| -limit < *value && *value < limit)
                })
            }
            PgType::Date => self
                .numbers::<Date32Type>(zone, faults, |text| (text.len() == 10).then(|| day(text.as_bytes())).flatten()),
            PgType::Time => self.numbers::<Time64MicrosecondType>(zone, faults, |_| None),
            PgType::Timestamp => self.numbers::<TimestampMicrosecondType>(zone, faults, |text| {
                moment(text).filter(|(_, zone)| zone.is_empty()).map(|(micros, _)| micros)
            }),
            PgType::Timestamptz => self.numbers::<TimestampMicrosecondType>(zone, faults, |text| {
                let (micros, named) = moment(text)?;
                match named {
                    "" => {
                        let east = zone.east_at_local(micros.div_euclid(MICROS));
                        micros.checked_sub(i64::from(east) * MICROS)
                    }
                    "Z" | "+00" | "+00:00" => Some(micros),
                    _ => None,
                }
            }),
            PgType::Array(_) | PgType::Row(_) | PgType::Bytea => self.others(zone, faults),
        }
    }

    /// Calls `each` with every value, `None` for NULL; it answers with why a value does not fit.
    fn each(
        &self,
        faults: &mut Vec<Fault>,
        mut each: impl FnMut(Kind, Option<&str>) -> Result<(), Error>,
    ) -> Result<()> {
        let empty_is_null = !matches!(
            self.column.pg,
            PgType::Text | PgType::Varchar(_) | PgType::Char(_) | PgType::Json | PgType::Jsonb | PgType::Bytea
        );
        let mut flawed = self.flawed.iter().peekable();
        for row in 0..self.block.rows.len() {
            let (kind, text) = match &self.column.origin {
                Origin::File(index) => self.block.field(row, *index),
                Origin::Folder(Some(value)) => (Kind::Plain, value.as_str()),
                Origin::Folder(None) => (Kind::Null, ""),
            };
            let is_flawed = flawed.next_if(|flawed| **flawed == row).is_some();
            // An empty text in quotes is no number and no date, and there it means that there is none.
            let null = kind == Kind::Null || (empty_is_null && kind == Kind::Quoted && text.is_empty());
            let outcome = if !null {
                each(kind, Some(text))
            } else {
                each(kind, None)?;
                if self.column.not_null && !is_flawed {
                    let (column, table) = (&self.column.name, self.table);
                    let message = format!(
                        "null value in column \"{column}\" of relation \"{table}\" violates not-null constraint"
                    );
                    Err(Error::new(SqlState::NOT_NULL_VIOLATION, message))
                } else {
                    Ok(())
                }
            };
            if let Err(error) = outcome {
                if !null {
                    each(kind, None)?;
                }
                let value = (!null).then(|| text.to_owned());
                faults.push(Fault { row, column: Some(self.column.name.clone()), value, error });
            }
        }
        Ok(())
    }

    /// Text, as it is or as `check` makes it.
    fn text(&self, faults: &mut Vec<Fault>, check: impl Fn(Kind, &str) -> Option<Result<String>>) -> Result<ArrayRef> {
        let mut builder = StringViewBuilder::with_capacity(self.block.rows.len());
        self.each(faults, |kind, text| {
            match text {
                None => builder.append_null(),
                Some(text) if text.contains('\0') => {
                    let message = "invalid byte sequence for encoding \"UTF8\": 0x00";
                    return Err(Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message));
                }
                Some(text) => match check(kind, text) {
                    None => builder.append_value(text),
                    Some(checked) => builder.append_value(checked?),
                },
            }
            Ok(())
        })?;
        Ok(Arc::new(builder.finish()))
    }

    fn booleans(&self, zone: Zone, faults: &mut Vec<Fault>) -> Result<ArrayRef> {
        let mut builder = BooleanBuilder::with_capacity(self.block.rows.len());
        self.each(faults, |_, text| {
            match text {
                None => builder.append_null(),
                Some("true" | "t") => builder.append_value(true),
                Some("false" | "f") => builder.append_value(false),
                Some(text) => match self.scalar(text, zone)? {
                    ScalarValue::Boolean(value) => builder.append_option(value),
                    other => return Err(unexpected(&other)),
                },
            }
            Ok(())
        })?;
        Ok(Arc::new(builder.finish()))
    }

    /// Values of fixed width. `quick` reads the usual forms; what it does not know is read as PostgreSQL reads it.
    fn numbers<T: ArrowPrimitiveType>(
        &self,
        zone: Zone,
        faults: &mut Vec<Fault>,
        quick: impl Fn(&str) -> Option<T::Native>,
    ) -> Result<ArrayRef> {
        let data_type = self.field.data_type();
        let mut builder = PrimitiveBuilder::<T>::with_capacity(self.block.rows.len()).with_data_type(data_type.clone());
        self.each(faults, |_, text| {
            let Some(text) = text else {
                builder.append_null();
                return Ok(());
            };
            if let Some(value) = quick(text) {
                builder.append_value(value);
                return Ok(());
            }
            if self.column.guessed {
                self.refuse_code(text)?;
            }
            let value = self.scalar(text, zone)?.to_array()?;
            match value.as_any().downcast_ref::<datafusion::arrow::array::PrimitiveArray<T>>() {
                Some(value) => builder.append_value(value.value(0)),
                None => return Err(Error::internal(format!("a value of type {}", value.data_type()))),
            }
            Ok(())
        })?;
        Ok(Arc::new(builder.finish()))
    }

    /// A value of a numeric column that only looks like a number.
    fn refuse_code(&self, text: &str) -> Result<()> {
        let digits = text.trim_ascii();
        if digits.starts_with('+') || has_leading_zeros(digits.strip_prefix('-').unwrap_or(digits)) {
            let message =
                format!("\"{text}\" is not written as a number, unlike the values that the type was found by");
            let hint = format!("--column {}=text keeps the values as they are written", self.column.name);
            return Err(Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message).with_hint(hint));
        }
        Ok(())
    }

    /// One value as PostgreSQL reads it.
    fn scalar(&self, text: &str, zone: Zone) -> Result<ScalarValue> {
        let value = decode(Some(text.as_bytes()), false, WireType::of(self.field).oid, self.field, zone)?;
        let PgType::Numeric(precision, scale) = self.column.pg else { return Ok(value) };
        let target = DataType::Decimal128(precision, scale);
        let overflow = || {
            let below = i32::from(precision) - i32::from(scale);
            Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow").with_detail(format!(
                "A field with precision {precision}, scale {scale} must round to an absolute value less than 10^{below}."
            ))
        };
        match value.cast_to(&target) {
            Ok(ScalarValue::Decimal128(Some(value), ..)) => Ok(ScalarValue::Decimal128(Some(value), precision, scale)),
            _ => Err(overflow()),
        }
    }

    /// Arrays, rows and bytes.
    fn others(&self, zone: Zone, faults: &mut Vec<Fault>) -> Result<ArrayRef> {
        let null = ScalarValue::try_new_null(self.field.data_type())?;
        let mut values = Vec::with_capacity(self.block.rows.len());
        self.each(faults, |kind, text| {
            values.push(match text {
                None => null.clone(),
                Some(text) if kind == Kind::Nested => self.nested(text)?,
                Some(text) if matches!(self.column.pg, PgType::Row(_)) => {
                    let message = format!("\"{text}\" is not a JSON object");
                    return Err(Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message));
                }
                Some(text) => self.scalar(text, zone)?.cast_to(self.field.data_type())?,
            });
            Ok(())
        })?;
        if values.is_empty() {
            return Ok(datafusion::arrow::array::new_empty_array(self.field.data_type()));
        }
        Ok(ScalarValue::iter_to_array(values)?)
    }

    /// An array or object of JSON.
    fn nested(&self, text: &str) -> Result<ScalarValue> {
        let wrong = |e: String| {
            let message = format!("the nested value is not of type {}: {e}", self.column.pg);
            Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
                .with_hint(format!("--column {}=jsonb keeps values of any form", self.column.name))
        };
        let field = Field::new(&self.column.name, self.field.data_type().clone(), true);
        let reader = arrow_json::ReaderBuilder::new_with_field(field).with_strict_mode(true);
        let mut decoder = reader.build_decoder()?;
        decoder.decode(text.as_bytes()).map_err(|e| wrong(e.to_string()))?;
        let batch = decoder.flush().map_err(|e| wrong(e.to_string()))?;
        let batch = batch.ok_or_else(|| wrong("it is empty".to_owned()))?;
        Ok(ScalarValue::try_from_array(batch.column(0), 0)?)
    }
}

fn unexpected(value: &ScalarValue) -> Error {
    Error::internal(format!("a value of type {}", value.data_type()))
}

/// An integer; with `strict` not one with leading zeros.
fn whole(text: &str, strict: bool) -> Option<i64> {
    let bytes = text.as_bytes();
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        _ => (false, bytes),
    };
    // Eighteen digits always fit.
    if digits.is_empty() || digits.len() > 18 || (strict && digits.len() > 1 && digits[0] == b'0') {
        return None;
    }
    let mut value = 0_i64;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    Some(if negative { -value } else { value })
}

fn double(text: &str, strict: bool) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.as_bytes().first()?.is_ascii_digit() || (strict && has_leading_zeros(digits)) {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    (value.is_normal() || (value == 0.0 && digits.len() <= 3)).then_some(value)
}

/// A decimal of few digits, rounded to `scale` digits after the point as PostgreSQL does.
fn decimal(text: &str, scale: u8) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.is_empty() || digits.len() > 30 || scale > 30 {
        return None;
    }
    let (mut value, mut after, mut point, mut round_up, mut found) = (0_i128, 0_u8, false, None, false);
    for byte in digits.bytes() {
        match byte {
            b'.' if !point => point = true,
            b'0'..=b'9' => {
                found = true;
                if point && after == scale {
                    round_up.get_or_insert(byte >= b'5');
                } else {
                    value = value.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
                    after += u8::from(point);
                }
            }
            _ => return None,
        }
    }
    if !found {
        return None;
    }
    value = value.checked_mul(10_i128.checked_pow(u32::from(scale - after))?)?;
    value += i128::from(round_up == Some(true));
    Some(if negative { -value } else { value })
}

/// `YYYY-MM-DD` as days since 1970.
fn day(bytes: &[u8]) -> Option<i32> {
    let [a, b, c, d, b'-', e, f, b'-', g, h] = *bytes.first_chunk::<10>()? else { return None };
    if ![a, b, c, d, e, f, g, h].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let two = |a: u8, b: u8| u32::from(a - b'0') * 10 + u32::from(b - b'0');
    let (year, month, day) = (i64::from(two(a, b) * 100 + two(c, d)), two(e, f), two(g, h));
    if year == 0 || day == 0 || day > calendar::days_in_month(year, month) {
        return None;
    }
    i32::try_from(calendar::days(year, month, day)).ok()
}

/// `YYYY-MM-DD HH:MM:SS[.ffffff]` in microseconds since 1970, and the zone that follows.
fn moment(text: &str) -> Option<(i64, &str)> {
    let bytes = text.as_bytes();
    let day = day(bytes)?;
    let [b' ' | b'T', h, i, b':', m, n, b':', s, t] = *bytes.get(10..19)? else { return None };
    if ![h, i, m, n, s, t].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let two = |a: u8, b: u8| i64::from(a - b'0') * 10 + i64::from(b - b'0');
    let (hours, minutes, seconds) = (two(h, i), two(m, n), two(s, t));
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let mut micros = ((i64::from(day) * 24 + hours) * 60 + minutes) * 60 * MICROS + seconds * MICROS;
    let mut at = 19;
    if bytes.get(at) == Some(&b'.') {
        let mut unit = MICROS / 10;
        at += 1;
        while let Some(digit) = bytes.get(at).filter(|byte| byte.is_ascii_digit()) {
            // More digits than are kept are rounded, which is not for here.
            if unit == 0 {
                return None;
            }
            micros += i64::from(digit - b'0') * unit;
            unit /= 10;
            at += 1;
        }
    }
    text.get(at..).map(|zone| (micros, zone))
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::Schema;
    use datafusion::arrow::util::display::array_value_to_string;

    use super::super::csv::CsvSplitter;
    use super::super::records::Splitter;
    use super::*;

    /// The values of a column of CSV, and the faults.
    fn converted(pg: &str, guessed: bool, text: &str) -> (Vec<String>, Vec<String>) {
        let pg: PgType = pg.parse().unwrap();
        let schema = Arc::new(Schema::new(vec![pg.field("c", true)]));
        let column = Column { name: "c".into(), pg, not_null: false, origin: Origin::File(0), guessed };
        let converter = Converter { table: "t".into(), columns: vec![column], schema, zone: Zone::utc() };
        let mut block = Block::default();
        let mut splitter = CsvSplitter::new(b';', "NULL".into(), vec!["c".into()]);
        splitter.split(text, true, &mut block);
        block.text = text.to_owned();
        let (batch, faults) = converter.convert(&mut block).unwrap();
        let values = (0..batch.num_rows()).map(|row| array_value_to_string(batch.column(0), row).unwrap()).collect();
        let _ = Splitter::Csv(splitter);
        (values, faults.into_iter().map(|fault| format!("{}: {}", fault.row, fault.error)).collect())
    }

    fn values(pg: &str, text: &str) -> Vec<String> {
        let (values, faults) = converted(pg, false, text);
        assert_eq!(faults, Vec::<String>::new(), "{pg}: {text}");
        values
    }

    #[test]
    fn values_are_read_as_postgresql_reads_them() {
        assert_eq!(
            values("bigint", "007\n -5 \n9223372036854775807\nNULL\n\"\""),
            ["7", "-5", "9223372036854775807", "", ""]
        );
        assert_eq!(
            values("numeric(6,2)", "1.005\n-0.004\n1e2\n9999.99\n.5"),
            ["1.01", "0.00", "100.00", "9999.99", "0.50"]
        );
        assert_eq!(
            values("double precision", "1.5\n-1e400x\n".replace("-1e400x", "-1e10").as_str()),
            ["1.5", "-10000000000.0"]
        );
        assert_eq!(values("date", "2024-02-29\n20240301"), ["2024-02-29", "2024-03-01"]);
        assert_eq!(values("boolean", "true\nf\nYES\n0"), ["true", "false", "true", "false"]);
        assert_eq!(
            values("timestamp with time zone", "2024-01-01T00:00:00Z\n2024-01-01 00:00:00.5+02\n2024-01-01"),
            ["2024-01-01T00:00:00Z", "2023-12-31T22:00:00.500Z", "2024-01-01T00:00:00Z"]
        );
        assert_eq!(
            values("timestamp without time zone", "2024-01-01 10:20:30.1234567"),
            ["2024-01-01T10:20:30.123457"]
        );
        assert_eq!(values("text", "\"\"\nNULL\n\"NULL\""), ["", "", "NULL"]);
        assert_eq!(values("character(3)", "ab"), ["ab "]);
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_told() {
        let (kept, faults) = converted("integer", false, "1\nx\n3\n3000000000\n5");
        assert_eq!(kept, ["1", "3", "5"]);
        assert_eq!(
            faults,
            [
                "1: invalid input syntax for type integer: \"x\"",
                "3: value \"3000000000\" is out of range for type integer"
            ]
        );
        assert_eq!(converted("numeric(4,2)", false, "99.995").1, ["0: numeric field overflow"]);
        assert_eq!(
            converted("character varying(2)", false, "abc").1,
            ["0: value too long for type character varying(2)"]
        );
        assert_eq!(converted("date", false, "2024-02-30").1.len(), 1);
        assert_eq!(converted("double precision", false, "1e999").1.len(), 1);
    }

    #[test]
    fn codes_are_not_taken_for_numbers() {
        assert_eq!(converted("bigint", true, "75001\n01234").1.len(), 1);
        assert_eq!(converted("double precision", true, "0.5\n00.5\n+1").1.len(), 2);
        assert_eq!(converted("bigint", true, "0\n-0\n10").1.len(), 0);
    }
}
