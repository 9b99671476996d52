//! The year of the demo: its days, Paris time, and how busy its hours are.
//!
//! Times are microseconds since 1970 in UTC; what people do follows the clock on their wall.

use super::chance::{Chance, Weights};

/// 2025-01-01, in days since 1970.
pub(super) const FIRST_DAY: i32 = 20_089;
/// How many days the year has. The morning after it is the demo's "today".
pub(super) const DAYS: usize = 365;
/// One second.
pub(super) const SECOND: i64 = 1_000_000;
/// One day of ordinary length.
pub(super) const DAY: i64 = 86_400 * SECOND;

/// Days of the year, 0 being the first of January.
const JANUARY_SALES: std::ops::Range<usize> = 7..35;
const MOTHERS_DAY: usize = 144;
const JUNE_SALES: std::ops::Range<usize> = 175..203;
const BLACK_FRIDAY: usize = 331;
const DECEMBER: usize = 334;
const CHRISTMAS: usize = 358;
/// New Year, May Day, Bastille Day, Christmas: shops are closed.
const CLOSED: [usize; 4] = [0, 120, 194, CHRISTMAS];
/// First Sundays of the sales, Sundays of Advent: shops are open.
const OPEN_SUNDAYS: [usize; 5] = [11, 179, 340, 347, 354];

/// The days and hours by which visits and purchases are spread.
pub(super) struct Calendar {
    /// How many people visit the web shop on each day.
    pub(super) web: Weights,
    /// The same for stores; a closed day has none.
    pub(super) store: Weights,
    web_hours: [Weights; 2],
    store_hours: Weights,
}

impl Calendar {
    pub(super) fn new() -> Self {
        let weekdays = [
            0.2, 0.1, 0.06, 0.04, 0.05, 0.15, 0.5, 1.0, 1.4, 1.6, 1.7, 1.8, 2.3, 2.2, 1.7, 1.6, 1.7, 2.0, 2.4, 2.6,
            3.2, 3.6, 2.6, 1.0,
        ];
        let weekends = [
            0.4, 0.2, 0.1, 0.06, 0.05, 0.08, 0.2, 0.5, 1.1, 1.9, 2.5, 2.6, 2.1, 2.0, 2.4, 2.6, 2.7, 2.7, 2.6, 2.5, 3.0,
            3.3, 2.3, 1.0,
        ];
        let mut hours = [0.0; 24];
        hours[10..20].copy_from_slice(&[0.8, 1.1, 1.2, 0.9, 1.0, 1.3, 1.5, 1.7, 1.8, 0.5]);
        Self {
            web: Weights::new((0..DAYS).map(web_visits)),
            store: Weights::new((0..DAYS).map(store_visits)),
            web_hours: [Weights::new(weekdays), Weights::new(weekends)],
            store_hours: Weights::new(hours),
        }
    }

    /// A moment of that day when somebody may be on the web.
    pub(super) fn web_moment(&self, day: i32, chance: &mut Chance) -> i64 {
        let hour = self.web_hours[usize::from(weekday(day) >= 5)].draw(chance);
        utc(day, hour as i64 * 3600 + i64::from(chance.below(3600))) + i64::from(chance.below(1000)) * 1000
    }

    /// A moment of that day when stores are open, which is from ten to half past seven.
    pub(super) fn store_moment(&self, day: i32, chance: &mut Chance) -> i64 {
        let hour = self.store_hours.draw(chance) as i64;
        let length = if hour == 19 { 1800 } else { 3600 };
        utc(day, hour * 3600 + i64::from(chance.below(length)))
    }
}

/// How ready people are to buy on a day of the year, 1 being an ordinary one.
pub(super) fn buying_mood(day: usize) -> f64 {
    if JANUARY_SALES.contains(&day) || JUNE_SALES.contains(&day) {
        1.4
    } else if (BLACK_FRIDAY - 1..BLACK_FRIDAY + 4).contains(&day) {
        1.7
    } else if (DECEMBER..CHRISTMAS - 3).contains(&day) || (MOTHERS_DAY - 9..MOTHERS_DAY).contains(&day) {
        1.35
    } else {
        1.0
    }
}

