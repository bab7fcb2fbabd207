//! The time of day in UTC, as far as runs record it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, as RFC 3339: 2026-11-28T13:05:09Z.
pub(crate) fn now() -> String {
    let seconds = seconds();
    let of_day = seconds % 86_400;
    format!("{}T{:02}:{:02}:{:02}Z", day(seconds), of_day / 3600, of_day / 60 % 60, of_day % 60)
}

/// The day as YYYY-MM-DD.
pub(crate) fn today() -> String {
    day(seconds())
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// The civil calendar from seconds since 1970, after Hinnant.
fn day(seconds: u64) -> String {
    let days = (seconds / 86_400) as i64 + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let days = [0, 951_782_400, 1_709_164_800, 1_795_780_799].map(day);
        assert_eq!(days, ["1970-01-01", "2000-02-29", "2024-02-29", "2026-11-27"]);
    }

    #[test]
    fn the_time_is_one_that_sorts_as_text() {
        let now = now();
        assert_eq!(now.len(), "2026-11-28T13:05:09Z".len());
        assert!(now.starts_with(&today()) && now.ends_with('Z'), "{now}");
        assert!(now.as_str() > "2026-01-01T00:00:00Z", "{now}");
    }
}
