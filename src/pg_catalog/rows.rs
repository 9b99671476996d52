//! Rows of a catalog as they are put together: values by column name, kept only for the columns that are wanted.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanBuilder, Float32Builder, Float64Builder, Int16Builder, Int32Builder, Int64Builder, ListBuilder,
    RecordBatch, RecordBatchOptions, StringViewBuilder, TimestampMicrosecondBuilder,
};
use datafusion::arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use datafusion::common::{Result, internal_datafusion_err, internal_err};

/// One value of a catalog.
#[derive(Debug, Clone)]
pub(crate) enum Datum<'a> {
    /// NULL.
    Null,
    /// `boolean`
    Bool(bool),
    /// Any integer, object identifier, or microseconds of a time stamp.
    Int(i64),
    /// `real`, `double precision`
    Float(f64),
    /// `text`, `name`, `"char"`
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Datum<'a>>),
}

impl<'a> Datum<'a> {
    /// Integers as an array.
    pub(crate) fn ints(values: impl IntoIterator<Item = i64>) -> Self {
        Self::List(values.into_iter().map(Datum::Int).collect())
    }

    /// Texts as an array; NULL if there are none.
    pub(crate) fn texts(values: impl IntoIterator<Item = String>) -> Self {
        let values: Vec<_> = values.into_iter().map(Datum::from).collect();
        if values.is_empty() { Self::Null } else { Self::List(values) }
    }
}

impl From<bool> for Datum<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl<'a> From<&'a str> for Datum<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl From<String> for Datum<'_> {
    fn from(value: String) -> Self {
        Self::Text(Cow::Owned(value))
    }
}

impl From<u32> for Datum<'_> {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

impl From<i64> for Datum<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for Datum<'_> {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl<'a, T: Into<Datum<'a>>> From<Option<T>> for Datum<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Rows of one catalog.
pub(crate) struct Rows {
    /// All columns of the catalog.
    schema: SchemaRef,
    /// The wanted ones, in the order in which they are wanted.
    wanted: Vec<(usize, Builder)>,
    count: usize,
}

/// Puts rows in whose values stand in a fixed order of columns.
pub(crate) struct Writer<'r, const N: usize> {
    rows: &'r mut Rows,
    /// For each wanted column the place of its value in a row.
    places: Vec<Option<usize>>,
}

impl Rows {
    pub(crate) fn new(schema: &SchemaRef, projection: Option<&Vec<usize>>) -> Result<Self> {
        let all: Vec<usize>;
        let projection = match projection {
            Some(projection) => projection,
            None => {
                all = (0..schema.fields().len()).collect();
                &all
            }
        };
        let wanted = projection.iter().map(|&i| Ok((i, Builder::of(schema.field(i).data_type())?)));
        Ok(Self { schema: Arc::clone(schema), wanted: wanted.collect::<Result<_>>()?, count: 0 })
    }

    /// A writer of rows that name these columns; the others are NULL, or empty where NULL is not allowed.
    pub(crate) fn columns<const N: usize>(&mut self, names: [&str; N]) -> Result<Writer<'_, N>> {
        let mut indices = Vec::with_capacity(N);
        for name in names {
            indices.push(self.schema.index_of(name).map_err(|e| internal_datafusion_err!("{e}"))?);
        }
        let places = self.wanted.iter().map(|(column, _)| indices.iter().position(|i| i == column)).collect();
        Ok(Writer { rows: self, places })
    }

    /// Adds a row that has a value for every column of the catalog.
    pub(crate) fn push_whole(&mut self, row: &[Datum<'_>]) -> Result<()> {
        for (column, builder) in &mut self.wanted {
            let value = row.get(*column).ok_or_else(|| internal_datafusion_err!("a catalog row is too short"))?;
            builder.push(value, self.schema.field(*column))?;
        }
        self.count += 1;
        Ok(())
    }

    /// The wanted columns as a batch.
    pub(crate) fn finish(self) -> Result<RecordBatch> {
        let fields: Vec<FieldRef> = self.wanted.iter().map(|(i, _)| Arc::clone(&self.schema.fields()[*i])).collect();
        let mut columns = Vec::with_capacity(fields.len());
        for ((_, builder), field) in self.wanted.into_iter().zip(&fields) {
            columns.push(builder.finish(field.data_type())?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.count));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
    }
}

