//! `array_length(array [, dimension])`: an `integer`, and NULL of an array without elements, as in PostgreSQL.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Int32Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int32Type};
use datafusion::common::Result;
use datafusion::functions_nested::length::array_length_udf;
use datafusion::logical_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature};

/// The function, in the place of DataFusion's.
pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(ArrayLength { inner: array_length_udf() })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ArrayLength {
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for ArrayLength {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let lengths = match self.inner.invoke_with_args(args)? {
            ColumnarValue::Array(lengths) => lengths,
            ColumnarValue::Scalar(length) => length.to_array()?,
        };
        let single = lengths.len() == 1;
        let lengths = cast(&lengths, &DataType::Int32)?;
        let lengths = lengths.as_primitive::<Int32Type>();
        let lengths: ArrayRef =
            Arc::new(lengths.iter().map(|length| length.filter(|n| *n > 0)).collect::<Int32Array>());
        if single {
            return Ok(ColumnarValue::Scalar(datafusion::scalar::ScalarValue::try_from_array(&lengths, 0)?));
        }
        Ok(ColumnarValue::Array(lengths))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}
