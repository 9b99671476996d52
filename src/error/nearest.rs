//! "Perhaps you meant …": the candidate that is closest to what was written.

use strsim::osa_distance;

/// The candidate with the fewest typing mistakes from `wanted`, letter case aside: letters wrong, missing, too many or
/// in each other's place. `None` if it would take more of them than one makes in a word of that length: a suggestion
/// that is no help is worse than none. Of equals the first.
pub(crate) fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let limit = mistakes(wanted.chars().count());
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let edits = osa_distance(&wanted, &candidate.to_lowercase());
        if edits <= limit && best.is_none_or(|(fewest, _)| edits < fewest) {
            best = Some((edits, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The most mistakes that a word of this length is taken to have.
fn mistakes(length: usize) -> usize {
    match length {
        0..=2 => 0,
        3..=5 => 1,
        6..=9 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_or_none() {
        assert_eq!(nearest("housold_id", ["day", "household_id"]), Some("household_id"));
        assert_eq!(nearest("TIMEZON", ["TimeZone", "timezones"]), Some("TimeZone"));
        assert_eq!(nearest("evnets", ["event", "events"]), Some("events"));
        assert_eq!(nearest("vpi", ["vip"]), Some("vip"));
        assert_eq!(nearest("x", ["y", "basket"]), None);
        assert_eq!(nearest("cat", ["dog", "cut_off"]), None);
    }
}