impl<const N: usize> Writer<'_, N> {
    /// Adds a row.
    pub(crate) fn push(&mut self, row: [Datum<'_>; N]) -> Result<()> {
        for ((column, builder), place) in self.rows.wanted.iter_mut().zip(&self.places) {
            let field = self.rows.schema.field(*column);
            match place {
                Some(place) => builder.push(&row[*place], field)?,
                None if field.is_nullable() => builder.push(&Datum::Null, field)?,
                None => builder.push_empty(field)?,
            }
        }
        self.rows.count += 1;
        Ok(())
    }
}

/// An Arrow builder of one of the types that catalogs have.
enum Builder {
    Bool(BooleanBuilder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Text(StringViewBuilder),
    Micros(TimestampMicrosecondBuilder),
    Int16s(ListBuilder<Int16Builder>),
    Int32s(ListBuilder<Int32Builder>),
    Int64s(ListBuilder<Int64Builder>),
    Float32s(ListBuilder<Float32Builder>),
    Texts(ListBuilder<StringViewBuilder>),
}

impl Builder {
    fn of(data_type: &DataType) -> Result<Self> {
        Ok(match data_type {
            DataType::Boolean => Self::Bool(BooleanBuilder::new()),
            DataType::Int16 => Self::Int16(Int16Builder::new()),
            DataType::Int32 => Self::Int32(Int32Builder::new()),
            DataType::Int64 => Self::Int64(Int64Builder::new()),
            DataType::Float32 => Self::Float32(Float32Builder::new()),
            DataType::Float64 => Self::Float64(Float64Builder::new()),
            DataType::Utf8View => Self::Text(StringViewBuilder::new()),
            DataType::Timestamp(..) => {
                Self::Micros(TimestampMicrosecondBuilder::new().with_data_type(data_type.clone()))
            }
            DataType::List(item) => match item.data_type() {
                DataType::Int16 => Self::Int16s(ListBuilder::new(Int16Builder::new()).with_field(Arc::clone(item))),
                DataType::Int32 => Self::Int32s(ListBuilder::new(Int32Builder::new()).with_field(Arc::clone(item))),
                DataType::Int64 => Self::Int64s(ListBuilder::new(Int64Builder::new()).with_field(Arc::clone(item))),
                DataType::Float32 => {
                    Self::Float32s(ListBuilder::new(Float32Builder::new()).with_field(Arc::clone(item)))
                }
                DataType::Utf8View => {
                    Self::Texts(ListBuilder::new(StringViewBuilder::new()).with_field(Arc::clone(item)))
                }
                other => return internal_err!("no catalog has arrays of {other}"),
            },
            other => return internal_err!("no catalog has a column of {other}"),
        })
    }

    fn push_empty(&mut self, field: &datafusion::arrow::datatypes::Field) -> Result<()> {
        let empty = match self {
            Self::Bool(_) => Datum::Bool(false),
            Self::Float32(_) | Self::Float64(_) => Datum::Float(0.0),
            Self::Text(_) => Datum::Text(Cow::Borrowed("")),
            Self::Int16s(_) | Self::Int32s(_) | Self::Int64s(_) | Self::Float32s(_) | Self::Texts(_) => {
                Datum::List(Vec::new())
            }
            _ => Datum::Int(0),
        };
        self.push(&empty, field)
    }

