//! The five ways to cut values into scores. They agree on values that are all different and evenly spread, and differ
//! on ties, which frequencies are full of: on real shops four customers in ten get another cell by another method.

use std::cmp::Ordering;
use std::str::FromStr;

/// How values become scores from 1 to `bins`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// 1 + the number of quantiles (type 7) that the value exceeds. Equal values score the same; a score may be empty.
    /// What pandas' `qcut` does.
    Quantile,
    /// Equal numbers of rows for each score, as SQL's `ntile`; ties are split in the order of the rows.
    Ntile,
    /// What R's package `rfm` does: quantiles (type 7) plus one, and a value that equals one lies above it.
    RRfm,
    /// `ceil(bins × cume_dist)`: ties take the highest score that one of them would get.
    CumeDist,
    /// `1 + floor(bins × percent_rank)`, at most `bins`: ties take the lowest.
    PercentRank,
}

impl Method {
    /// As a user writes them.
    pub(super) const NAMES: [&str; 5] = ["quantile", "ntile", "r_rfm", "cume_dist", "percent_rank"];
}

impl FromStr for Method {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "quantile" => Ok(Self::Quantile),
            "ntile" => Ok(Self::Ntile),
            "r_rfm" => Ok(Self::RRfm),
            "cume_dist" => Ok(Self::CumeDist),
            "percent_rank" => Ok(Self::PercentRank),
            _ => Err(format!("unknown method \"{name}\", there are {}", Self::NAMES.join(", "))),
        }
    }
}

/// The scores of `values`, all of them finite, in the same order. With `descending` the smallest value scores highest.
///
/// The two methods by quantiles turn the score round (`bins + 1 - score`), the three by rank turn the order round.
/// That is what their models do, and differs for values that equal a boundary.
pub(super) fn scores(values: &[f64], bins: u32, method: Method, descending: bool) -> Vec<i32> {
    match method {
        Method::Quantile | Method::RRfm => by_quantile(values, bins, method, descending),
        Method::Ntile | Method::CumeDist | Method::PercentRank => by_rank(values, bins, method, descending),
    }
}

fn by_quantile(values: &[f64], bins: u32, method: Method, descending: bool) -> Vec<i32> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let quantiles = (1..bins).map(|i| quantile(&sorted, f64::from(i) / f64::from(bins)));
    let (bounds, above): (Vec<f64>, fn(&f64, f64) -> bool) = match method {
        Method::RRfm => (quantiles.map(|bound| bound + 1.0).collect(), |bound, value| *bound <= value),
        _ => (quantiles.collect(), |bound, value| *bound < value),
    };
    let score = |value: &f64| {
        let score = 1 + bounds.partition_point(|bound| above(bound, *value)) as i32;
        if descending { bins as i32 + 1 - score } else { score }
    };
    values.iter().map(score).collect()
}

/// The type 7 quantile (the default of R, NumPy and Excel) of sorted values; 0 of none.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = last as f64 * share;
    let (below, part) = (place.floor() as usize, place.fract());
    let above = (below + 1).min(last);
    sorted[below] + part * (sorted[above] - sorted[below])
}

fn by_rank(values: &[f64], bins: u32, method: Method, descending: bool) -> Vec<i32> {
    let compare = |a: &usize, b: &usize| -> Ordering {
        let order = values[*a].total_cmp(&values[*b]);
        if descending { order.reverse() } else { order }
    };
    let mut order: Vec<usize> = (0..values.len()).collect();
    // Stable, so that `ntile` splits ties in the order in which the window has sorted them.
    order.sort_by(compare);
    let (rows, bins) = (values.len() as u64, u64::from(bins));
    let mut scores = vec![0; values.len()];
    let mut start = 0;
    for peers in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let end = start + peers.len();
        for (offset, row) in peers.iter().enumerate() {
            let score = match method {
                Method::Ntile => ntile((start + offset) as u64, rows, bins),
                Method::CumeDist => (bins * end as u64).div_ceil(rows),
                _ => (1 + bins * start as u64 / (rows - 1).max(1)).min(bins),
            };
            scores[*row] = score as i32;
        }
        start = end;
    }
    scores
}

/// The bucket, from 1, of a place, from 0: the first `rows % bins` buckets are one larger.
fn ntile(place: u64, rows: u64, bins: u64) -> u64 {
    let (size, larger) = (rows / bins, rows % bins);
    let in_larger = larger * (size + 1);
    if place < in_larger { place / (size + 1) + 1 } else { larger + (place - in_larger) / size + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METHODS: [Method; 5] = [Method::Quantile, Method::Ntile, Method::RRfm, Method::CumeDist, Method::PercentRank];

    #[test]
    fn names_are_those_of_the_methods() {
        for (name, method) in Method::NAMES.iter().zip(METHODS) {
            assert_eq!(name.parse(), Ok(method));
        }
        assert!("Quantile".parse::<Method>().unwrap_err().contains("percent_rank"));
    }

    #[test]
    fn ties_are_what_they_differ_in() {
        let orders = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 4.0, 9.0];
        let of = |method| scores(&orders, 5, method, false);
        assert_eq!(of(Method::Quantile), [1, 1, 1, 1, 1, 1, 4, 4, 5, 5]);
        assert_eq!(of(Method::Ntile), [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
        assert_eq!(of(Method::CumeDist), [3, 3, 3, 3, 3, 3, 4, 4, 5, 5]);
        assert_eq!(of(Method::PercentRank), [1, 1, 1, 1, 1, 1, 4, 4, 5, 5]);
        assert_eq!(of(Method::RRfm), [1, 1, 1, 1, 1, 1, 3, 4, 4, 5]);
    }

    #[test]
    fn scores_stay_in_range() {
        for method in METHODS {
            for rows in 0..30_u32 {
                let values: Vec<f64> = (0..rows).map(|row| f64::from(row * 7 % 11)).collect();
                for bins in 1..12 {
                    for descending in [false, true] {
                        let scores = scores(&values, bins, method, descending);
                        assert!(scores.iter().all(|s| (1..=bins as i32).contains(s)), "{method:?} {rows} {bins}");
                    }
                }
            }
        }
    }

    #[test]
    fn quantiles_are_type_7() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(quantile(&sorted, 0.5), 3.0);
        assert_eq!(quantile(&sorted, 0.25), 1.75);
        assert_eq!(quantile(&sorted, 1.0), 8.0);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }
}
