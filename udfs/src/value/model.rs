//! Models as SQL has them: structs, of which the fields are the parameters.

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use datafusion_common::arrow::compute::cast;
use datafusion_common::arrow::datatypes::{DataType, Field, Fields, Float64Type};
use datafusion_common::{Result, plan_err};

use super::bgnbd::BgNbd;
use super::gamma_gamma::GammaGamma;
use crate::InvalidArgument;
use crate::rows::{Taken, coerce};

/// The parameters of a BG/NBD model, as fields.
pub(super) const BGNBD: [&str; 4] = ["r", "alpha", "a", "b"];
/// The parameters of a Gamma-Gamma model, as fields.
pub(super) const GAMMA_GAMMA: [&str; 3] = ["p", "q", "v"];

/// The type of a model that was fitted: its parameters, how likely it makes the data, and of how many customers.
pub(super) fn fitted(parameters: &[&str]) -> DataType {
    let doubles = parameters.iter().chain(&["log_likelihood"]).map(|name| Field::new(*name, DataType::Float64, true));
    DataType::Struct(doubles.chain([Field::new("n", DataType::Int64, true)]).collect::<Fields>())
}

/// The types of a call that begins with models.
///
/// # Errors
/// If one is not a struct with its parameters as numbers, or the rest is not what its parameters take.
pub(super) fn coerce_after_models(
    function: &str,
    given: &[DataType],
    models: &[(&str, &[&str])],
    parameters: &[(&str, Taken)],
) -> Result<Vec<DataType>> {
    if given.len() != models.len() + parameters.len() {
        let names = models.iter().map(|(fit, _)| format!("the model of {fit}"));
        let names: Vec<String> = names.chain(parameters.iter().map(|(name, _)| (*name).to_owned())).collect();
        return plan_err!("{function} takes {}", names.join(", "));
    }
    let (structs, rest) = given.split_at(models.len());
    for (given, (fit, fields)) in structs.iter().zip(models) {
        let known = match given {
            DataType::Null => true,
            DataType::Struct(given) => fields.iter().all(|name| {
                given.find(name).is_some_and(|(_, field)| field.data_type().is_numeric() || field.data_type().is_null())
            }),
            _ => false,
        };
        if !known {
            return plan_err!("{function} takes the model that {fit} returns, not {given}");
        }
    }
    let rest = coerce(function, rest, parameters, parameters.len())?;
    Ok(structs.iter().cloned().chain(rest).collect())
}

/// A column of models: the columns of their parameters. A NULL model has NULL parameters.
struct Parameters<const N: usize> {
    columns: Option<[Float64Array; N]>,
    nulls: ArrayRef,
}

impl<const N: usize> Parameters<N> {
    fn new(models: &ArrayRef, names: [&str; N]) -> Result<Self> {
        let columns = match models.as_struct_opt() {
            None => None,
            Some(given) => {
                let mut columns = Vec::with_capacity(N);
                for name in names {
                    let Some(column) = given.column_by_name(name) else {
                        return plan_err!("a model needs the field {name}");
                    };
                    columns.push(cast(column, &DataType::Float64)?.as_primitive::<Float64Type>().clone());
                }
                <[Float64Array; N]>::try_from(columns).ok()
            }
        };
        Ok(Self { columns, nulls: ArrayRef::clone(models) })
    }

    fn get(&self, row: usize) -> Option<[f64; N]> {
        let columns = self.columns.as_ref().filter(|_| self.nulls.is_valid(row))?;
        let known = columns.iter().all(|column| column.is_valid(row));
        known.then(|| std::array::from_fn(|i| columns[i].value(row)))
    }
}

/// A column of BG/NBD models.
pub(super) struct BgNbds(&'static str, Parameters<4>);

impl BgNbds {
    pub(super) fn new(function: &'static str, models: &ArrayRef) -> Result<Self> {
        Parameters::new(models, BGNBD).map(|parameters| Self(function, parameters))
    }

    /// The model of a row, or none if it or a parameter is NULL.
    ///
    /// # Errors
    /// If a parameter is not above 0.
    pub(super) fn get(&self, row: usize) -> Result<Option<BgNbd>> {
        let model = self.1.get(row).map(|[r, alpha, a, b]| BgNbd::new(r, alpha, a, b)).transpose();
        model.map_err(|message| InvalidArgument::error(format!("{}: {message}", self.0)))
    }
}

/// A column of Gamma-Gamma models.
pub(super) struct GammaGammas(&'static str, Parameters<3>);

impl GammaGammas {
    pub(super) fn new(function: &'static str, models: &ArrayRef) -> Result<Self> {
        Parameters::new(models, GAMMA_GAMMA).map(|parameters| Self(function, parameters))
    }

    /// The model of a row, or none if it or a parameter is NULL.
    ///
    /// # Errors
    /// If a parameter is not above 0.
    pub(super) fn get(&self, row: usize) -> Result<Option<GammaGamma>> {
        let model = self.1.get(row).map(|[p, q, v]| GammaGamma::new(p, q, v)).transpose();
        model.map_err(|message| InvalidArgument::error(format!("{}: {message}", self.0)))
    }
}

/// Columns of doubles, and the values of a row if none of them is NULL.
pub(super) struct Doubles<'a, const N: usize>([&'a Float64Array; N]);

impl<'a, const N: usize> Doubles<'a, N> {
    pub(super) fn new(columns: &'a [ArrayRef]) -> Result<Self> {
        let doubles: Vec<_> = columns.iter().filter_map(|column| column.as_primitive_opt::<Float64Type>()).collect();
        match doubles.try_into() {
            Ok(columns) => Ok(Self(columns)),
            Err(_) => plan_err!("numbers are needed as doubles"),
        }
    }

    pub(super) fn get(&self, row: usize) -> Option<[f64; N]> {
        let known = self.0.iter().all(|column| column.is_valid(row));
        known.then(|| self.0.map(|column| column.value(row)))
    }
}
