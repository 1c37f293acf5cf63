//! A pattern in words, for people who check what they wrote.
//!
//! croner's own description is not used: it takes `LW` for `L`, and `2-12/3` for "every 3".

use super::field::Field;

/// Above so many values, a step is told as one instead of being listed.
const LISTED: usize = 8;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Sunday at both ends, as the field has it.
const WEEKDAYS: [&str; 8] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

const ORDINALS: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];

/// Describes the fields of a pattern, as [`super::Schedule::fields`] gives them.
pub(super) fn describe(fields: &str) -> String {
    let mut parts = fields.split(' ');
    let mut next = || parts.next().unwrap_or("*");
    let mut text = time(next(), next(), next());
    let (of_month, month, of_week, year) = (next(), next(), next(), next());
    text.push_str(&days(of_month, of_week));
    for (field, list) in [(Field::Month, month), (Field::Year, year)] {
        if list != "*" {
            text.push_str(&format!(" in {}", join(values(field, list))));
        }
    }
    text
}

fn time(second: &str, minute: &str, hour: &str) -> String {
    if let Some(times) = times_of_day(second, minute, hour) {
        return format!("at {}", join(times));
    }
    let mut text = if second == "0" {
        pace(Field::Minute, minute)
    } else {
        pace(Field::Second, second)
    };
    if second != "0" && minute != "*" {
        text.push_str(&format!(" of minute {}", join(values(Field::Minute, minute))));
    } else if second != "0" && text.starts_with("at") {
        text.push_str(" of every minute");
    }
    if hour != "*" {
        text.push_str(&format!(" of hour {}", join(values(Field::Hour, hour))));
    } else if text.contains("minute ") {
        text.push_str(" of every hour");
    }
    text
}

/// `04:30` and so on, if the fields name a few times of day and nothing more.
fn times_of_day(second: &str, minute: &str, hour: &str) -> Option<Vec<String>> {
    let numbers = |list: &str| {
        list.split(',')
            .map(|item| item.parse().ok())
            .collect::<Option<Vec<u16>>>()
    };
    let (seconds, minutes, hours) = (numbers(second)?, numbers(minute)?, numbers(hour)?);
    let [second] = seconds.as_slice() else { return None };
    if minutes.len() * hours.len() > LISTED {
        return None;
    }
    let second = if *second == 0 {
        String::new()
    } else {
        format!(":{second:02}")
    };
    let times = hours
        .iter()
        .flat_map(|hour| minutes.iter().map(move |minute| (hour, minute)));
    Some(
        times
            .map(|(hour, minute)| format!("{hour:02}:{minute:02}{second}"))
            .collect(),
    )
}

/// How often within the next larger unit.
fn pace(field: Field, list: &str) -> String {
    match list.strip_prefix("*/").map(str::parse::<u16>) {
        _ if list == "*" => format!("every {field}"),
        Some(Ok(1)) => format!("every {field}"),
        // Only a step that divides the minute or hour keeps its pace across the end of one.
        Some(Ok(step)) if step < 60 && 60 % step == 0 => format!("every {step} {field}s"),
        _ => format!("at {field} {}", join(values(field, list))),
    }
}

fn days(of_month: &str, of_week: &str) -> String {
    let (of_week, both) = match of_week.strip_prefix('+') {
        Some(of_week) => (of_week, true),
        None => (of_week, false),
    };
    match (of_month, of_week) {
        ("*", "*") => String::new(),
        ("*", _) => format!(" on {}", join(days_of_week(of_week))),
        (_, "*") => format!(" on {}", join(days_of_month(of_month))),
        _ if both => format!(
            " on {} if it is {}",
            join(days_of_month(of_month)),
            join(days_of_week(of_week))
        ),
        _ => format!(
            " on {} and on {}",
            join(days_of_month(of_month)),
            join(days_of_week(of_week))
        ),
    }
}

fn days_of_month(list: &str) -> Vec<String> {
    let words = |item: &str| match (item, item.strip_suffix('W')) {
        ("L", _) => vec!["the last day of the month".to_owned()],
        ("LW", _) => vec!["the last weekday of the month".to_owned()],
        (_, Some(day)) => vec![format!("the weekday nearest day {day}")],
        _ => values(Field::DayOfMonth, item)
            .into_iter()
            .map(|day| format!("day {day}"))
            .collect(),
    };
    list.split(',').flat_map(words).collect()
}

fn days_of_week(list: &str) -> Vec<String> {
    let words = |item: &str| match item.split_once('#') {
        Some((day, nth)) => {
            let nth = nth
                .parse()
                .ok()
                .and_then(|nth: usize| ORDINALS.get(nth.checked_sub(1)?))
                .unwrap_or(&"last");
            vec![format!("the {nth} {} of the month", value(Field::DayOfWeek, day))]
        }
        None => values(Field::DayOfWeek, item),
    };
    list.split(',').flat_map(words).collect()
}

/// The words for a list's values and ranges; steps are listed if they are few.
fn values(field: Field, list: &str) -> Vec<String> {
    let words = |item: &str| {
        let (range, step) = item.split_once('/').unwrap_or((item, "1"));
        let whole = field.range_text();
        let range = if range == "*" { whole.as_str() } else { range };
        let Some((low, high)) = range.split_once('-') else {
            return vec![value(field, range)];
        };
        let (Ok(low), Ok(high), Ok(step)) = (low.parse::<u16>(), high.parse::<u16>(), step.parse::<usize>()) else {
            return vec![item.to_owned()];
        };
        let word = |number: u16| value(field, &number.to_string());
        let stepped: Vec<u16> = (low..=high).step_by(step.max(1)).collect();
        if step > 1 && stepped.len() <= LISTED {
            return stepped.into_iter().map(word).collect();
        }
        let steps = if step > 1 {
            format!(" in steps of {step}")
        } else {
            String::new()
        };
        vec![format!("{} to {}{steps}", word(low), word(high))]
    };
    list.split(',').flat_map(words).collect()
}

/// The word for one value.
fn value(field: Field, number: &str) -> String {
    let name = |names: &[&str], first: usize| {
        let index = number.parse().ok().and_then(|number: usize| number.checked_sub(first));
        index.and_then(|index| names.get(index)).map(|name| (*name).to_owned())
    };
    match field {
        Field::Month => name(&MONTHS, 1),
        Field::DayOfWeek => name(&WEEKDAYS, 0),
        _ => None,
    }
    .unwrap_or_else(|| number.to_owned())
}

/// `a, b and c`.
fn join(mut words: Vec<String>) -> String {
    let last = words.pop().unwrap_or_default();
    if words.is_empty() {
        last
    } else {
        format!("{} and {last}", words.join(", "))
    }
}
