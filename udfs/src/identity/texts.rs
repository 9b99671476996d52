//! What functions of texts have in common: the types of their arguments, and texts that become others row by row.

use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};

/// Text for each of the arguments.
///
/// # Errors
/// If there are more or fewer arguments, or one is not text.
pub(super) fn text_types(function: &str, types: &[DataType], least: usize, most: usize) -> Result<Vec<DataType>> {
    if !(least..=most).contains(&types.len()) {
        let number = if least == most { least.to_string() } else { format!("from {least} to {most}") };
        return plan_err!("{function} takes {number} arguments, not {}", types.len());
    }
    if let Some(other) = types.iter().find(|given| !is_text(given)) {
        return plan_err!("{function} takes text, not {other}");
    }
    Ok(vec![DataType::Utf8View; types.len()])
}

fn is_text(given: &DataType) -> bool {
    match given {
        DataType::Dictionary(_, value) => is_text(value),
        other => other.is_string() || other.is_null(),
    }
}

/// The text that `of` appends for each row, NULL where it says so.
pub(super) fn rewritten(texts: &ArrayRef, mut of: impl FnMut(&str, &mut String) -> bool) -> ArrayRef {
    let texts = texts.as_string_view();
    let mut result = StringBuilder::with_capacity(texts.len(), texts.len() * 8);
    let mut text = String::new();
    for given in texts {
        text.clear();
        match given {
            Some(given) if of(given, &mut text) => result.append_value(&text),
            _ => result.append_null(),
        }
    }
    Arc::new(result.finish())
}

/// A function of one text that gives a text: what it appends for a text that is not NULL, and its names as [`named`]
/// takes them.
///
/// [`named`]: crate::named::named
macro_rules! text_function {
    ($function:ident, $of:expr, $($names:tt)+) => {
        impl datafusion_expr::ScalarUDFImpl for $function {
            crate::named::named!($($names)+);

            fn return_type(
                &self,
                _: &[datafusion_common::arrow::datatypes::DataType],
            ) -> datafusion_common::Result<datafusion_common::arrow::datatypes::DataType> {
                Ok(datafusion_common::arrow::datatypes::DataType::Utf8)
            }

            fn coerce_types(
                &self,
                types: &[datafusion_common::arrow::datatypes::DataType],
            ) -> datafusion_common::Result<Vec<datafusion_common::arrow::datatypes::DataType>> {
                super::texts::text_types(self.name(), types, 1, 1)
            }

            fn is_strict(&self) -> bool {
                true
            }

            fn invoke_with_args(
                &self,
                args: datafusion_expr::ScalarFunctionArgs,
            ) -> datafusion_common::Result<datafusion_expr::ColumnarValue> {
                crate::rows::evaluate(&args, |columns| match columns {
                    [texts] => Ok(super::texts::rewritten(texts, $of)),
                    _ => datafusion_common::plan_err!("{} takes a text", self.name()),
                })
            }
        }
    };
}

pub(super) use text_function;
