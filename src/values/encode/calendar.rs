//! The proleptic Gregorian calendar over 64-bit day numbers: PostgreSQL's range is wider than chrono's.

/// Days from 1970-01-01 to 2000-01-01, the epoch of PostgreSQL's binary dates and timestamps.
pub(crate) const POSTGRES_EPOCH_DAYS: i64 = 10_957;
/// The same in microseconds.
pub(crate) const POSTGRES_EPOCH_MICROS: i64 = POSTGRES_EPOCH_DAYS * MICROS_PER_DAY;
/// Microseconds of a day.
pub(crate) const MICROS_PER_DAY: i64 = 86_400_000_000;

const DAYS_PER_ERA: i64 = 146_097; // 400 years
const MARCH_OF_YEAR_ZERO: i64 = 719_468; // days from 0000-03-01 to 1970-01-01

/// A date or timestamp: a count since 1970-01-01, or one of PostgreSQL's two infinities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Point {
    Finite(i64),
    Infinity,
    NegativeInfinity,
}

/// Year (0 is 1 BC), month and day of a day number since 1970-01-01.
pub(crate) fn civil(days: i64) -> (i64, u32, u32) {
    // Years begin in March here, so that the leap day is the last of its year.
    let shifted = days + MARCH_OF_YEAR_ZERO;
    let era = shifted.div_euclid(DAYS_PER_ERA);
    let day_of_era = shifted.rem_euclid(DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u32, day as u32)
}

/// The day number of a date that exists; the year must be far from the ends of 64 bits.
pub(crate) fn days(year: i64, month: u32, day: u32) -> i64 {
    let month = i64::from(month);
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - MARCH_OF_YEAR_ZERO
}

/// Whether a year has a 29 February.
pub(crate) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Number of days in a month; 0 for a month that does not exist.
pub(crate) fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 => 28 + u32::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    }
}

/// Day of the week, 0 for Sunday.
pub(super) fn weekday(days: i64) -> usize {
    (days + 4).rem_euclid(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(POSTGRES_EPOCH_DAYS), (2000, 1, 1));
        assert_eq!(civil(-1), (1969, 12, 31));
        // The first day PostgreSQL knows: 4714-11-24 BC.
        assert_eq!(civil(-2_440_588), (-4713, 11, 24));
        assert_eq!(weekday(days(2024, 2, 29)), 4);
    }

    #[test]
    fn there_and_back_over_several_eras() {
        for day in (-3_000_000..3_000_000).step_by(997) {
            let (year, month, dom) = civil(day);
            assert!(dom >= 1 && dom <= days_in_month(year, month));
            assert_eq!(days(year, month, dom), day);
        }
    }
}
