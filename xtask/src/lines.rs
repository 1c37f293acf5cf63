//! What a service logs, made readable: ticks as a table, other lines as text.

use console::{Style, style};
use serde_json::{Map, Value};

/// A run that is over, as the cron service logs it.
#[derive(Debug, PartialEq, Eq)]
struct Tick {
    job: String,
    scheduled: String,
    lag: String,
    took: String,
    outcome: String,
    next: String,
    /// Why it did not succeed; empty when it did.
    error: String,
}

/// Turns lines of a service's JSON log into lines for people.
#[derive(Default)]
pub(crate) struct Lines {
    header_shown: bool,
}

impl Lines {
    /// What to print for one line of output. A line that is no JSON log, as the components' own words and the host's,
    /// keeps its text.
    pub(crate) fn render(&mut self, line: &str) -> String {
        let as_it_is = || style(line).dim().to_string();
        let Ok(Value::Object(fields)) = serde_json::from_str(line) else {
            return as_it_is();
        };
        let Some(tick) = Tick::of(&fields) else {
            return event(&fields).unwrap_or_else(as_it_is);
        };
        let row = tick.row();
        if std::mem::replace(&mut self.header_shown, true) {
            return row;
        }
        let header = columns("SCHEDULED", "LAG", "TOOK", &format!("{:<11}", "OUTCOME"), "NEXT", "JOB");
        format!("{}\n{row}", style(header).dim())
    }
}

impl Tick {
    /// A log line that has a scheduled time and an outcome tells of a tick.
    fn of(fields: &Map<String, Value>) -> Option<Self> {
        let field = |name: &str| fields.get(name).map(text);
        let or_dash = |name: &str| field(name).unwrap_or_else(|| "-".to_owned());
        Some(Self {
            scheduled: field("scheduled")?,
            outcome: field("outcome")?,
            job: or_dash("job"),
            lag: or_dash("lag"),
            took: or_dash("took"),
            next: or_dash("next"),
            error: field("error").map(|error| format!("  {error}")).unwrap_or_default(),
        })
    }

    fn row(&self) -> String {
        let colour = match self.outcome.as_str() {
            "succeeded" => Style::new().green(),
            "expired" | "replaced" | "vetoed" => Style::new().yellow(),
            _ => Style::new().red(),
        };
        // Padded before it is coloured: colours are characters too.
        let outcome = colour.apply_to(format!("{:<11}", self.outcome)).to_string();
        let row = columns(&self.scheduled, &self.lag, &self.took, &outcome, &self.next, &self.job);
        row + &self.error
    }
}

fn columns(scheduled: &str, lag: &str, took: &str, outcome: &str, next: &str, job: &str) -> String {
    format!("{scheduled:<25}  {lag:>9}  {took:>9}  {outcome}  {next:<25}  {job}")
}

/// Another event: time of day, level, message, fields.
fn event(fields: &Map<String, Value>) -> Option<String> {
    let level = fields.get("level")?.as_str()?;
    let time = fields.get("timestamp")?.as_str()?;
    let time = time.split_once('T').map_or(time, |(_, time)| time);
    let time: String = time.chars().take("18:10:00.000".len()).collect();
    let colour = match level {
        "ERROR" => Style::new().red(),
        "WARN" => Style::new().yellow(),
        _ => Style::new().dim(),
    };
    let mut line = format!("{time} {}", colour.apply_to(format!("{level:>5}")));
    if let Some(message) = fields.get("message") {
        line.push(' ');
        line.push_str(&text(message));
    }
    let is_other = |name: &str| !["level", "message", "target", "timestamp"].contains(&name);
    for (name, value) in fields.iter().filter(|(name, _)| is_other(name)) {
        line.push_str(&format!(" {}={}", style(name).dim(), text(value)));
    }
    Some(line)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: &str = r#"{"timestamp":"2026-11-22T18:10:02.001Z","level":"INFO","message":"tick","job":"greeting",
        "scheduled":"2026-11-22T18:10:02Z","lag":"1.2ms","took":"340us","outcome":"succeeded",
        "next":"2026-11-22T18:10:04Z","target":"mainstay_cron"}"#;

    fn plain(lines: &mut Lines, line: &str) -> String {
        console::strip_ansi_codes(&lines.render(line)).into_owned()
    }

    #[test]
    fn ticks_stand_in_columns_below_one_header() {
        let mut lines = Lines::default();
        let row = "2026-11-22T18:10:02Z           1.2ms      340us  succeeded    2026-11-22T18:10:04Z       greeting";
        let header = "SCHEDULED                        LAG       TOOK  OUTCOME      NEXT                       JOB";
        assert_eq!(plain(&mut lines, TICK), format!("{header}\n{row}"));
        assert_eq!(plain(&mut lines, TICK), row);
    }

    #[test]
    fn a_failed_tick_says_why() {
        let mut lines = Lines::default();
        plain(&mut lines, TICK);
        let failed = TICK.replace(r#""succeeded""#, r#""timed-out","error":"no answer within 1s""#);
        assert!(plain(&mut lines, &failed).contains("  timed-out    2026-11-22T18:10:04Z"));
        assert!(plain(&mut lines, &failed).ends_with("  greeting  no answer within 1s"));
    }

    #[test]
    fn other_events_read_as_text() {
        let line = r#"{"timestamp":"2026-11-22T18:10:00.000123Z","level":"WARN","message":"no volume","jobs":2}"#;
        assert_eq!(
            plain(&mut Lines::default(), line),
            "18:10:00.000  WARN no volume jobs=2"
        );
    }

    #[test]
    fn what_is_no_log_passes_as_it_is() {
        for line in ["host-test: running", "{\"a\":1}", "", "{"] {
            assert_eq!(plain(&mut Lines::default(), line), line);
        }
    }
}
