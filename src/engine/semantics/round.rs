//! A fraction on its way to an integer: PostgreSQL rounds it, Arrow would cut it off.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::compute::{cast, kernels::arity::unary};
use datafusion::arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// Whether a value of this type has a fraction to round.
pub(super) fn applies(from: &DataType) -> bool {
    from.is_floating() || matches!(from, DataType::Decimal128(_, s) | DataType::Decimal256(_, s) if *s > 0)
}

/// `value` rounded: floats half to even, numeric half away from zero. Its type stays.
pub(super) fn call(value: Expr) -> Expr {
    ScalarUDF::from(Round { signature: Signature::any(1, Volatility::Immutable) }).call(vec![value])
}

/// Whether `expression` is such a call already.
pub(super) fn is_rounded(expression: &Expr) -> bool {
    matches!(expression, Expr::ScalarFunction(f) if f.func.name() == NAME)
}

const NAME: &str = "round_to_integer";

/// Rounds to a whole number of the same type, as PostgreSQL does before it casts to an integer.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Round {
    signature: Signature,
}

impl ScalarUDFImpl for Round {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(match &arguments[0] {
            DataType::Decimal128(p, s) => DataType::Decimal128((*p - *s as u8 + 1).min(38), 0),
            DataType::Decimal256(p, s) => DataType::Decimal256((*p - *s as u8 + 1).min(76), 0),
            DataType::Float16 => DataType::Float32,
            other => other.clone(),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let to = args.return_type().clone();
        let array = ColumnarValue::values_to_arrays(&args.args)?.remove(0);
        let rounded: ArrayRef = match array.data_type() {
            DataType::Float64 => {
                Arc::new(unary::<_, _, Float64Type>(array.as_primitive::<Float64Type>(), f64::round_ties_even))
            }
            DataType::Float16 | DataType::Float32 => {
                let array = cast(&array, &DataType::Float32)?;
                Arc::new(unary::<_, _, Float32Type>(array.as_primitive::<Float32Type>(), f32::round_ties_even))
            }
            // Arrow rounds half away from zero when it lowers a scale.
            _ => cast(&array, &to)?,
        };
        Ok(ColumnarValue::Array(rounded))
    }
}
