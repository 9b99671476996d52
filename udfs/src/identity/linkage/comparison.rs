//! The comparison language: how two values of a column become a level, from 0 (unlike) to the top (equal).
//!
//! A comparison is one or several tests parted by `+`, from the strictest on; equal texts are the top level before
//! any test, and what passes none is level 0:
//!
//! * `exact`: nothing but equality, two levels
//! * `jw:0.92,0.88,0.7`: the similarity of Jaro and Winkler is at least so much
//! * `lev:1,2`: so many edits of Levenshtein at most
//! * `dl:1,2`: so many of Damerau and Levenshtein, where a swap of two neighbours is one
//! * `date:1 month,1 year,10 years`: dates are so far apart at most; a month has 30.4375 days, a year 365.25
//! * `num:1,5`: numbers differ by so much at most
//!
//! So `jw:0.92,0.88,0.7` is Splink's NameComparison, `lev:1 + date:1 month,1 year,10 years` its DateOfBirthComparison.
//! Where a value is NULL, or is to be a date or a number and is none, the pair has no level: no evidence.

use std::str::FromStr;

use crate::identity::distance::{Scratch, damerau_levenshtein_within, jaro_winkler, levenshtein_within};

/// The highest level there is; so a level and its absence fit into four bits.
pub(super) const MAX_LEVEL: i16 = 14;

/// A parsed comparison.
#[derive(Debug, PartialEq)]
pub(super) struct Comparison {
    tests: Vec<Test>,
    top: i16,
}

/// One test, with a threshold for each level.
#[derive(Debug, PartialEq)]
enum Test {
    JaroWinkler(Vec<f64>),
    Levenshtein(Vec<u32>),
    DamerauLevenshtein(Vec<u32>),
    Days(Vec<f64>),
    Number(Vec<f64>),
}

impl FromStr for Comparison {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut tests = Vec::new();
        for part in text.split('+').map(str::trim) {
            let (name, thresholds) = match part.split_once(':') {
                Some((name, thresholds)) => (name.trim(), thresholds.split(',').map(str::trim).collect()),
                None => (part, Vec::new()),
            };
            let test = match name {
                "exact" if thresholds.is_empty() => continue,
                "jw" => {
                    Test::JaroWinkler(parsed(&thresholds, part, |similarity: &f64| (0.0..=1.0).contains(similarity))?)
                }
                "lev" => Test::Levenshtein(parsed(&thresholds, part, |edits| (1..=100).contains(edits))?),
                "dl" => Test::DamerauLevenshtein(parsed(&thresholds, part, |edits| (1..=100).contains(edits))?),
                "num" => {
                    Test::Number(parsed(&thresholds, part, |distance: &f64| *distance > 0.0 && distance.is_finite())?)
                }
                "date" => Test::Days(thresholds.iter().map(|text| days(text)).collect::<Result<_, _>>()?),
                _ => {
                    return Err(format!(
                        "unknown comparison \"{part}\", there are exact, jw:0.92,0.88, lev:1,2, dl:1,2, num:1,5 and \
                         date:1 month,1 year"
                    ));
                }
            };
            let strictest_first = match &test {
                Test::JaroWinkler(thresholds) => thresholds.windows(2).all(|two| two[0] > two[1]),
                Test::Days(thresholds) | Test::Number(thresholds) => thresholds.windows(2).all(|two| two[0] < two[1]),
                Test::Levenshtein(thresholds) | Test::DamerauLevenshtein(thresholds) => {
                    thresholds.windows(2).all(|two| two[0] < two[1])
                }
            };
            if test.levels() == 0 || !strictest_first {
                return Err(format!("\"{part}\" needs thresholds, the strictest first"));
            }
            tests.push(test);
        }
        if tests.iter().filter(|test| matches!(test, Test::Days(_) | Test::Number(_))).count() > 1 {
            return Err(format!("\"{text}\" measures dates or numbers twice"));
        }
        let levels = tests.iter().map(Test::levels).sum::<usize>() + 1;
        match i16::try_from(levels) {
            Ok(top @ 1..=MAX_LEVEL) => Ok(Self { tests, top }),
            _ => Err(format!("\"{text}\" has more than {MAX_LEVEL} levels above 0")),
        }
    }
}

fn parsed<T: FromStr>(thresholds: &[&str], part: &str, possible: impl Fn(&T) -> bool) -> Result<Vec<T>, String> {
    let threshold = |text: &&str| text.parse().ok().filter(&possible);
    let all: Option<Vec<T>> = thresholds.iter().map(threshold).collect();
    all.ok_or_else(|| format!("\"{part}\" has a threshold that is not possible"))
}

fn days(text: &str) -> Result<f64, String> {
    let wrong = || format!("\"{text}\" is no time between dates, such as 1 month, 10 years or 30 days");
    let (number, unit) = text.split_once(' ').unwrap_or(("1", text));
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let length = match unit.trim() {
        "day" | "days" => 1.0,
        "week" | "weeks" => 7.0,
        "month" | "months" => 30.4375,
        "year" | "years" => 365.25,
        _ => return Err(wrong()),
    };
    if number > 0.0 && number.is_finite() { Ok(number * length) } else { Err(wrong()) }
}

impl Test {
    fn levels(&self) -> usize {
        match self {
            Self::JaroWinkler(thresholds) | Self::Days(thresholds) | Self::Number(thresholds) => thresholds.len(),
            Self::Levenshtein(thresholds) | Self::DamerauLevenshtein(thresholds) => thresholds.len(),
        }
    }

