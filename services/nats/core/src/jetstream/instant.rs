//! Points in time, as JetStream writes them: RFC 3339 in UTC, with up to nine digits of a second.

/// Seconds and nanoseconds since 1970-01-01T00:00:00Z of a text such as `2026-11-22T18:34:43.123456789Z`.
pub fn parse(text: &str) -> Option<(i64, u32)> {
    let (date, time) = text.trim().strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = numbers(date.split('-'))?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let [hour, minute, second] = numbers(time.split(':'))?;
    let valid = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 61;
    if !valid || fraction.len() > 9 {
        return None;
    }
    let nanoseconds: u32 = format!("{fraction:0<9}").parse().ok()?;
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some((seconds, nanoseconds))
}

fn numbers<'a>(mut parts: impl Iterator<Item = &'a str>) -> Option<[i64; 3]> {
    let mut next = || {
        let part = parts.next()?;
        let digits = !part.is_empty() && part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
        if digits { part.parse().ok() } else { None }
    };
    let numbers = [next()?, next()?, next()?];
    parts.next().is_none().then_some(numbers)
}

/// Days from 1970-01-01 to a day of the Gregorian calendar. The year begins in March, so that the day that is there only
/// in leap years is its last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_to_the_nanosecond() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", (0, 0)),
            ("2000-02-29T12:00:00.5Z", (951_825_600, 500_000_000)),
            ("2026-11-22T18:34:43.123456789Z", (1_795_372_483, 123_456_789)),
            ("1969-12-31T23:59:59Z", (-1, 0)),
            ("2100-03-01T00:00:00Z", (4_107_542_400, 0)),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            "now",
            "2026-11-22",
            "2026-11-22T18:34:43",
            "2026-13-22T18:34:43Z",
            "2026-11-22T1:2Z",
            "a-b-cTd:e:fZ",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
