//! The calendar: days and seconds since 1970 as people write them, in UTC, and the periods they search.

use std::{cmp::Ordering, ops::RangeInclusive, str::FromStr};

use serde::{Deserialize, Serialize};

/// A time of the Gregorian calendar, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub year: u64,
    /// 1 to 12.
    pub month: u64,
    /// 1 to 31.
    pub day: u64,
    pub hour: u64,
    pub minute: u64,
    pub second: u64,
    /// Days since Sunday: 0 to 6.
    pub weekday: u64,
}

impl Moment {
    /// So many seconds after the beginning of 1970. The arithmetic is Howard Hinnant's
    /// `civil_from_days` (<https://howardhinnant.github.io/date_algorithms.html>).
    #[must_use]
    pub fn at(seconds: u64) -> Self {
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        let shifted = days + 719_468; // days after 1 March of year 0
        let (era, of_era) = (shifted / 146_097, shifted % 146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        // Months are counted from March, so that a leap day is the last of the year.
        let march = (5 * of_year + 2) / 153;
        let month = if march < 10 { march + 3 } else { march - 9 };
        Self {
            year: era * 400 + year + u64::from(month <= 2),
            month,
            day: of_year - (153 * march + 2) / 5 + 1,
            hour: rest / 3_600,
            minute: rest / 60 % 60,
            second: rest % 60,
            weekday: (days + 4) % 7, // 1 January 1970 was a Thursday
        }
    }

    /// As RFC 3339 has it, to the second.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
            ..
        } = self;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// A year, a month or a day, as people bound a search: `2026`, `2026-11`, `2026-11-21`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period(String);

impl Period {
    /// How `date` (RFC 3339, or its beginning) lies to the period: before, within, after.
    #[must_use]
    pub fn holds(&self, date: &str) -> Ordering {
        let date = date.get(..self.0.len()).unwrap_or(date);
        date.cmp(&self.0)
    }
}

impl FromStr for Period {
    type Err = NoPeriod;

    fn from_str(text: &str) -> Result<Self, NoPeriod> {
        let is_number = |text: &str, digits: usize, range: RangeInclusive<u16>| {
            text.len() == digits
                && text.bytes().all(|b| b.is_ascii_digit())
                && text.parse().is_ok_and(|number| range.contains(&number))
        };
        let is_year = |text| is_number(text, 4, 0..=9999);
        let is_month = |text| is_number(text, 2, 1..=12);
        let is_day = |text| is_number(text, 2, 1..=31);
        let is_period = match text.split('-').collect::<Vec<_>>()[..] {
            [year] => is_year(year),
            [year, month] => is_year(year) && is_month(month),
            [year, month, day] => is_year(year) && is_month(month) && is_day(day),
            _ => false,
        };
        if is_period {
            Ok(Self(text.to_owned()))
        } else {
            Err(NoPeriod)
        }
    }
}

impl TryFrom<String> for Period {
    type Error = NoPeriod;

    fn try_from(text: String) -> Result<Self, NoPeriod> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.0
    }
}

/// A text that is no [`Period`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoPeriod;

impl std::fmt::Display for NoPeriod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a date is a year, a month or a day: 2026, 2026-11, 2026-11-21")
    }
}

impl std::error::Error for NoPeriod {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_year_a_month_or_a_day() {
        let holds = |period: &str, date| Period::from_str(period).unwrap().holds(date);
        assert_eq!(holds("2026", "2026-11-21"), Ordering::Equal);
        assert_eq!(holds("2026-11", "2026-11-21T10:00:00Z"), Ordering::Equal);
        assert_eq!(holds("2026-11-21", "2026-11-21"), Ordering::Equal);
        assert_eq!(holds("2026-11-21", "2026-12-01"), Ordering::Greater);
        assert_eq!(holds("2026", "2025-12-31"), Ordering::Less);
        for wrong in [
            "",
            "26",
            "2026-13",
            "2026-1",
            "2026-11-32",
            "2026-11-21-1",
            "today",
            "2026-",
        ] {
            assert_eq!(Period::from_str(wrong), Err(NoPeriod), "{wrong}");
        }
    }

    #[test]
    fn dates_are_right_around_leap_days_and_turns_of_the_year() {
        for (seconds, expected, weekday) in [
            (0, "1970-01-01T00:00:00Z", 4),
            (951_782_399, "2000-02-28T23:59:59Z", 1),
            (951_782_400, "2000-02-29T00:00:00Z", 2),
            (951_827_696, "2000-02-29T12:34:56Z", 2),
            (1_735_689_599, "2024-12-31T23:59:59Z", 2),
            (1_795_243_200, "2026-11-21T06:40:00Z", 6),
        ] {
            let moment = Moment::at(seconds);
            assert_eq!((&*moment.rfc3339(), moment.weekday), (expected, weekday));
        }
    }
}
