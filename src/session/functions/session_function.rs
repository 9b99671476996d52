//! The shape that all functions of a session share.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, DocSection, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::SessionFacts;

/// What a function does with the facts and its arguments.
type Body = fn(&SessionFacts, &ScalarFunctionArgs) -> Result<ColumnarValue>;

/// A function about the session. Two are equal if they are the same function of the same session.
pub(super) struct SessionFunction {
    name: &'static str,
    aliases: Vec<String>,
    signature: Signature,
    returns: DataType,
    documentation: Documentation,
    facts: Arc<SessionFacts>,
    body: Body,
}

impl SessionFunction {
    /// A function without arguments. `syntax` is how it is called, `description` one sentence.
    pub(super) fn new(
        facts: &Arc<SessionFacts>,
        name: &'static str,
        returns: DataType,
        body: Body,
        syntax: &str,
        description: &str,
    ) -> Self {
        Self {
            name,
            aliases: Vec::new(),
            signature: Signature::nullary(Volatility::Stable),
            returns,
            documentation: documentation(syntax, description, &[]),
            facts: Arc::clone(facts),
            body,
        }
    }

    /// Takes arguments: their types, and name and meaning of each.
    pub(super) fn taking(mut self, signature: Signature, arguments: &[(&str, &str)]) -> Self {
        self.signature = signature;
        let known = self.documentation;
        self.documentation = documentation(&known.syntax_example, &known.description, arguments);
        self
    }

    /// Can be called by another name, too.
    pub(super) fn alias(mut self, name: &str) -> Self {
        self.aliases.push(name.to_owned());
        self
    }
}

/// The documentation of a function of the session, as SHOW FUNCTIONS shows it.
fn documentation(syntax: &str, description: &str, arguments: &[(&str, &str)]) -> Documentation {
    let section = DocSection { include: true, label: "Session Functions", description: None };
    let builder = Documentation::builder(section, description, syntax);
    arguments.iter().fold(builder, |builder, (name, meaning)| builder.with_argument(*name, *meaning)).build()
}

/// One text for all rows.
pub(super) fn text(value: impl Into<String>) -> Result<ColumnarValue> {
    Ok(ColumnarValue::Scalar(ScalarValue::Utf8(Some(value.into()))))
}

/// An argument with a value for every row.
pub(super) fn argument(args: &ScalarFunctionArgs, index: usize) -> Result<ArrayRef> {
    args.args[index].to_array(args.number_rows)
}

impl ScalarUDFImpl for SessionFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        (self.body)(&self.facts, &args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

impl fmt::Debug for SessionFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionFunction").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PartialEq for SessionFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.facts, &other.facts)
    }
}

impl Eq for SessionFunction {}

impl Hash for SessionFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
