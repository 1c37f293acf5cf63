//! How values are written on the command line, the files that they name, and what is printed of them.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use mainstay_compose::Component;

/// The component in a file, called by the file's name in messages.
///
/// # Errors
/// When the file cannot be read or is not a component.
pub(super) fn read_component(path: &Path) -> anyhow::Result<Component> {
    let bytes = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    Ok(Component::decode(name, &bytes)?)
}

/// Prints what may be longer than its reader, `head` for one, wants to see.
///
/// # Errors
/// When it cannot be written for another reason.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// `30s`, `1m30s`, `500ms`: whole numbers, each with its unit, largest unit first.
///
/// # Errors
/// The value, the rule it breaks and an example.
pub fn duration(text: &str) -> Result<Duration, String> {
    let rule = || format!("\"{text}\" is not a duration: whole numbers with units h, m, s or ms, for example 1m30s");
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (digits, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(rule)?);
        let (unit, after) = after.split_at(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()));
        let count: u64 = digits.parse().map_err(|_| rule())?;
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(rule()),
        };
        let part = count
            .checked_mul(milliseconds)
            .map(Duration::from_millis)
            .ok_or_else(rule)?;
        total = total.checked_add(part).ok_or_else(rule)?;
        rest = after;
    }
    if total.is_zero() { Err(rule()) } else { Ok(total) }
}

/// `NAME=value`; the value may hold further `=` and may be empty.
///
/// # Errors
/// The value, the rule it breaks and an example.
pub fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!(
            "\"{text}\" is not NAME=value, for example CRON_ZONE=Europe/Prague"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_adds_its_parts() {
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
    }

    #[test]
    fn a_duration_needs_units_and_a_length() {
        for bad in [
            "",
            "0s",
            "30",
            "s",
            "1x",
            "-1s",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert!(
                duration(bad).is_err_and(|error| error.contains("for example 1m30s")),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_value_may_hold_equals_signs() {
        assert_eq!(key_value("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert!(key_value("=b").is_err());
    }
}