/// The percentage taken off on a day of the year from what takes part in sales.
pub(super) fn rebate(day: usize) -> i64 {
    for sales in [JANUARY_SALES, JUNE_SALES] {
        if sales.contains(&day) {
            return [20, 30, 40, 50][(day - sales.start) / 7];
        }
    }
    if (BLACK_FRIDAY - 1..BLACK_FRIDAY + 4).contains(&day) { 25 } else { 0 }
}

/// The month of a day of the year, 0 being January.
pub(super) fn month(day: usize) -> usize {
    const ENDS: [usize; 12] = [31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    ENDS.iter().position(|end| day < *end).unwrap_or(11)
}

/// 0 is Monday.
pub(super) fn weekday(day: i32) -> i32 {
    (day + 3).rem_euclid(7)
}

/// The instant of a second of a day in Paris.
pub(super) fn utc(day: i32, second: i64) -> i64 {
    let offset = if is_summer(day, second) { 7_200 } else { 3_600 };
    (i64::from(day) * 86_400 + second - offset) * SECOND
}

/// The day and the second of the day in Paris at an instant.
pub(super) fn paris(at: i64) -> (i32, i64) {
    let seconds = at.div_euclid(SECOND);
    let local = |offset: i64| (((seconds + offset).div_euclid(86_400)) as i32, (seconds + offset).rem_euclid(86_400));
    let (day, second) = local(7_200);
    if is_summer(day, second) && utc(day, second) / SECOND == seconds { (day, second) } else { local(3_600) }
}

/// The day of the demo's year at an instant; `None` before and after it.
pub(super) fn day_of_year(at: i64) -> Option<usize> {
    usize::try_from(paris(at).0 - FIRST_DAY).ok().filter(|day| *day < DAYS)
}

/// The first instant of the year and the first one after it.
pub(super) fn year() -> std::ops::Range<i64> {
    utc(FIRST_DAY, 0)..utc(FIRST_DAY + DAYS as i32, 0)
}

/// From the last Sunday of March, two o'clock, to that of October, three o'clock.
fn is_summer(day: i32, second: i64) -> bool {
    let (year, _) = civil(day);
    let (begin, end) = (last_sunday(year, 3), last_sunday(year, 10));
    (day > begin && day < end) || (day == begin && second >= 2 * 3_600) || (day == end && second < 3 * 3_600)
}

/// The last Sunday of a month of 31 days.
fn last_sunday(year: i32, month: i32) -> i32 {
    let last = day_number(year, month, 31);
    last - (weekday(last) + 1) % 7
}

/// Days since 1970 of a date of the Gregorian calendar.
pub(super) fn day_number(year: i32, month: i32, day: i32) -> i32 {
    // A year that begins in March has its leap day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The year of a day, and its number in the year.
pub(super) fn civil(day: i32) -> (i32, i32) {
    // At or before the right one: years are shorter than 366 days, and the extra one makes up for those before 1970.
    let mut year = 1969 + day.div_euclid(366);
    while day_number(year + 1, 1, 1) <= day {
        year += 1;
    }
    (year, day - day_number(year, 1, 1))
}

fn web_visits(day: usize) -> f64 {
    let by_weekday = [1.06, 1.0, 1.0, 0.96, 0.9, 0.94, 1.2][weekday(FIRST_DAY + day as i32) as usize];
    let by_month = [1.0, 0.85, 0.92, 0.95, 1.0, 0.95, 0.88, 0.78, 1.05, 1.0, 1.15, 1.25][month(day)];
    let mut peak = 1.0;
    for sales in [JANUARY_SALES, JUNE_SALES] {
        if sales.contains(&day) {
            // The first days are the busiest, and each new markdown brings some of them back.
            peak = [2.2, 1.8, 1.5, 1.35, 1.3, 1.25, 1.2][(day - sales.start) % 7]
                * [1.0, 0.85, 0.8, 0.8][(day - sales.start) / 7];
        }
    }
    let peak = match day {
        BLACK_FRIDAY => 2.6,
        d if d == BLACK_FRIDAY + 3 => 2.0,
        d if (BLACK_FRIDAY - 3..BLACK_FRIDAY + 4).contains(&d) => 1.5,
        d if (MOTHERS_DAY - 8..MOTHERS_DAY).contains(&d) => 1.4,
        d if (DECEMBER..CHRISTMAS - 4).contains(&d) => 1.45,
        d if (CHRISTMAS - 1..CHRISTMAS + 1).contains(&d) => 0.55,
        _ => peak,
    };
    by_weekday * by_month * peak * (1.0 + 0.12 * day as f64 / DAYS as f64)
}

fn store_visits(day: usize) -> f64 {
    let sunday = weekday(FIRST_DAY + day as i32) == 6;
    if CLOSED.contains(&day) || (sunday && !OPEN_SUNDAYS.contains(&day)) {
        return 0.0;
    }
    let by_weekday = [0.7, 0.8, 1.1, 0.85, 1.1, 1.95, 1.2][weekday(FIRST_DAY + day as i32) as usize];
    let by_month = [1.0, 0.85, 0.92, 0.95, 1.0, 1.0, 0.95, 0.72, 1.05, 1.0, 1.0, 1.15][month(day)];
    let peak = match day {
        d if JANUARY_SALES.contains(&d) || JUNE_SALES.contains(&d) => 1.5,
        d if (BLACK_FRIDAY - 1..BLACK_FRIDAY + 2).contains(&d) => 1.9,
        d if (CHRISTMAS - 14..CHRISTMAS).contains(&d) => 2.1,
        d if (MOTHERS_DAY - 4..MOTHERS_DAY).contains(&d) => 1.4,
        _ => 1.0,
    };
    by_weekday * by_month * peak
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(day_number(1970, 1, 1), 0);
        assert_eq!(day_number(2000, 2, 29), 11_016);
        assert_eq!(day_number(2025, 1, 1), FIRST_DAY);
        assert_eq!(day_number(1938, 12, 31), -11_324);
        assert_eq!(weekday(FIRST_DAY), 2);
        assert_eq!(civil(FIRST_DAY - 1), (2024, 365));
        assert_eq!(civil(FIRST_DAY), (2025, 0));
        assert_eq!(civil(-11_324), (1938, 364));
        // Black Friday is one, Mother's Day and the open days are Sundays.
        assert_eq!(weekday(FIRST_DAY + BLACK_FRIDAY as i32), 4);
        for sunday in OPEN_SUNDAYS.iter().chain([&MOTHERS_DAY]) {
            assert_eq!(weekday(FIRST_DAY + *sunday as i32), 6, "{sunday}");
        }
    }

    #[test]
    fn paris_has_summer_time() {
        let hours = |day: i32| (utc(day + 1, 0) - utc(day, 0)) / SECOND / 3_600;
        let (spring, autumn) = (FIRST_DAY + 88, FIRST_DAY + 298);
        assert_eq!((hours(spring), hours(autumn), hours(spring + 1)), (23, 25, 24));
        for day in FIRST_DAY..FIRST_DAY + DAYS as i32 {
            for second in [0, 14_400, 50_000, 86_399] {
                assert_eq!(paris(utc(day, second)), (day, second));
            }
        }
        assert_eq!(day_of_year(year().start), Some(0));
        assert_eq!(day_of_year(year().start - 1), None);
        assert_eq!(day_of_year(year().end - 1), Some(364));
        assert_eq!(day_of_year(year().end), None);
    }
}
