//! The stages of a customer's life, and how long each lasts.

use std::str::FromStr;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The longest time, in days, that a stage may last: a hundred years.
const MAX_DAYS: i64 = 36_525;

/// How long after the first event a customer is new, and after the last one active, at risk and dormant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stages {
    new: i64,
    active: i64,
    at_risk: i64,
    dormant: i64,
}

impl Default for Stages {
    fn default() -> Self {
        Self { new: 30, active: 30, at_risk: 90, dormant: 365 }
    }
}

impl Stages {
    /// The stage at `as_of`; none if the events given are not those up to then.
    pub(super) fn stage(&self, first: i64, last: i64, as_of: i64) -> Option<&'static str> {
        if first > last || last > as_of {
            return None;
        }
        let within = |instant: i64, days: i64| as_of.saturating_sub(instant) <= days * MICROS_PER_DAY;
        Some(if within(first, self.new) {
            "new"
        } else if within(last, self.active) {
            "active"
        } else if within(last, self.at_risk) {
            "at_risk"
        } else if within(last, self.dormant) {
            "dormant"
        } else {
            "lost"
        })
    }
}

impl FromStr for Stages {
    type Err = String;

    /// `new: 30; active: 30; at_risk: 90; dormant: 365`, in days, in any order; what is left out keeps its default.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut stages = Self::default();
        let mut given = Vec::new();
        for rule in text.split(';').map(str::trim).filter(|rule| !rule.is_empty()) {
            let malformed = || {
                format!(
                    "\"{rule}\" is not a stage and its days: write new: 30; active: 30; at_risk: 90; dormant: 365, each \
                     from 0 to {MAX_DAYS}"
                )
            };
            let (name, days) = rule.split_once(':').ok_or_else(malformed)?;
            let (name, days) = (name.trim(), days.trim().parse::<i64>().map_err(|_| malformed())?);
            let stage = match name {
                "new" => &mut stages.new,
                "active" => &mut stages.active,
                "at_risk" => &mut stages.at_risk,
                "dormant" => &mut stages.dormant,
                _ => return Err(malformed()),
            };
            if !(0..=MAX_DAYS).contains(&days) {
                return Err(malformed());
            }
            if given.contains(&name) {
                return Err(format!("the stage {name} is given twice"));
            }
            *stage = days;
            given.push(name);
        }
        if given.is_empty() {
            return Err("the stages are empty; write new: 30; active: 30; at_risk: 90; dormant: 365".to_owned());
        }
        if stages.active > stages.at_risk || stages.at_risk > stages.dormant {
            return Err(format!(
                "active ({}), at_risk ({}) and dormant ({}) days have to rise",
                stages.active, stages.at_risk, stages.dormant
            ));
        }
        Ok(stages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(first: i64, last: i64) -> Option<&'static str> {
        Stages::default().stage(-first * MICROS_PER_DAY, -last * MICROS_PER_DAY, 0)
    }

    #[test]
    fn bounds_belong_to_the_younger_stage() {
        assert_eq!(stage(30, 30), Some("new"));
        assert_eq!(stage(31, 30), Some("active"));
        assert_eq!(stage(400, 31), Some("at_risk"));
        assert_eq!(stage(400, 90), Some("at_risk"));
        assert_eq!(stage(400, 365), Some("dormant"));
        assert_eq!(stage(400, 366), Some("lost"));
    }

    #[test]
    fn what_cannot_be_has_no_stage() {
        assert_eq!(stage(1, 2), None);
        assert_eq!(stage(1, -1), None);
        assert_eq!(Stages::default().stage(i64::MIN, i64::MIN, i64::MAX), Some("lost"));
    }

    #[test]
    fn stages_of_ones_own() {
        let own: Stages = " dormant:100 ; new: 0;".parse().unwrap();
        assert_eq!(own, Stages { new: 0, active: 30, at_risk: 90, dormant: 100 });
        for bad in ["", ";", "new", "new: x", "old: 3", "new: -1", "new: 99999", "new: 1; new: 2", "active: 100"] {
            assert!(bad.parse::<Stages>().is_err(), "{bad}");
        }
    }
}
