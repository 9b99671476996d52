//! A value cast to text: as PostgreSQL prints it.

use std::any::Any;
use std::sync::Arc;

use bytes::BytesMut;
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringViewBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Result, config_err};
use datafusion::config::{ConfigEntry, ConfigExtension, ExtensionOptions};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::Error;
use crate::values::encode::{Format, Formatting, RowEncoder};

/// The session's settings for the text of values, on their way to where values are cast to text.
#[derive(Debug, Clone)]
pub(crate) struct TextForms(pub(crate) Formatting);

impl ConfigExtension for TextForms {
    const PREFIX: &'static str = "audience_text_forms";
}

impl ExtensionOptions for TextForms {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _: &str) -> Result<()> {
        config_err!("{key} is a setting of the session")
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}

/// Whether Arrow prints values of this type otherwise.
pub(super) fn applies(from: &DataType) -> bool {
    from.is_floating()
        || from.is_nested()
        || matches!(
            from,
            DataType::Timestamp(..)
                | DataType::Date32
                | DataType::Time64(_)
                | DataType::Interval(_)
                | DataType::Duration(_)
                | DataType::Binary
                | DataType::BinaryView
        )
}

/// `value` as text of type `to`.
pub(super) fn call(value: Expr, to: DataType) -> Expr {
    ScalarUDF::from(Print { to, signature: Signature::any(1, Volatility::Immutable) }).call(vec![value])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Print {
    to: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for Print {
    fn name(&self) -> &str {
        "print_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = ColumnarValue::values_to_arrays(&args.args)?.remove(0);
        let formatting = args.config_options.extensions.get::<TextForms>().map(|forms| forms.0).unwrap_or_default();
        let field = Field::new("value", array.data_type().clone(), true);
        let schema = Arc::new(Schema::new(vec![field]));
        let rows = array.len();
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![array])?;
        let values = RowEncoder::try_new(&schema, &[Format::Text], formatting)?.batch(&batch)?;
        let mut builder = StringViewBuilder::with_capacity(rows);
        let mut buffer = BytesMut::new();
        for row in 0..rows {
            buffer.clear();
            match values.value(0, row, &mut buffer)? {
                true => builder.append_value(std::str::from_utf8(&buffer).map_err(|e| Error::internal(e.to_string()))?),
                false => builder.append_null(),
            }
        }
        let text: ArrayRef = Arc::new(builder.finish());
        Ok(ColumnarValue::Array(cast(&text, &self.to)?))
    }
}
