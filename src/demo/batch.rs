//! Rows on their way into a record batch, a value at a time.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, Int32Builder, Int64Builder, RecordBatch,
    StringViewBuilder, TimestampMicrosecondBuilder,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::arrow::error::ArrowError;

/// The types that the demo's columns have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    Integer,
    BigInt,
    Boolean,
    Date,
    Timestamptz,
    /// `numeric(n,2)`
    Money(u8),
}

impl Kind {
    fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8View,
            Self::Integer => DataType::Int32,
            Self::BigInt => DataType::Int64,
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Money(digits) => DataType::Decimal128(digits, 2),
        }
    }
}

/// A value of a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Null,
    Text(&'a str),
    Integer(i32),
    BigInt(i64),
    Boolean(bool),
    /// Days since 1970.
    Date(i32),
    /// Microseconds since 1970.
    Moment(i64),
    Cents(i64),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Columns under construction.
pub(super) struct Batch {
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
}

enum Column {
    Text(StringViewBuilder),
    Integer(Int32Builder),
    BigInt(Int64Builder),
    Boolean(BooleanBuilder),
    Date(Date32Builder),
    Moment(TimestampMicrosecondBuilder),
    Cents(Decimal128Builder),
}

/// The Arrow schema of columns of these names.
pub(super) fn schema(columns: &[(&str, Kind)]) -> SchemaRef {
    let fields = columns.iter().map(|(name, kind)| Field::new(*name, kind.arrow(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

impl Batch {
    pub(super) fn new(columns: &[(&str, Kind)]) -> Result<Self, ArrowError> {
        let column = |(_, kind): &(&str, Kind)| {
            Ok(match kind {
                Kind::Text => Column::Text(StringViewBuilder::new()),
                Kind::Integer => Column::Integer(Int32Builder::new()),
                Kind::BigInt => Column::BigInt(Int64Builder::new()),
                Kind::Boolean => Column::Boolean(BooleanBuilder::new()),
                Kind::Date => Column::Date(Date32Builder::new()),
                Kind::Timestamptz => Column::Moment(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
                Kind::Money(digits) => Column::Cents(Decimal128Builder::new().with_precision_and_scale(*digits, 2)?),
            })
        };
        let builders = columns.iter().map(column).collect::<Result<_, ArrowError>>()?;
        Ok(Self { schema: schema(columns), columns: builders, rows: 0 })
    }

    /// Adds a row, whose values are in the order of the columns.
    pub(super) fn push<const N: usize>(&mut self, row: [Value<'_>; N]) -> Result<(), ArrowError> {
        if N != self.columns.len() {
            return Err(ArrowError::InvalidArgumentError(format!("{N} values for {} columns", self.columns.len())));
        }
        for (column, value) in self.columns.iter_mut().zip(row) {
            column.append(value)?;
        }
        self.rows += 1;
        Ok(())
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Takes the rows out.
    pub(super) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        self.rows = 0;
        RecordBatch::try_new(Arc::clone(&self.schema), self.columns.iter_mut().map(Column::finish).collect())
    }
}

impl Column {
    fn append(&mut self, value: Value<'_>) -> Result<(), ArrowError> {
        match (self, value) {
            (Self::Text(column), Value::Text(text)) => column.append_value(text),
            (Self::Text(column), Value::Null) => column.append_null(),
            (Self::Integer(column), Value::Integer(number)) => column.append_value(number),
            (Self::Integer(column), Value::Null) => column.append_null(),
            (Self::BigInt(column), Value::BigInt(number)) => column.append_value(number),
            (Self::BigInt(column), Value::Null) => column.append_null(),
            (Self::Boolean(column), Value::Boolean(flag)) => column.append_value(flag),
            (Self::Boolean(column), Value::Null) => column.append_null(),
            (Self::Date(column), Value::Date(day)) => column.append_value(day),
            (Self::Date(column), Value::Null) => column.append_null(),
            (Self::Moment(column), Value::Moment(at)) => column.append_value(at),
            (Self::Moment(column), Value::Null) => column.append_null(),
            (Self::Cents(column), Value::Cents(cents)) => column.append_value(i128::from(cents)),
            (Self::Cents(column), Value::Null) => column.append_null(),
            (_, value) => {
                return Err(ArrowError::InvalidArgumentError(format!("{value:?} is of another type than its column")));
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(column) => Arc::new(column.finish()),
            Self::Integer(column) => Arc::new(column.finish()),
            Self::BigInt(column) => Arc::new(column.finish()),
            Self::Boolean(column) => Arc::new(column.finish()),
            Self::Date(column) => Arc::new(column.finish()),
            Self::Moment(column) => Arc::new(column.finish()),
            Self::Cents(column) => Arc::new(column.finish()),
        }
    }
}