    /// How far apart two values are, where the test takes no other than dates or numbers.
    fn apart(&self, left: &str, right: &str) -> Option<f64> {
        match self {
            Self::Days(_) => Some(f64::from(day(left)?.abs_diff(day(right)?))),
            Self::Number(_) => Some((number(left)? - number(right)?).abs()),
            Self::JaroWinkler(_) | Self::Levenshtein(_) | Self::DamerauLevenshtein(_) => Some(0.0),
        }
    }

    /// The place of the first threshold that holds.
    fn passed(&self, left: &str, right: &str, apart: f64, scratch: &mut Scratch) -> Option<usize> {
        match self {
            Self::JaroWinkler(thresholds) => {
                let similarity = jaro_winkler(left, right, scratch);
                thresholds.iter().position(|threshold| similarity >= *threshold)
            }
            Self::Levenshtein(thresholds) => {
                let distance = levenshtein_within(left, right, *thresholds.last()?, scratch)?;
                thresholds.iter().position(|threshold| distance <= *threshold)
            }
            Self::DamerauLevenshtein(thresholds) => {
                let distance = damerau_levenshtein_within(left, right, *thresholds.last()?, scratch)?;
                thresholds.iter().position(|threshold| distance <= *threshold)
            }
            Self::Days(thresholds) | Self::Number(thresholds) => {
                thresholds.iter().position(|threshold| apart <= *threshold)
            }
        }
    }
}

impl Comparison {
    /// The level of equal values.
    pub(super) fn top(&self) -> i16 {
        self.top
    }

    /// The level of two values that are not NULL.
    pub(super) fn level(&self, left: &str, right: &str, scratch: &mut Scratch) -> Option<i16> {
        // No more than one test is of dates or numbers.
        let mut apart = 0.0;
        for test in &self.tests {
            apart = f64::max(apart, test.apart(left, right)?);
        }
        if left == right {
            return Some(self.top);
        }
        let mut level = self.top - 1;
        for test in &self.tests {
            if let Some(place) = test.passed(left, right, apart, scratch) {
                return Some(level - place as i16);
            }
            level -= test.levels() as i16;
        }
        Some(0)
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// The number of a day of `YYYY-MM-DD` (with a time after it, or not), `YYYY/MM/DD` or `YYYYMMDD`.
fn day(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    let digits = |places: std::ops::Range<usize>| {
        bytes
            .get(places)?
            .iter()
            .try_fold(0_i32, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i32::from(byte - b'0')))
    };
    let (year, month, day) = match (bytes.len(), bytes.get(4), bytes.get(7)) {
        (8, _, _) => (digits(0..4)?, digits(4..6)?, digits(6..8)?),
        (_, Some(b'-'), Some(b'-')) | (_, Some(b'/'), Some(b'/')) => {
            if !matches!(bytes.get(10), None | Some(b' ' | b'T')) {
                return None;
            }
            (digits(0..4)?, digits(5..7)?, digits(8..10)?)
        }
        _ => return None,
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i32::from(leap),
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years from March on, so that a leap day is the last day of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_years = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(of_years + (153 * month + 2) / 5 + day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(comparison: &str, left: &str, right: &str) -> Option<i16> {
        comparison.parse::<Comparison>().unwrap().level(left, right, &mut Scratch::default())
    }

    #[test]
    fn levels_go_down_from_equality() {
        assert_eq!(level("exact", "a", "a"), Some(1));
        assert_eq!(level("exact", "a", "A"), Some(0));
        let names = "jw:0.92,0.88,0.7";
        assert_eq!(level(names, "martha", "martha"), Some(4));
        assert_eq!(level(names, "martha", "marhta"), Some(3));
        assert_eq!(level(names, "dwayne", "duane"), Some(1));
        assert_eq!(level(names, "ada", "zoe"), Some(0));
        assert_eq!(level("dl:1,2", "1234567", "2134567"), Some(2));
        assert_eq!(level("dl:1,2", "1234567", "2134568"), Some(1));
        assert_eq!(level("lev:1", "1234567", "2134567"), Some(0));
        assert_eq!(level("num:1,5", "10", "14.5"), Some(1));
    }

    #[test]
    fn dates_are_dates() {
        let birth = "lev:1 + date:1 month, 1 year, 10 years";
        assert_eq!(level(birth, "19800101", "19800101"), Some(5));
        assert_eq!(level(birth, "19800101", "19800102"), Some(4));
        assert_eq!(level(birth, "1980-01-05", "1980-02-04"), Some(3));
        assert_eq!(level(birth, "1980-01-05", "1980-02-16 12:00:00"), Some(2));
        assert_eq!(level(birth, "1980/01/05", "19751231"), Some(1));
        assert_eq!(level(birth, "1980-01-05", "1969-12-31"), Some(0));
        // No date, no evidence, even if the texts are equal.
        assert_eq!(level(birth, "19801301", "19801301"), None);
        assert_eq!(level(birth, "19810229", "19810301"), None);
        assert_eq!(day("19000301").unwrap() - day("19000228").unwrap(), 1);
        assert_eq!(day("20000301").unwrap() - day("20000228").unwrap(), 2);
        assert_eq!(day("20240101").unwrap() - day("19700101").unwrap(), 19_723);
    }

    #[test]
    fn what_is_no_comparison() {
        let wrong = [
            "",
            "jaro",
            "jw",
            "jw:",
            "jw:0.7,0.9",
            "jw:2",
            "lev:0",
            "lev:2,1",
            "lev:x",
            "date:1",
            "date:1 moon",
            "num:0",
            "date:1 month + num:3",
            "exact:1",
            "lev:1,2,3,4,5,6,7,8,9,10,11,12,13,14",
        ];
        for text in wrong {
            assert!(text.parse::<Comparison>().is_err(), "{text}");
        }
    }
}
