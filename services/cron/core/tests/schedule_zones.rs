//! Zones by name, and the table of offsets against jiff's own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod schedule_support;

use jiff::tz::TimeZoneDatabase;
use mainstay_cron_core::schedule::{DstRule, Zone};
use proptest::prelude::*;
use schedule_support::{random, schedule, zone};

fn refusal(name: &str) -> String {
    name.parse::<Zone>().unwrap_err().to_string()
}

#[test]
fn every_zone_of_the_database_is_read_and_keeps_its_name() {
    let database = TimeZoneDatabase::bundled();
    let mut zones = 0;
    for name in database.available() {
        assert_eq!(zone(name.as_str()).name(), name.as_str());
        zones += 1;
    }
    assert!(zones >= 590, "{zones}");
}

#[test]
fn names_are_read_in_any_case() {
    assert_eq!(zone("europe/paris").name(), "Europe/Paris");
    assert_eq!(zone("UTC").name(), "UTC");
    assert_eq!(zone("utc"), Zone::utc());
    assert_eq!(Zone::default(), Zone::utc());
    assert_ne!(zone("Europe/Paris"), zone("Europe/Berlin"));
}

#[test]
fn a_zone_that_does_not_exist_is_refused_with_the_nearest() {
    let table = [
        (
            "Europe/Pariss",
            r#"zone "Europe/Pariss": not in the IANA time zone database; did you mean Europe/Paris?"#,
        ),
        (
            "Paris",
            r#"zone "Paris": not in the IANA time zone database; did you mean Europe/Paris?"#,
        ),
        (
            "new_york",
            r#"zone "new_york": not in the IANA time zone database; did you mean America/New_York?"#,
        ),
        (
            "Amerca/Chicago",
            r#"zone "Amerca/Chicago": not in the IANA time zone database; did you mean America/Chicago?"#,
        ),
        (
            "Moon/Base",
            r#"zone "Moon/Base": not in the IANA time zone database; use a name such as UTC or Europe/Paris"#,
        ),
        (
            "local",
            r#"zone "local": not in the IANA time zone database; use a name such as UTC or Europe/Paris"#,
        ),
        (
            "",
            r#"zone "": not in the IANA time zone database; use a name such as UTC or Europe/Paris"#,
        ),
        (
            "+02:00",
            r#"zone "+02:00": an offset is not a zone; use UTC or an IANA name such as Europe/Paris"#,
        ),
        (
            "-05",
            r#"zone "-05": an offset is not a zone; use UTC or an IANA name such as Europe/Paris"#,
        ),
    ];
    for (name, message) in table {
        assert_eq!(refusal(name), message);
    }
}

#[test]
fn a_rule_for_clocks_is_skip_or_vixie() {
    assert_eq!("skip".parse(), Ok(DstRule::Skip));
    assert_eq!("vixie".parse(), Ok(DstRule::Vixie));
    assert_eq!(DstRule::default(), DstRule::Skip);
    let error = "Vixie".parse::<DstRule>().unwrap_err();
    assert_eq!(error.to_string(), r#"dst "Vixie" is not "skip" or "vixie""#);
}

proptest! {
    #[test]
    fn local_time_is_jiffs_own_in_every_zone(name in random::zone(), instant in random::instant()) {
        let jiffs = TimeZoneDatabase::bundled().get(&name).unwrap();
        let local = jiffs.to_datetime(instant);
        let pattern = format!("{} {} {} {} {} * {}",
            local.second(), local.minute(), local.hour(), local.day(), local.month(), local.year());
        prop_assume!((1970..=2199).contains(&local.year()));
        let found = schedule(&pattern, &name, DstRule::Vixie).next_after(jiff::Timestamp::MIN).unwrap();
        prop_assert_eq!(jiffs.to_datetime(found), local.with().subsec_nanosecond(0).build().unwrap());
    }
}
