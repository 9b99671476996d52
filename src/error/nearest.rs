//! "Perhaps you meant …": the candidate that is closest to what was written.

use datafusion::common::utils::datafusion_strsim::levenshtein;

/// The candidate with the fewest edits from `wanted`, letter case aside; `None` if more than half of the longer
/// name would have to change. Of equals the first.
pub(crate) fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let lower = candidate.to_lowercase();
        let edits = levenshtein(&wanted, &lower);
        let longer = wanted.chars().count().max(lower.chars().count());
        if edits * 2 <= longer && best.is_none_or(|(fewest, _)| edits < fewest) {
            best = Some((edits, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_or_none() {
        assert_eq!(nearest("housold_id", ["day", "household_id"]), Some("household_id"));
        assert_eq!(nearest("TIMEZON", ["TimeZone", "timezones"]), Some("TimeZone"));
        assert_eq!(nearest("x", ["y", "basket"]), None);
    }
}
