//! Arithmetic that fails where PostgreSQL's does: integers that overflow (Arrow would wrap around) and floating-point
//! numbers divided by zero (IEEE arithmetic has infinity).

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use datafusion::arrow::compute::{kernels::numeric, nullif};
use datafusion::arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion::arrow::error::ArrowError;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// Whether `left op right`, both of this type, has such a case.
pub(super) fn applies(op: Operator, left: &DataType, right: &DataType) -> bool {
    match op {
        Operator::Divide => left == right && matches!(left, DataType::Float32 | DataType::Float64),
        Operator::Plus | Operator::Minus | Operator::Multiply => left == right && left.is_integer(),
        _ => false,
    }
}

/// `left op right`.
pub(super) fn call(left: Expr, op: Operator, right: Expr) -> Expr {
    ScalarUDF::from(Checked { op, signature: Signature::any(2, Volatility::Immutable) }).call(vec![left, right])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    op: Operator,
    signature: Signature,
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.op {
            Operator::Plus => "checked_add",
            Operator::Minus => "checked_subtract",
            Operator::Multiply => "checked_multiply",
            _ => "checked_divide",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments[0].clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let scalars = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let side = |argument: &ColumnarValue| argument.to_array(if scalars { 1 } else { rows });
        let (left, right) = (side(&args.args[0])?, side(&args.args[1])?);
        let result: ArrayRef = match self.op {
            Operator::Plus => numeric::add(&left, &right)?,
            Operator::Minus => numeric::sub(&left, &right)?,
            Operator::Multiply => numeric::mul(&left, &right)?,
            _ => {
                refuse_zero(&left, &right)?;
                numeric::div(&left, &right)?
            }
        };
        if scalars {
            return Ok(ColumnarValue::Scalar(datafusion::scalar::ScalarValue::try_from_array(&result, 0)?));
        }
        Ok(ColumnarValue::Array(result))
    }
}

/// An error if a number is divided by zero; null divided by zero is null.
fn refuse_zero(left: &ArrayRef, right: &ArrayRef) -> Result<()> {
    let zero: BooleanArray = match right.data_type() {
        DataType::Float64 => right.as_primitive::<Float64Type>().iter().map(|v| Some(v == Some(0.0))).collect(),
        _ => right.as_primitive::<Float32Type>().iter().map(|v| Some(v == Some(0.0))).collect(),
    };
    if zero.true_count() == 0 {
        return Ok(());
    }
    let others: Arc<dyn Array> = nullif(left, &zero)?;
    if others.null_count() > left.null_count() {
        return Err(ArrowError::DivideByZero.into());
    }
    Ok(())
}
