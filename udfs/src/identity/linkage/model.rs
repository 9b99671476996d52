//! A model of Fellegi and Sunter, and its form as a value: a struct of lambda, m and u.

use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray, StructArray};
use datafusion_common::arrow::compute::cast;
use datafusion_common::arrow::datatypes::{DataType, Field, Fields, Float64Type};
use datafusion_common::{Result, plan_err};

/// What is known of pairs: how many match, and the probability of each level among matches (m) and others (u).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Model {
    pub(super) lambda: f64,
    /// By comparison and level. None: the level says nothing.
    pub(super) m: Vec<Vec<Option<f64>>>,
    pub(super) u: Vec<Vec<Option<f64>>>,
}

/// What a model says of a pair: base 2 logarithms of odds.
#[derive(Debug)]
pub(super) struct Weights {
    prior: f64,
    /// By comparison and level.
    evidence: Vec<Vec<f64>>,
    /// By comparison: the logarithm of u at the top level, against which a term's frequency is held.
    expected: Vec<f64>,
}

impl Model {
    /// Its weights, or what is wrong with it.
    pub(super) fn weights(&self) -> Result<Weights, String> {
        if !(self.lambda > 0.0 && self.lambda < 1.0) {
            return Err(format!("lambda has to be between 0 and 1, not {}", self.lambda));
        }
        let comparable = self.m.len() == self.u.len() && self.m.iter().zip(&self.u).all(|(m, u)| m.len() == u.len());
        if !comparable || self.m.iter().any(|levels| levels.len() < 2) {
            return Err("m and u need the same comparisons, each with the same levels, at least two".to_owned());
        }
        let mut known = self.m.iter().chain(&self.u).flatten().flatten();
        if let Some(wrong) = known.find(|known| !(**known > 0.0 && **known <= 1.0)) {
            return Err(format!(
                "m and u have to be above 0 and at most 1 (NULL for a level without evidence), not {wrong}"
            ));
        }
        let evidence = |(m, u): (&Vec<Option<f64>>, &Vec<Option<f64>>)| {
            let of_level = |(m, u): (&Option<f64>, &Option<f64>)| match (m, u) {
                (Some(m), Some(u)) => (m / u).log2(),
                _ => 0.0,
            };
            m.iter().zip(u).map(of_level).collect::<Vec<_>>()
        };
        Ok(Weights {
            prior: (self.lambda / (1.0 - self.lambda)).log2(),
            evidence: self.m.iter().zip(&self.u).map(evidence).collect(),
            expected: self.u.iter().map(|levels| levels.last().copied().flatten().map_or(0.0, f64::log2)).collect(),
        })
    }
}

impl Weights {
    /// How many comparisons there are.
    pub(super) fn comparisons(&self) -> usize {
        self.evidence.len()
    }

    pub(super) fn prior(&self) -> f64 {
        self.prior
    }

    /// The evidence of one comparison; None for a level that the model does not have. A frequency counts at the top
    /// level: that two share a rare term says more than that they share some term.
    pub(super) fn evidence(&self, comparison: usize, level: i16, frequency: Option<f64>) -> Option<f64> {
        let levels = self.evidence.get(comparison)?;
        let level = usize::try_from(level).ok()?;
        let evidence = levels.get(level)?;
        match (frequency, self.expected.get(comparison)) {
            (Some(frequency), Some(expected)) if level + 1 == levels.len() => {
                Some(evidence + expected - frequency.log2())
            }
            _ => Some(*evidence),
        }
    }
}

fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

/// The type of m and of u.
pub(super) fn levels_type() -> DataType {
    list(list(DataType::Float64))
}

/// The fields of a trained model: beside the model itself what it compares.
pub(super) fn fields() -> Fields {
    Fields::from(vec![
        Field::new("lambda", DataType::Float64, true),
        Field::new("m", levels_type(), true),
        Field::new("u", levels_type(), true),
        Field::new("compare", list(DataType::Utf8), true),
    ])
}

