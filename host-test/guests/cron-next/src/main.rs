//! Counts next-run calculations a second: `cron-next MILLISECONDS ZONE PATTERN...` prints the rate over all patterns,
//! each walked for so long.

mod walk;

use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [milliseconds, zone, patterns @ ..] = arguments.as_slice() else {
        eprintln!("usage: cron-next MILLISECONDS ZONE PATTERN...");
        return ExitCode::FAILURE;
    };
    let Ok(milliseconds) = milliseconds.parse() else {
        eprintln!("{milliseconds:?} is not a number of milliseconds");
        return ExitCode::FAILURE;
    };
    match walk::rate(zone, patterns, Duration::from_millis(milliseconds)) {
        Ok(rate) => {
            println!("{rate:.0}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
