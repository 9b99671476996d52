//! Scores beside labels, and how well the one puts the other first.

use datafusion_common::arrow::array::{ArrayRef, AsArray};
use datafusion_common::arrow::datatypes::{FieldRef, Float64Type};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::Accumulator;
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};

use super::features::labels;
use super::model::{self, state, states};
use super::options;
use crate::InvalidArgument;
use crate::arguments::{constant, refuse_distinct};

/// The fields of the state of [`accumulator`].
pub(super) fn state_fields(args: &StateFieldsArgs) -> Vec<FieldRef> {
    model::state_fields(args, ["scores", "labels"])
}

/// Collects scores and labels, and measures them with the share that is the third argument, if there is one.
///
/// # Errors
/// If it is DISTINCT, or the share is not above 0 and at most 1.
pub(super) fn accumulator(
    function: &'static str,
    args: &AccumulatorArgs,
    measure: fn(&[Peers], f64) -> Option<f64>,
) -> Result<Box<dyn Accumulator>> {
    refuse_distinct(function, args, "select distinct rows in a sub-query")?;
    let share = match args.exprs.len() {
        0..3 => 1.0,
        _ => options::number(function, "share", &constant(function, "share", args, 2)?, f64::MIN_POSITIVE, 1.0)?,
    };
    Ok(Box::new(Ranked { function, measure, share, scores: Vec::new(), labels: Vec::new() }))
}

/// Rows of one score: how many there are, and how many are labelled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Peers {
    pub(super) rows: f64,
    pub(super) hits: f64,
}

/// The sums over all peers.
pub(super) fn total(ranking: &[Peers]) -> Peers {
    let sum = |of: fn(&Peers) -> f64| ranking.iter().map(of).sum();
    Peers { rows: sum(|peers| peers.rows), hits: sum(|peers| peers.hits) }
}

/// The first rows that make up a share of all, a part of a row counted as one. Peers on the boundary count by the part
/// of them that fits.
pub(super) fn top(ranking: &[Peers], share: f64) -> Peers {
    // A share such as 0.1 is not exact; it must not add a row.
    let rows = (share * total(ranking).rows * (1.0 - 1e-12)).ceil();
    let mut top = Peers { rows: 0.0, hits: 0.0 };
    for peers in ranking {
        let fitting = (rows - top.rows).min(peers.rows);
        top.hits += peers.hits * fitting / peers.rows;
        top.rows += fitting;
    }
    top
}

#[derive(Debug)]
struct Ranked {
    function: &'static str,
    measure: fn(&[Peers], f64) -> Option<f64>,
    share: f64,
    scores: Vec<f64>,
    labels: Vec<bool>,
}

/// The rows by score, the best first.
fn ranking(scores: &[f64], labels: &[bool]) -> Vec<Peers> {
    let mut rows: Vec<(f64, bool)> = scores.iter().copied().zip(labels.iter().copied()).collect();
    rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let peers = |rows: &[(f64, bool)]| Peers {
        rows: rows.len() as f64,
        hits: rows.iter().filter(|(_, label)| *label).count() as f64,
    };
    rows.chunk_by(|a, b| a.0 == b.0).map(peers).collect()
}

impl Accumulator for Ranked {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [scores, label, ..] = values else {
            return plan_err!("{} takes a score and a label", self.function);
        };
        let labels = labels(self.function, label)?;
        let Some(scores) = scores.as_primitive_opt::<Float64Type>() else {
            return plan_err!("{} takes a number as score", self.function);
        };
        for (score, label) in scores.iter().zip(&labels).filter_map(|(score, label)| Some((score?, label?))) {
            if score.is_nan() {
                return Err(InvalidArgument::error(format!("{}: a score is NaN, filter it out", self.function)));
            }
            // 0 and -0 are peers.
            self.scores.push(score + 0.0);
            self.labels.push(label);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64((self.measure)(&ranking(&self.scores, &self.labels), self.share)))
    }

    /// Twice, and more: the rows are paired to be sorted.
    fn size(&self) -> usize {
        size_of_val(self) + 3 * (self.scores.capacity() * size_of::<f64>() + self.labels.capacity())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let labels = std::mem::take(&mut self.labels);
        let labels = labels.into_iter().map(|label| f64::from(u8::from(label))).collect();
        Ok(vec![state(std::mem::take(&mut self.scores)), state(labels)])
    }

    fn merge_batch(&mut self, given: &[ArrayRef]) -> Result<()> {
        let [scores, labels] = given else {
            return plan_err!("{} has a state of two lists", self.function);
        };
        for (scores, labels) in states(scores)?.into_iter().zip(states(labels)?) {
            self.scores.extend(scores);
            self.labels.extend(labels.iter().map(|label| *label == 1.0));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_share_the_boundary() {
        let ranking = ranking(&[3.0, 1.0, 2.0, 2.0, 1.0], &[true, false, true, false, true]);
        assert_eq!(ranking[1], Peers { rows: 2.0, hits: 1.0 });
        assert_eq!(top(&ranking, 0.4), Peers { rows: 2.0, hits: 1.5 });
        assert_eq!(top(&ranking, 0.6), Peers { rows: 3.0, hits: 2.0 });
        assert_eq!(top(&ranking, 1.0), total(&ranking));
        let many = vec![Peers { rows: 1.0, hits: 1.0 }; 1030];
        assert_eq!(top(&many, 0.1).rows, 103.0);
    }
}
