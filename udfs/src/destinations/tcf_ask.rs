//! Yes or no questions to TC strings. Consent that can't be read was not given: the answer is never NULL, so that
//! `NOT` of it finds all whom a purpose may not be served.

use std::sync::Arc;

use datafusion_common::arrow::array::{Array, AsArray, BooleanArray};
use datafusion_common::arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::tc_string::TcString;
use crate::InvalidArgument;
use crate::rows::evaluate;

/// A number that is asked for: what it is, and the largest there is.
pub(super) struct Number(pub(super) &'static str, pub(super) i64);

/// The vendors that the format has room for.
pub(super) const VENDOR: Number = Number("vendor", 65_535);

/// The types of a string and from `least` to all of `numbers`.
///
/// # Errors
/// If there are others.
pub(super) fn coerced(function: &str, types: &[DataType], least: usize, numbers: &[Number]) -> Result<Vec<DataType>> {
    let names = || numbers.iter().map(|number| number.0).collect::<Vec<_>>().join(" and a ");
    match types.split_first() {
        Some((text, asked)) if (least..=numbers.len()).contains(&asked.len()) => {
            if !text.is_string() && !text.is_null() {
                return plan_err!("{function} takes a TC string as text, not as {text}");
            }
            if let Some(other) = asked.iter().find(|given| !given.is_integer() && !given.is_null()) {
                return plan_err!("{function} takes a {} as integers, not as {other}", names());
            }
            Ok([DataType::Utf8].into_iter().chain(asked.iter().map(|_| DataType::Int64)).collect())
        }
        _ => plan_err!("{function} takes a TC string and a {}", names()),
    }
}

/// The answer for each row. NULL in any argument, and a string that can't be read: false.
///
/// # Errors
/// [`InvalidArgument`] for a number that can't be.
pub(super) fn answered(
    function: &str,
    args: &ScalarFunctionArgs,
    numbers: &[Number],
    answer: impl Fn(&TcString, &[i64]) -> bool,
) -> Result<ColumnarValue> {
    evaluate(args, |columns| {
        let Some((texts, asked)) = columns.split_first() else {
            return plan_err!("{function} takes a TC string");
        };
        let texts = texts.as_string::<i32>();
        let asked: Vec<_> = asked.iter().map(|array| array.as_primitive::<Int64Type>()).collect();
        let mut of_row = Vec::with_capacity(asked.len());
        let mut answers = Vec::with_capacity(texts.len());
        for row in 0..texts.len() {
            of_row.clear();
            for (array, Number(what, last)) in asked.iter().zip(numbers).filter(|(array, _)| array.is_valid(row)) {
                let number = array.value(row);
                if !(1..=*last).contains(&number) {
                    let message = format!("{function}: there is no {what} {number}, they go from 1 to {last}");
                    return Err(InvalidArgument::error(message));
                }
                of_row.push(number);
            }
            let known = of_row.len() == asked.len() && texts.is_valid(row);
            answers.push(known && TcString::read(texts.value(row)).is_some_and(|tc| answer(&tc, &of_row)));
        }
        Ok(Arc::new(BooleanArray::from(answers)))
    })
}

/// A number that [`answered`] has found within its range.
pub(super) fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

/// The same of a vendor.
pub(super) fn vendor(number: i64) -> u16 {
    u16::try_from(number).unwrap_or_default()
}
