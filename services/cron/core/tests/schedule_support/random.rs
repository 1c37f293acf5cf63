//! Random patterns, zones and instants.

use jiff::Timestamp;
use mainstay_cron_core::schedule::DstRule;
use proptest::prelude::*;

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A pattern of five fields.
pub(crate) fn minutes() -> impl Strategy<Value = String> {
    (field(0, 59), field(0, 23), day_of_month(), month(), day_of_week())
        .prop_map(|(minute, hour, day, month, weekday)| format!("{minute} {hour} {day} {month} {weekday}"))
}

/// A pattern of six fields.
pub(crate) fn seconds() -> impl Strategy<Value = String> {
    (field(0, 59), minutes()).prop_map(|(second, rest)| format!("{second} {rest}"))
}

/// A pattern of any number of fields.
pub(crate) fn any() -> impl Strategy<Value = String> {
    let years = (seconds(), field(1970, 2199)).prop_map(|(fields, year)| format!("{fields} {year}"));
    prop_oneof![3 => minutes(), 3 => seconds(), 1 => years]
}

/// The name of any zone.
pub(crate) fn zone() -> impl Strategy<Value = String> {
    let names: Vec<String> = jiff::tz::TimeZoneDatabase::bundled()
        .available()
        .map(|name| name.to_string())
        .collect();
    prop::sample::select(names)
}

pub(crate) fn rule() -> impl Strategy<Value = DstRule> {
    prop_oneof![Just(DstRule::Skip), Just(DstRule::Vixie)]
}

/// An instant of the years that schedules cover, most often in those that people live in, sometimes between seconds.
pub(crate) fn instant() -> impl Strategy<Value = Timestamp> {
    let seconds = prop_oneof![4 => 0_i64..2_500_000_000, 1 => 0_i64..7_258_000_000];
    (seconds, prop_oneof![3 => Just(0), 1 => 1..1_000_000_000])
        .prop_map(|(second, nanosecond)| Timestamp::new(second, nanosecond).expect("an instant"))
}

fn field(low: u16, high: u16) -> impl Strategy<Value = String> {
    prop_oneof![2 => Just("*".to_owned()), 3 => list(plain(low, high))]
}

fn list(item: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::collection::vec(item, 1..4).prop_map(|items| items.join(","))
}

fn plain(low: u16, high: u16) -> impl Strategy<Value = String> {
    let range = (low..=high).prop_flat_map(move |first| (Just(first), first..=high));
    prop_oneof![
        4 => (low..=high).prop_map(|value| value.to_string()),
        2 => range.clone().prop_map(|(first, last)| format!("{first}-{last}")),
        1 => (range, 1..80_u16).prop_map(|((first, last), step)| format!("{first}-{last}/{step}")),
        1 => (1..80_u16).prop_map(|step| format!("*/{step}")),
        1 => Just("*".to_owned()),
    ]
}

fn month() -> impl Strategy<Value = String> {
    let name = prop::sample::select(MONTHS.to_vec()).prop_map(str::to_owned);
    prop_oneof![4 => Just("*".to_owned()), 2 => list(plain(1, 12)), 1 => list(name)]
}

fn day_of_month() -> impl Strategy<Value = String> {
    let special = prop_oneof![1 => Just("L".to_owned()), 3 => plain(1, 31)];
    prop_oneof![
        4 => prop_oneof![Just("*".to_owned()), Just("?".to_owned())],
        3 => list(plain(1, 31)),
        2 => list(special),
        1 => Just("LW".to_owned()),
        2 => (1..=31).prop_map(|day| format!("{day}W")),
    ]
}

fn day_of_week() -> impl Strategy<Value = String> {
    let day = prop_oneof![
        (0..=7).prop_map(|day: i32| day.to_string()),
        prop::sample::select(WEEKDAYS.to_vec()).prop_map(str::to_owned),
    ];
    let special = prop_oneof![
        2 => (day.clone(), 1..=5).prop_map(|(day, nth)| format!("{day}#{nth}")),
        1 => day.clone().prop_map(|day| format!("{day}#L")),
        1 => day.clone().prop_map(|day| format!("{day}L")),
        1 => plain(0, 7),
    ];
    let days = prop_oneof![list(plain(0, 7)), list(day), list(special), Just("FRI-SUN".to_owned())];
    prop_oneof![
        4 => prop_oneof![Just("*".to_owned()), Just("?".to_owned())],
        4 => days.clone(),
        2 => days.prop_map(|days| format!("+{days}")),
    ]
}
