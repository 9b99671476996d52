//! The value of a NOT NULL column in a row that is proposed: asked for before it is known whether the row is inserted.

use std::sync::Arc;

use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::Error;

/// `value`, or 23502 where it is null.
pub(crate) fn required(value: Expr, table: &str, column: &str) -> Expr {
    // Volatile, so that it is asked even where the value is not used.
    let signature = Signature::any(1, Volatility::Volatile);
    ScalarUDF::from(Required { signature, table: table.to_owned(), column: column.to_owned() }).call(vec![value])
}

/// The function's name in plans.
pub(crate) const NAME: &str = "required";

#[derive(Debug, PartialEq, Eq, Hash)]
struct Required {
    signature: Signature,
    table: String,
    column: String,
}

impl ScalarUDFImpl for Required {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [value] => Ok(value.clone()),
            _ => exec_err!("required takes one value"),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        match args.arg_fields {
            [value] => Ok(Arc::clone(value)),
            _ => exec_err!("required takes one value"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(value) = args.args.into_iter().next() else { return exec_err!("required takes one value") };
        let missing = match &value {
            ColumnarValue::Array(values) => values.logical_null_count() > 0,
            ColumnarValue::Scalar(value) => value.is_null() && args.number_rows > 0,
        };
        if missing {
            let (table, column) = (self.table.clone(), self.column.clone());
            return Err(Error::from(catalog::Error::NotNull { table, column }).into());
        }
        Ok(value)
    }
}