/// Whether a type is a struct with the fields that a model needs.
pub(super) fn is_model(data_type: &DataType) -> bool {
    match data_type {
        DataType::Struct(fields) => ["lambda", "m", "u"].iter().all(|name| fields.find(name).is_some()),
        DataType::Null => true,
        _ => false,
    }
}

/// A column of models, if any is not NULL.
pub(super) struct Models(Option<Parts>);

struct Parts {
    all: StructArray,
    lambda: Float64Array,
    m: Levels,
    u: Levels,
}

/// A column of lists of lists of numbers.
struct Levels {
    comparisons: ListArray,
    levels: ListArray,
}

impl Levels {
    fn new(array: &ArrayRef) -> Result<Self> {
        let array = cast(array, &levels_type())?;
        let comparisons = array.as_list::<i32>().clone();
        let levels = comparisons.values().as_list::<i32>().clone();
        Ok(Self { comparisons, levels })
    }

    fn row(&self, row: usize) -> Option<Vec<Vec<Option<f64>>>> {
        if self.comparisons.is_null(row) {
            return None;
        }
        let comparisons = self.comparisons.value(row);
        let of = |levels: Option<ArrayRef>| {
            levels.map_or_else(Vec::new, |l| l.as_primitive::<Float64Type>().iter().collect())
        };
        Some(comparisons.as_list::<i32>().iter().map(of).collect())
    }

    /// Whether two rows are the same, as they are where one model is joined to many pairs.
    fn same(&self, one: usize, other: usize) -> bool {
        let lists = |row: usize| {
            let offsets = self.comparisons.value_offsets();
            Some((*offsets.get(row)? as usize, *offsets.get(row + 1)? as usize))
        };
        let (Some((a, a_end)), Some((b, b_end))) = (lists(one), lists(other)) else { return false };
        if a_end - a != b_end - b || self.comparisons.is_null(one) != self.comparisons.is_null(other) {
            return false;
        }
        (0..a_end - a).all(|place| {
            let (left, right) = (self.levels.value(a + place), self.levels.value(b + place));
            self.levels.is_null(a + place) == self.levels.is_null(b + place) && left == right
        })
    }
}

impl Models {
    /// Reads a column whose type [`is_model`].
    pub(super) fn new(array: &ArrayRef) -> Result<Self> {
        if array.data_type().is_null() {
            return Ok(Self(None));
        }
        let models = array.as_struct();
        let (Some(lambda), Some(m), Some(u)) =
            (models.column_by_name("lambda"), models.column_by_name("m"), models.column_by_name("u"))
        else {
            return plan_err!("a model is a struct of lambda, m and u");
        };
        let lambda = cast(lambda, &DataType::Float64)?.as_primitive::<Float64Type>().clone();
        Ok(Self(Some(Parts { all: models.clone(), lambda, m: Levels::new(m)?, u: Levels::new(u)? })))
    }

    /// The model of a row; None if it, or a part of it, is NULL.
    pub(super) fn row(&self, row: usize) -> Option<Model> {
        let parts = self.0.as_ref().filter(|parts| parts.all.is_valid(row) && parts.lambda.is_valid(row))?;
        Some(Model { lambda: parts.lambda.value(row), m: parts.m.row(row)?, u: parts.u.row(row)? })
    }

    /// Whether a row's model is that of the row before.
    pub(super) fn repeats(&self, row: usize) -> bool {
        let Some(before) = row.checked_sub(1) else { return false };
        let Some(parts) = &self.0 else { return true };
        parts.all.is_null(row) == parts.all.is_null(before)
            && parts.lambda.is_null(row) == parts.lambda.is_null(before)
            && parts.lambda.value(row) == parts.lambda.value(before)
            && parts.m.same(before, row)
            && parts.u.same(before, row)
    }
}
