//! Division of floating-point numbers: an error by zero, as in PostgreSQL, where IEEE arithmetic has infinity.

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::{kernels::numeric, nullif};
use datafusion::arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion::arrow::error::ArrowError;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// `left / right` for two values of one floating-point type.
pub(super) fn call(left: Expr, right: Expr) -> Expr {
    ScalarUDF::from(Divide { signature: Signature::any(2, Volatility::Immutable) }).call(vec![left, right])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Divide {
    signature: Signature,
}

impl ScalarUDFImpl for Divide {
    fn name(&self) -> &str {
        "divide"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments[0].clone())
    }

    fn schema_name(&self, arguments: &[Expr]) -> Result<String> {
        Ok(format!("{} / {}", arguments[0].schema_name(), arguments[1].schema_name()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let (left, right) = (&arrays[0], &arrays[1]);
        let zero = match right.data_type() {
            DataType::Float64 => right.as_primitive::<Float64Type>().values().contains(&0.0),
            DataType::Float32 => right.as_primitive::<Float32Type>().values().contains(&0.0),
            _ => false,
        };
        if zero {
            // Under a null there may be any number, and null divided by zero is null.
            let is_zero = match right.data_type() {
                DataType::Float64 => right.as_primitive::<Float64Type>().iter().map(|v| Some(v == Some(0.0))).collect(),
                _ => right.as_primitive::<Float32Type>().iter().map(|v| Some(v == Some(0.0))).collect(),
            };
            let by_others = nullif(left, &is_zero)?;
            if by_others.null_count() > left.null_count() {
                return Err(ArrowError::DivideByZero.into());
            }
        }
        Ok(ColumnarValue::Array(numeric::div(left, right)?))
    }
}
