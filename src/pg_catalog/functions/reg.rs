//! Names and object identifiers: `to_regclass` and its kin, and what the casts to and from `regclass` … call.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, StringViewArray};
use datafusion::arrow::compute::{CastOptions, cast, cast_with_options};
use datafusion::arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::catalog_function::{Body, Entry, Row, named_field};
use crate::pg_catalog::{PgCatalog, Reg};

macro_rules! finders {
    ($($name:literal, $returns:literal, $reg:expr;)*) => {
        &[$(Entry {
            name: $name,
            arguments: (1, 1), strict: 1,
            returns: $returns,
            body: Body::Int(|catalog: &PgCatalog, row: &Row<'_>| find($reg, catalog, row)),
        }),*]
    };
}

pub(super) const LIST: &[Entry] = finders! {
    "to_regclass", "regclass", Reg::Class;
    "to_regtype", "regtype", Reg::Type;
    "to_regproc", "regproc", Reg::Proc;
    "to_regprocedure", "regprocedure", Reg::Procedure;
    "to_regnamespace", "regnamespace", Reg::Namespace;
    "to_regrole", "regrole", Reg::Role;
    "to_regcollation", "regcollation", Reg::Collation;
};

fn find(reg: Reg, catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<i64>> {
    let Some(name) = row.text(0) else { return Ok(None) };
    Ok(reg.find(catalog, name)?.map(i64::from))
}

/// `text::regclass`.
pub(crate) fn read(catalog: &Arc<PgCatalog>, reg: Reg, text: Expr) -> Expr {
    call(catalog, reg, Direction::Read, text)
}

/// `bigint::regclass`, `regclass::oid`: the same number as a value of another of these types, or of an integer type.
pub(crate) fn number(catalog: &Arc<PgCatalog>, type_name: &'static str, value: Expr) -> Expr {
    let reg = Reg::named(type_name).unwrap_or(Reg::Class);
    call(catalog, reg, Direction::Number(type_name), value)
}

/// `regclass::text`.
pub(crate) fn print(catalog: &Arc<PgCatalog>, reg: Reg, oid: Expr) -> Expr {
    call(catalog, reg, Direction::Print, oid)
}

fn call(catalog: &Arc<PgCatalog>, reg: Reg, direction: Direction, value: Expr) -> Expr {
    let signature = Signature::any(1, Volatility::Stable);
    ScalarUDF::from(Conversion { catalog: Arc::clone(catalog), reg, direction, signature }).call(vec![value])
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Direction {
    Read,
    Print,
    /// To the type of that internal name.
    Number(&'static str),
}

/// A cast between a name and a number.
struct Conversion {
    catalog: Arc<PgCatalog>,
    reg: Reg,
    direction: Direction,
    signature: Signature,
}

impl ScalarUDFImpl for Conversion {
    fn name(&self) -> &str {
        match self.direction {
            Direction::Number(type_name) => type_name,
            _ => self.reg.name(),
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.direction {
            Direction::Read => DataType::Int64,
            Direction::Print => DataType::Utf8View,
            Direction::Number(type_name) => named_field("", type_name).data_type().clone(),
        })
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        let type_name = match self.direction {
            Direction::Read => self.reg.name(),
            Direction::Print => "text",
            Direction::Number(type_name) => type_name,
        };
        Ok(Arc::new(named_field(self.reg.name(), type_name)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = args.args[0].to_array(args.number_rows)?;
        let array: ArrayRef = match self.direction {
            Direction::Read => {
                let texts = cast(&array, &DataType::Utf8View)?;
                let read = |text: Option<&str>| -> Result<Option<i64>> {
                    Ok(text.map(|text| self.reg.read(&self.catalog, text)).transpose()?.map(i64::from))
                };
                Arc::new(texts.as_string_view().iter().map(read).collect::<Result<Int64Array>>()?)
            }
            Direction::Number(type_name) => {
                let strict = CastOptions { safe: false, ..CastOptions::default() };
                cast_with_options(&array, named_field("", type_name).data_type(), &strict)?
            }
            Direction::Print => {
                let numbers = cast(&array, &DataType::Int64)?;
                let print = |number: Option<i64>| {
                    number.map(|number| match u32::try_from(number) {
                        Ok(oid) => self.reg.print(&self.catalog, oid),
                        Err(_) => number.to_string(),
                    })
                };
                Arc::new(numbers.as_primitive::<Int64Type>().iter().map(print).collect::<StringViewArray>())
            }
        };
        Ok(ColumnarValue::Array(array))
    }
}

impl fmt::Debug for Conversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversion").field("reg", &self.reg).field("direction", &self.direction).finish_non_exhaustive()
    }
}

impl PartialEq for Conversion {
    fn eq(&self, other: &Self) -> bool {
        self.reg == other.reg && self.direction == other.direction && Arc::ptr_eq(&self.catalog, &other.catalog)
    }
}

impl Eq for Conversion {}

impl Hash for Conversion {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.reg.hash(state);
        self.direction.hash(state);
    }
}
