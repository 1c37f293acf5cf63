//! Schedules that start with `@`: OCPS 1.1 §7 and the two of this crate, `@every` and `@at`.

use std::time::Duration;

use jiff::Timestamp;

use super::error::Reason;
use super::every;
use super::field::END;
use super::nearest;

/// What an alias stands for.
#[derive(Debug)]
pub(super) enum Alias {
    /// A pattern of five fields.
    Pattern(&'static str),
    /// `@reboot`: once, when the service starts.
    Startup,
    /// `@every`: an interval.
    Every(Duration),
    /// `@at`: one instant.
    At(Timestamp),
}

/// OCPS 1.1 §7.1.
const PATTERNS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// Reads a schedule that starts with `@`; aliases are case-sensitive (OCPS 1.1 §7.1).
pub(super) fn parse(text: &str) -> Result<Alias, Reason> {
    let (alias, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    let rest = rest.trim_matches([' ', '\t']);
    match alias {
        "@every" => return every::parse_duration(rest).map(Alias::Every),
        "@at" => return parse_instant(rest).map(Alias::At),
        _ => {}
    }
    let known = match alias {
        "@reboot" => Alias::Startup,
        _ => {
            let pattern = PATTERNS
                .iter()
                .find_map(|(name, pattern)| (*name == alias).then_some(pattern));
            Alias::Pattern(pattern.ok_or_else(|| unknown(alias))?)
        }
    };
    if rest.is_empty() {
        Ok(known)
    } else {
        Err(Reason::AliasWithFields {
            alias: alias.to_owned(),
            rest: rest.to_owned(),
        })
    }
}

fn unknown(alias: &str) -> Reason {
    let names = PATTERNS
        .iter()
        .map(|(name, _)| *name)
        .chain(["@reboot", "@every", "@at"]);
    Reason::UnknownAlias {
        alias: alias.to_owned(),
        nearest: nearest::nearest(&alias.to_ascii_lowercase(), names),
    }
}

/// The instant of `@at`: RFC 3339, so with an offset.
fn parse_instant(value: &str) -> Result<Timestamp, Reason> {
    let refuse = |rule| Reason::At {
        value: value.to_owned(),
        rule,
    };
    let instant: Timestamp = value.parse().map_err(|_| {
        let local = value.parse::<jiff::civil::DateTime>().is_ok();
        refuse(if local {
            "an instant needs its offset from UTC; add Z, or one such as +02:00"
        } else {
            "not an instant; write it as RFC 3339 does, such as 2027-01-31T08:00:00Z"
        })
    })?;
    if !(Timestamp::UNIX_EPOCH..END).contains(&instant) {
        return Err(refuse("its year is not in 1970-2199"));
    }
    Ok(instant)
}
