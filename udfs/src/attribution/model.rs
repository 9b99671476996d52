//! How a conversion's credit is shared by the touches before it.

use std::str::FromStr;
use std::sync::Arc;

/// The models of a single path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    /// All to the first touch.
    First,
    /// All to the last.
    Last,
    /// All to the last that is not direct; to the last of all if every one is.
    LastNonDirect,
    /// The same to every touch.
    Linear,
    /// 40 % each to the first and the last, 20 % to those between; half each to two.
    Position,
    /// Half as much for every half-life that a touch lies further back.
    TimeDecay,
}

impl FromStr for Model {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "first" => Ok(Self::First),
            "last" => Ok(Self::Last),
            "last_non_direct" => Ok(Self::LastNonDirect),
            "linear" => Ok(Self::Linear),
            "position" => Ok(Self::Position),
            "time_decay" => Ok(Self::TimeDecay),
            _ => Err(format!(
                "unknown model \"{name}\", there are first, last, last_non_direct, linear, position and time_decay"
            )),
        }
    }
}

/// A touch: its time, and the rank of its channel's name.
pub(super) type Touch = (i64, u32);

impl Model {
    /// Calls `credit` for every touch that is owed something, with what it is owed: 1 in all. The touches are sorted,
    /// `names` are by rank, and the half-life is in microseconds.
    pub(super) fn share(self, path: &[Touch], names: &[Arc<str>], half_life: f64, mut credit: impl FnMut(Touch, f64)) {
        let (Some(first), Some(last)) = (path.first(), path.last()) else { return };
        match self {
            Self::First => credit(*first, 1.0),
            Self::Last => credit(*last, 1.0),
            Self::LastNonDirect => {
                let direct = |touch: &&Touch| names.get(touch.1 as usize).is_some_and(|name| is_direct(name));
                credit(*path.iter().rev().find(|touch| !direct(touch)).unwrap_or(last), 1.0);
            }
            Self::Linear => path.iter().for_each(|touch| credit(*touch, 1.0 / path.len() as f64)),
            Self::Position => match path {
                [only] => credit(*only, 1.0),
                [first, last] => [first, last].into_iter().for_each(|touch| credit(*touch, 0.5)),
                [first, between @ .., last] => {
                    credit(*first, 0.4);
                    between.iter().for_each(|touch| credit(*touch, 0.2 / between.len() as f64));
                    credit(*last, 0.4);
                }
                [] => {}
            },
            Self::TimeDecay => {
                // From the last touch rather than from the conversion: the shares are the same, and never 0 / 0.
                let weight = |touch: &Touch| (-(last.0.abs_diff(touch.0) as f64) / half_life).exp2();
                let all: f64 = path.iter().map(weight).sum();
                path.iter().for_each(|touch| credit(*touch, weight(touch) / all));
            }
        }
    }
}

/// What web analytics call a visit that came from nowhere.
fn is_direct(name: &str) -> bool {
    name.eq_ignore_ascii_case("direct") || name.eq_ignore_ascii_case("(direct)")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    fn shares(model: &str, path: &[Touch]) -> Vec<f64> {
        let names = ["ad", "(Direct)", "mail"].map(Arc::from);
        let mut shares = vec![0.0; path.len()];
        model.parse::<Model>().unwrap().share(path, &names, (7 * DAY) as f64, |touch, credit| {
            shares[path.iter().position(|other| *other == touch).unwrap()] += credit;
        });
        shares
    }

    #[test]
    fn models_share_one_conversion() {
        let path = [(0, 0), (7 * DAY, 2), (14 * DAY, 2), (21 * DAY, 1)];
        assert_eq!(shares("first", &path), [1.0, 0.0, 0.0, 0.0]);
        assert_eq!(shares("last", &path), [0.0, 0.0, 0.0, 1.0]);
        assert_eq!(shares("last_non_direct", &path), [0.0, 0.0, 1.0, 0.0]);
        assert_eq!(shares("linear", &path), [0.25; 4]);
        assert_eq!(shares("position", &path), [0.4, 0.1, 0.1, 0.4]);
        assert_eq!(shares("time_decay", &path), [1.0 / 15.0, 2.0 / 15.0, 4.0 / 15.0, 8.0 / 15.0]);
    }

    #[test]
    fn short_paths() {
        for model in ["first", "last", "last_non_direct", "linear", "position", "time_decay"] {
            assert_eq!(shares(model, &[(5, 1)]), [1.0], "{model}");
            assert_eq!(shares(model, &[]), [0.0; 0], "{model}");
        }
        assert_eq!(shares("position", &[(1, 0), (2, 1)]), [0.5, 0.5]);
        assert_eq!(shares("last_non_direct", &[(1, 1), (2, 1)]), [0.0, 1.0]);
        assert_eq!(shares("time_decay", &[(i64::MIN, 0), (i64::MAX, 1)]), [0.0, 1.0]);
        assert!("Linear".parse::<Model>().unwrap_err().contains("position"));
    }
}
