//! Which scores make which segment: the published maps, and maps of one's own.

use std::ops::RangeInclusive;
use std::str::FromStr;

/// A segment: the scores that its customers have.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    name: String,
    r: RangeInclusive<i32>,
    f: RangeInclusive<i32>,
    m: RangeInclusive<i32>,
}

/// Segments in the order in which they are tried: the first that fits wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SegmentMap(Vec<Rule>);

/// What a customer is who fits none.
const OTHERS: &str = "Others";

/// R's package `rfm`, version 0.3 and later.
const RFM_0_3: &str = "\
    Champions: 5-5, 5-5, 5-5; Potential Loyalist: 3-5, 3-5, 2-5; Loyal Customers: 2-4, 2-4, 2-4; \
    Promising: 3-4, 1-3, 3-5; New Customers: 4-5, 1-3, 1-5; Can't Lose Them: 1-2, 3-4, 4-5; \
    At Risk: 1-2, 2-5, 4-5; Need Attention: 1-3, 3-5, 3-5; About To Sleep: 2-3, 1-3, 1-4; Lost: 1-1, 1-5, 1-5";

/// R's package `rfm`, version 0.2.
const RFM_0_2: &str = "\
    Champions: 4-5, 4-5, 4-5; Loyal Customers: 2-5, 3-5, 3-5; Potential Loyalist: 3-5, 1-3, 1-3; \
    New Customers: 4-5, 1-1, 1-1; Promising: 3-4, 1-1, 1-1; Need Attention: 2-3, 2-3, 2-3; \
    About To Sleep: 2-3, 1-2, 1-2; At Risk: 1-2, 2-5, 2-5; Can't Lose Them: 1-1, 4-5, 4-5; Lost: 1-2, 1-2, 1-2";

impl SegmentMap {
    /// The segment of these scores.
    pub(super) fn segment(&self, r: i32, f: i32, m: i32) -> &str {
        let fits = |rule: &&Rule| rule.r.contains(&r) && rule.f.contains(&f) && rule.m.contains(&m);
        self.0.iter().find(fits).map_or(OTHERS, |rule| &rule.name)
    }
}

impl FromStr for SegmentMap {
    type Err = String;

    /// `rfm_0_3`, `rfm_0_2`, or rules `name: r, f, m` parted by semicolons, each score a number or `low-high`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "rfm_0_3" => return Self::from_str(RFM_0_3),
            "rfm_0_2" => return Self::from_str(RFM_0_2),
            _ => {}
        }
        let rules = text.split(';').map(str::trim).filter(|rule| !rule.is_empty());
        let rules = rules.map(rule).collect::<Result<Vec<_>, _>>()?;
        if rules.is_empty() {
            return Err("the map is empty".to_owned());
        }
        Ok(Self(rules))
    }
}

fn rule(text: &str) -> Result<Rule, String> {
    let malformed = || {
        format!(
            "\"{text}\" is not a rule of a map: write name: 4-5, 1-3, 1-5; or give the name of one: rfm_0_3, rfm_0_2"
        )
    };
    let (name, scores) = text.rsplit_once(':').ok_or_else(malformed)?;
    let scores: Vec<_> = scores.split(',').map(|s| range(s.trim()).ok_or_else(malformed)).collect::<Result<_, _>>()?;
    match (name.trim(), <[_; 3]>::try_from(scores)) {
        (name, Ok([r, f, m])) if !name.is_empty() => Ok(Rule { name: name.to_owned(), r, f, m }),
        _ => Err(malformed()),
    }
}

fn range(text: &str) -> Option<RangeInclusive<i32>> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
    (low <= high).then_some(low..=high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_fits_wins() {
        let map: SegmentMap = "rfm_0_3".parse().unwrap();
        assert_eq!(map.segment(5, 5, 5), "Champions");
        assert_eq!(map.segment(4, 4, 4), "Potential Loyalist");
        assert_eq!(map.segment(2, 3, 4), "Loyal Customers");
        assert_eq!(map.segment(1, 1, 1), "Lost");
        assert_eq!(map.segment(2, 1, 5), OTHERS);
        assert_eq!(map.segment(9, 9, 9), OTHERS);
    }

    #[test]
    fn maps_of_ones_own() {
        let map: SegmentMap = "A: B: 4-5, 1, 1-5; rest: 1-5, 1-5, 1-5".parse().unwrap();
        assert_eq!(map.segment(4, 1, 3), "A: B");
        assert_eq!(map.segment(4, 2, 3), "rest");
        for bad in ["", ";", "x", "x: 1, 2", "x: 1, 2, 3, 4", ": 1, 2, 3", "x: 2-1, 1, 1", "x: a, 1, 1"] {
            assert!(bad.parse::<SegmentMap>().is_err(), "{bad}");
        }
    }
}
