//! The shape that the functions of the catalogs share: arguments as they come, one value per row.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::pg_catalog::builtin;
use crate::pg_catalog::{PgCatalog, Reg};

/// One function: what it is called, takes and gives.
pub(super) struct Entry {
    pub(super) name: &'static str,
    /// How many arguments it takes, at least and at most.
    pub(super) arguments: (usize, usize),
    /// How many of the first must not be NULL for there to be a result.
    pub(super) strict: usize,
    /// The internal name of its result's type.
    pub(super) returns: &'static str,
    pub(super) body: Body,
}

/// How a row's value is computed.
pub(super) enum Body {
    /// A text.
    Text(fn(&PgCatalog, &Row<'_>) -> Result<Option<String>>),
    /// A truth.
    Bool(fn(&PgCatalog, &Row<'_>) -> Result<Option<bool>>),
    /// A number.
    Int(fn(&PgCatalog, &Row<'_>) -> Result<Option<i64>>),
    /// All rows at once.
    Array(fn(&[ArrayRef], &[FieldRef]) -> Result<ArrayRef>),
}

/// The arguments of one row.
pub(super) struct Row<'a> {
    arguments: &'a [Argument],
    row: usize,
}

/// An argument's values as numbers where they are numbers, as text where they are not.
enum Argument {
    Numbers(Int64Array),
    Texts(StringViewArray),
    Bools(BooleanArray),
    Other(ArrayRef),
}

impl Argument {
    fn of(array: &ArrayRef) -> Result<Self> {
        Ok(match array.data_type() {
            kind if kind.is_integer() => {
                Self::Numbers(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
            DataType::Null => Self::Texts(cast(array, &DataType::Utf8View)?.as_string_view().clone()),
            kind if kind.is_string() => Self::Texts(cast(array, &DataType::Utf8View)?.as_string_view().clone()),
            DataType::Boolean => Self::Bools(array.as_boolean().clone()),
            _ => Self::Other(Arc::clone(array)),
        })
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Numbers(array) => array.is_null(row),
            Self::Texts(array) => array.is_null(row),
            Self::Bools(array) => array.is_null(row),
            Self::Other(array) => array.is_null(row),
        }
    }
}

impl<'a> Row<'a> {
    /// How many arguments there are.
    pub(super) fn len(&self) -> usize {
        self.arguments.len()
    }

    /// An argument as an object identifier. A text is a number in quotes, or the name of an object of that kind.
    pub(super) fn oid(&self, catalog: &PgCatalog, at: usize, kind: Reg) -> Result<Option<u32>> {
        match self.arguments.get(at) {
            Some(Argument::Numbers(array)) if array.is_valid(self.row) => Ok(u32::try_from(array.value(self.row)).ok()),
            Some(Argument::Texts(array)) if array.is_valid(self.row) => {
                Ok(Some(kind.read(catalog, array.value(self.row))?))
            }
            _ => Ok(None),
        }
    }

    /// An argument as a number.
    pub(super) fn int(&self, at: usize) -> Option<i64> {
        match self.arguments.get(at) {
            Some(Argument::Numbers(array)) if array.is_valid(self.row) => Some(array.value(self.row)),
            Some(Argument::Texts(array)) if array.is_valid(self.row) => array.value(self.row).trim().parse().ok(),
            _ => None,
        }
    }

    /// An argument as text.
    pub(super) fn text(&self, at: usize) -> Option<&'a str> {
        match self.arguments.get(at) {
            Some(Argument::Texts(array)) if array.is_valid(self.row) => Some(array.value(self.row)),
            _ => None,
        }
    }
}

/// The function bound to a catalog.
pub(super) fn function(catalog: &Arc<PgCatalog>, entry: &'static Entry) -> ScalarUDF {
    let (least, most) = entry.arguments;
    let signature = match (least, most) {
        (0, 0) => Signature::nullary(Volatility::Stable),
        _ => Signature::one_of(
            (least..=most)
                .map(|n| match n {
                    0 => datafusion::logical_expr::TypeSignature::Nullary,
                    n => datafusion::logical_expr::TypeSignature::Any(n),
                })
                .collect(),
            Volatility::Stable,
        ),
    };
    ScalarUDF::from(CatalogFunction { catalog: Arc::clone(catalog), entry, signature })
}

struct CatalogFunction {
    catalog: Arc<PgCatalog>,
    entry: &'static Entry,
    signature: Signature,
}

impl ScalarUDFImpl for CatalogFunction {
    fn name(&self) -> &str {
        self.entry.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(builtin::field("", self.entry.returns, true).data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(builtin::field(self.entry.name, self.entry.returns, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays: Vec<ArrayRef> =
            args.args.iter().map(|value| value.to_array(args.number_rows)).collect::<Result<_>>()?;
        if let Body::Array(body) = &self.entry.body {
            return Ok(ColumnarValue::Array(body(&arrays, &args.arg_fields)?));
        }
        let arguments = arrays.iter().map(Argument::of).collect::<Result<Vec<_>>>()?;
        let needed = &arguments[..self.entry.strict.min(arguments.len())];
        let rows = (0..args.number_rows).map(|row| {
            let is_null = needed.iter().any(|argument| argument.is_null(row));
            (!is_null).then_some(Row { arguments: &arguments, row })
        });
        let data_type = self.return_type(&[])?;
        let array: ArrayRef = match &self.entry.body {
            Body::Text(body) => {
                let values = rows.map(|row| row.map_or(Ok(None), |row| body(&self.catalog, &row)));
                Arc::new(values.collect::<Result<StringViewArray>>()?)
            }
            Body::Bool(body) => {
                let values = rows.map(|row| row.map_or(Ok(None), |row| body(&self.catalog, &row)));
                Arc::new(values.collect::<Result<BooleanArray>>()?)
            }
            Body::Int(body) => {
                let values = rows.map(|row| row.map_or(Ok(None), |row| body(&self.catalog, &row)));
                Arc::new(values.collect::<Result<Int64Array>>()?)
            }
            Body::Array(_) => return datafusion::common::internal_err!("a function of arrays was called by rows"),
        };
        Ok(ColumnarValue::Array(if array.data_type() == &data_type { array } else { cast(&array, &data_type)? }))
    }
}

impl fmt::Debug for CatalogFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatalogFunction").field("name", &self.entry.name).finish_non_exhaustive()
    }
}

impl PartialEq for CatalogFunction {
    fn eq(&self, other: &Self) -> bool {
        self.entry.name == other.entry.name && Arc::ptr_eq(&self.catalog, &other.catalog)
    }
}

impl Eq for CatalogFunction {}

impl Hash for CatalogFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.entry.name.hash(state);
    }
}

/// A field of the catalog function's result, for functions with another shape.
pub(super) fn named_field(name: &str, type_name: &str) -> Field {
    builtin::field(name, type_name, true)
}
