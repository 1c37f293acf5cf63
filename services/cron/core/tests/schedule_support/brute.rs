//! A second reading of OCPS, written from the specification and sharing nothing with the crate: it says of one civil
//! time whether a pattern matches it. Slow and plain. Names must be in upper case; text that OCPS refuses is not for it.

use jiff::civil::DateTime;

/// A pattern: which values each field of time takes, and the text of the day fields.
#[derive(Debug, Clone)]
pub(crate) struct Brute {
    second: Vec<bool>,
    minute: Vec<bool>,
    hour: Vec<bool>,
    month: Vec<bool>,
    year: Vec<bool>,
    day_of_month: String,
    day_of_week: String,
    and: bool,
    is_wildcard_job: bool,
}

impl Brute {
    pub(crate) fn new(text: &str) -> Self {
        let mut fields: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        if fields.len() == 5 {
            fields.insert(0, "0".to_owned());
        }
        if fields.len() == 6 {
            fields.push("*".to_owned());
        }
        let [second, minute, hour, day_of_month, month, day_of_week, year] = fields.try_into().expect("seven fields");
        let is_wildcard_job = [&second, &minute, &hour].iter().any(|field| field.starts_with('*'));
        let values = |list: &str, lowest, highest| {
            (0..=highest)
                .map(|value| in_list(list, value, lowest, highest))
                .collect::<Vec<_>>()
        };
        Self {
            second: values(&second, 0, 59),
            minute: values(&minute, 0, 59),
            hour: values(&hour, 0, 23),
            month: values(&month, 1, 12),
            year: values(&year, 1970, 2199),
            day_of_month: day_of_month.replace('?', "*"),
            day_of_week: day_of_week.trim_start_matches('+').replace('?', "*"),
            and: day_of_week.starts_with('+'),
            is_wildcard_job,
        }
    }

    pub(crate) fn matches(&self, at: DateTime) -> bool {
        let takes = |values: &[bool], value: i16| values.get(value as usize).is_some_and(|takes| *takes);
        takes(&self.second, at.second().into())
            && takes(&self.minute, at.minute().into())
            && takes(&self.hour, at.hour().into())
            && takes(&self.month, at.month().into())
            && takes(&self.year, at.year())
            && self.matches_day(at.year().into(), at.month().into(), at.day().into())
    }

    /// Whether the hour field leaves no hour out.
    pub(crate) fn names_no_hour(&self) -> bool {
        self.hour.iter().all(|takes| *takes)
    }

    /// Whether Vixie cron would call it a wildcard job.
    pub(crate) fn is_wildcard_job(&self) -> bool {
        self.is_wildcard_job
    }

    fn matches_day(&self, year: i32, month: i32, day: i32) -> bool {
        let any_day_of_month = self.day_of_month.split(',').next() == Some("*");
        let any_day_of_week = self.day_of_week.split(',').next() == Some("*");
        let of_month = self
            .day_of_month
            .split(',')
            .any(|item| day_of_month(item, year, month, day));
        let of_week = self
            .day_of_week
            .split(',')
            .any(|item| day_of_week(item, year, month, day));
        match (any_day_of_month, any_day_of_week) {
            (true, true) => true,
            (true, false) => of_week,
            (false, true) => of_month,
            (false, false) if self.and => of_month && of_week,
            (false, false) => of_month || of_week,
        }
    }
}

fn in_list(list: &str, value: i32, lowest: i32, highest: i32) -> bool {
    list.split(',').any(|item| in_item(item, value, lowest, highest))
}

fn in_item(item: &str, value: i32, lowest: i32, highest: i32) -> bool {
    let (range, step) = item.split_once('/').unwrap_or((item, "1"));
    let step: i32 = step.parse().expect("a step");
    let (low, high) = match range.split_once('-') {
        _ if range == "*" => (lowest, highest),
        Some((low, high)) => (
            number(low),
            if high == "SUN" && number(low) > 0 {
                7
            } else {
                number(high)
            },
        ),
        None => (number(range), number(range)),
    };
    value >= lowest && (low..=high).contains(&value) && (value - low) % step == 0
}

fn number(text: &str) -> i32 {
    let months = [
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ];
    let days = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    if let Some(month) = months.iter().position(|name| *name == text) {
        return month as i32 + 1;
    }
    if let Some(day) = days.iter().position(|name| *name == text) {
        return day as i32;
    }
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
}

fn day_of_month(item: &str, year: i32, month: i32, day: i32) -> bool {
    let last = length(year, month);
    let is_work_day = |day: i32| (1..=5).contains(&weekday(year, month, day));
    if item == "L" {
        return day == last;
    }
    if item == "LW" {
        return Some(day) == (1..=last).rev().find(|day| is_work_day(*day));
    }
    if let Some(target) = item.strip_suffix('W') {
        let target = number(target);
        // The closest of the month's working days: Saturday has Friday, Sunday Monday nearer.
        let closest = (1..=last)
            .filter(|day| is_work_day(*day))
            .min_by_key(|day| (day - target).abs());
        return target <= last && Some(day) == closest;
    }
    in_item(item, day, 1, 31)
}

fn day_of_week(item: &str, year: i32, month: i32, day: i32) -> bool {
    let today = weekday(year, month, day);
    if let Some((weekday, nth)) = item.split_once('#') {
        let occurrence = (1..=day).rev().step_by(7).count();
        let is_last = day + 7 > length(year, month);
        return number(weekday) % 7 == today
            && (if nth == "L" {
                is_last
            } else {
                nth == occurrence.to_string()
            });
    }
    if let Some(weekday) = item.strip_suffix('L') {
        return number(weekday) % 7 == today && day + 7 > length(year, month);
    }
    in_item(item, today, 0, 7) || (today == 0 && in_item(item, 7, 0, 7))
}

fn length(year: i32, month: i32) -> i32 {
    match month {
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Zeller's congruence; Sunday is 0.
fn weekday(year: i32, month: i32, day: i32) -> i32 {
    let (year, month) = if month < 3 {
        (year - 1, month + 12)
    } else {
        (year, month)
    };
    let of_century = year % 100;
    let century = year / 100;
    let saturday_is_0 = (day + 13 * (month + 1) / 5 + of_century + of_century / 4 + century / 4 + 5 * century) % 7;
    (saturday_is_0 + 6) % 7
}