    fn push(&mut self, value: &Datum<'_>, field: &datafusion::arrow::datatypes::Field) -> Result<()> {
        let wrong = || internal_datafusion_err!("{value:?} is no value of catalog column \"{}\"", field.name());
        match (self, value) {
            (Self::Bool(b), Datum::Bool(v)) => b.append_value(*v),
            (Self::Bool(b), Datum::Null) => b.append_null(),
            (Self::Int16(b), Datum::Int(v)) => b.append_value(i16::try_from(*v).map_err(|_| wrong())?),
            (Self::Int16(b), Datum::Null) => b.append_null(),
            (Self::Int32(b), Datum::Int(v)) => b.append_value(i32::try_from(*v).map_err(|_| wrong())?),
            (Self::Int32(b), Datum::Null) => b.append_null(),
            (Self::Int64(b), Datum::Int(v)) => b.append_value(*v),
            (Self::Int64(b), Datum::Null) => b.append_null(),
            (Self::Float32(b), Datum::Float(v)) => b.append_value(*v as f32),
            (Self::Float32(b), Datum::Null) => b.append_null(),
            (Self::Float64(b), Datum::Float(v)) => b.append_value(*v),
            (Self::Float64(b), Datum::Null) => b.append_null(),
            (Self::Text(b), Datum::Text(v)) => b.append_value(v),
            (Self::Text(b), Datum::Null) => b.append_null(),
            (Self::Micros(b), Datum::Int(v)) => b.append_value(*v),
            (Self::Micros(b), Datum::Null) => b.append_null(),
            (Self::Int16s(b), Datum::List(values)) => {
                for value in values {
                    b.values().append_option(int(value).map(i16::try_from).transpose().map_err(|_| wrong())?);
                }
                b.append(true);
            }
            (Self::Int32s(b), Datum::List(values)) => {
                for value in values {
                    b.values().append_option(int(value).map(i32::try_from).transpose().map_err(|_| wrong())?);
                }
                b.append(true);
            }
            (Self::Int64s(b), Datum::List(values)) => {
                values.iter().for_each(|value| b.values().append_option(int(value)));
                b.append(true);
            }
            (Self::Float32s(b), Datum::List(values)) => {
                for value in values {
                    b.values().append_option(if let Datum::Float(v) = value { Some(*v as f32) } else { None });
                }
                b.append(true);
            }
            (Self::Texts(b), Datum::List(values)) => {
                for value in values {
                    b.values().append_option(if let Datum::Text(v) = value { Some(v.as_ref()) } else { None });
                }
                b.append(true);
            }
            (Self::Int16s(b), Datum::Null) => b.append_null(),
            (Self::Int32s(b), Datum::Null) => b.append_null(),
            (Self::Int64s(b), Datum::Null) => b.append_null(),
            (Self::Float32s(b), Datum::Null) => b.append_null(),
            (Self::Texts(b), Datum::Null) => b.append_null(),
            _ => return Err(wrong()),
        }
        Ok(())
    }

    fn finish(self, data_type: &DataType) -> Result<ArrayRef> {
        let array: ArrayRef = match self {
            Self::Bool(mut b) => Arc::new(b.finish()),
            Self::Int16(mut b) => Arc::new(b.finish()),
            Self::Int32(mut b) => Arc::new(b.finish()),
            Self::Int64(mut b) => Arc::new(b.finish()),
            Self::Float32(mut b) => Arc::new(b.finish()),
            Self::Float64(mut b) => Arc::new(b.finish()),
            Self::Text(mut b) => Arc::new(b.finish()),
            Self::Micros(mut b) => Arc::new(b.finish()),
            Self::Int16s(mut b) => Arc::new(b.finish()),
            Self::Int32s(mut b) => Arc::new(b.finish()),
            Self::Int64s(mut b) => Arc::new(b.finish()),
            Self::Float32s(mut b) => Arc::new(b.finish()),
            Self::Texts(mut b) => Arc::new(b.finish()),
        };
        if array.data_type() != data_type {
            return internal_err!("a catalog column of {data_type} came out as {}", array.data_type());
        }
        Ok(array)
    }
}

fn int(value: &Datum<'_>) -> Option<i64> {
    if let Datum::Int(v) = value { Some(*v) } else { None }
}
