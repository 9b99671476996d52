//! From an Arrow array to its noun: the one place that looks at Arrow's types, once per column and batch.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType, Float16Type,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalDayTimeType, IntervalMonthDayNanoType,
    IntervalUnit, IntervalYearMonthType, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimeUnit, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use super::boolean::{Booleans, Nulls};
use super::bytea::{Byteas, Runs};
use super::date::{Dates, Days};
use super::float::{doubles, reals};
use super::integer::integers;
use super::interval::{Intervals, Spans};
use super::json::{Maps, Unions};
use super::numeric::numerics;
use super::record::{Member, Records};
use super::string::strings;
use super::time::times;
use super::timestamp::timestamps;
use super::uuid::Uuids;
use super::{Formatting, Values, array as lists, indirect};
use crate::error::{Error, Result};
use crate::values::pg_type::{PgType, oid};

/// The values of `array`, shown as `pg`.
pub(super) fn values(array: &ArrayRef, pg: PgType, formatting: &Formatting) -> Result<Box<dyn Values>> {
    Ok(match array.data_type() {
        DataType::Null => Box::new(Nulls),
        DataType::Boolean => Box::new(Booleans(array.as_boolean().clone())),
        DataType::Int8 => integers::<Int8Type>(array, pg),
        DataType::Int16 => integers::<Int16Type>(array, pg),
        DataType::Int32 => integers::<Int32Type>(array, pg),
        DataType::Int64 => integers::<Int64Type>(array, pg),
        DataType::UInt8 => integers::<UInt8Type>(array, pg),
        DataType::UInt16 => integers::<UInt16Type>(array, pg),
        DataType::UInt32 => integers::<UInt32Type>(array, pg),
        DataType::UInt64 => numerics::<UInt64Type>(array, 0),
        DataType::Float16 => reals::<Float16Type>(array, formatting),
        DataType::Float32 => reals::<Float32Type>(array, formatting),
        DataType::Float64 => doubles::<Float64Type>(array, formatting),
        DataType::Decimal32(_, scale) => numerics::<Decimal32Type>(array, *scale),
        DataType::Decimal64(_, scale) => numerics::<Decimal64Type>(array, *scale),
        DataType::Decimal128(_, scale) => numerics::<Decimal128Type>(array, *scale),
        DataType::Decimal256(_, scale) => numerics::<Decimal256Type>(array, *scale),
        DataType::Utf8 => strings(array.as_string::<i32>().clone(), pg),
        DataType::LargeUtf8 => strings(array.as_string::<i64>().clone(), pg),
        DataType::Utf8View => strings(array.as_string_view().clone(), pg),
        DataType::Binary => byteas(array.as_binary::<i32>().clone(), formatting),
        DataType::LargeBinary => byteas(array.as_binary::<i64>().clone(), formatting),
        DataType::BinaryView => byteas(array.as_binary_view().clone(), formatting),
        DataType::FixedSizeBinary(_) if pg.oid == oid::UUID => Box::new(Uuids(array.as_fixed_size_binary().clone())),
        DataType::FixedSizeBinary(_) => byteas(array.as_fixed_size_binary().clone(), formatting),
        DataType::Date32 => dates(Days::Days(array.as_primitive::<Date32Type>().clone()), formatting),
        DataType::Date64 => dates(Days::Millis(array.as_primitive::<Date64Type>().clone()), formatting),
        DataType::Time32(unit) => match unit {
            TimeUnit::Second => times::<Time32SecondType>(array, *unit),
            _ => times::<Time32MillisecondType>(array, *unit),
        },
        DataType::Time64(unit) => match unit {
            TimeUnit::Nanosecond => times::<Time64NanosecondType>(array, *unit),
            _ => times::<Time64MicrosecondType>(array, *unit),
        },
        DataType::Timestamp(unit, zone) => timestamps(array, *unit, zone.is_some(), formatting),
        DataType::Interval(IntervalUnit::YearMonth) => {
            intervals(Spans::Months(array.as_primitive::<IntervalYearMonthType>().clone()), formatting)
        }
        DataType::Interval(IntervalUnit::DayTime) => {
            intervals(Spans::Days(array.as_primitive::<IntervalDayTimeType>().clone()), formatting)
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            intervals(Spans::Calendar(array.as_primitive::<IntervalMonthDayNanoType>().clone()), formatting)
        }
        DataType::Duration(unit) => {
            let spans = match unit {
                TimeUnit::Second => Spans::elapsed::<DurationSecondType>(array, *unit),
                TimeUnit::Millisecond => Spans::elapsed::<DurationMillisecondType>(array, *unit),
                TimeUnit::Microsecond => Spans::elapsed::<DurationMicrosecondType>(array, *unit),
                TimeUnit::Nanosecond => Spans::elapsed::<DurationNanosecondType>(array, *unit),
            };
            intervals(spans, formatting)
        }
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::FixedSizeList(_, _)
        | DataType::ListView(_)
        | DataType::LargeListView(_) => lists::arrays(array, pg, formatting)?,
        DataType::Struct(_) => records(array, formatting)?,
        DataType::Map(_, _) => maps(array, formatting)?,
        DataType::Union(_, _) => unions(array, formatting)?,
        DataType::Dictionary(_, _) | DataType::RunEndEncoded(_, _) => indirect::indirect(array, pg, formatting)?,
    })
}

fn byteas<A: Runs + 'static>(array: A, formatting: &Formatting) -> Box<dyn Values> {
    Box::new(Byteas { array, output: formatting.bytea_output })
}

fn dates(days: Days, formatting: &Formatting) -> Box<dyn Values> {
    Box::new(Dates { days, formatting: *formatting })
}

fn intervals(spans: Spans, formatting: &Formatting) -> Box<dyn Values> {
    Box::new(Intervals { spans, style: formatting.interval_style })
}

fn records(array: &ArrayRef, formatting: &Formatting) -> Result<Box<dyn Values>> {
    let array = array.as_struct().clone();
    let members = array
        .fields()
        .iter()
        .zip(array.columns())
        .map(|(field, column)| {
            let pg = PgType::of(field);
            Ok(Member { name: field.name().clone(), oid: pg.oid, values: values(column, pg, formatting)? })
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Box::new(Records { array, members }))
}

fn maps(array: &ArrayRef, formatting: &Formatting) -> Result<Box<dyn Values>> {
    let array = array.as_map().clone();
    let (key_field, value_field) = array.entries_fields();
    let keys = values(array.keys(), PgType::of(key_field), formatting)?;
    let values = values(array.values(), PgType::of(value_field), formatting)?;
    Ok(Box::new(Maps { array, keys, values }))
}

fn unions(array: &ArrayRef, formatting: &Formatting) -> Result<Box<dyn Values>> {
    let array = array.as_union().clone();
    let mut variants = Vec::new();
    for (id, field) in array.fields().iter() {
        let place = usize::try_from(id).map_err(|_| Error::unsupported("a union with a negative type id"))?;
        if variants.len() <= place {
            variants.resize_with(place + 1, || None);
        }
        variants[place] = Some(values(array.child(id), PgType::of(field), formatting)?);
    }
    Ok(Box::new(Unions { array, variants }))
}
