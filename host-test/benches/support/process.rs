//! What a process takes, as Linux tells it.

use std::fs;
use std::time::Duration;

/// Bytes of this process in memory. Pages that are mapped more than once, such as one component's code in several
/// workloads, count once.
#[allow(dead_code, reason = "each benchmark uses some of it")]
pub(crate) fn resident() -> Option<u64> {
    resident_of("self")
}

/// The same of the process with this id.
pub(crate) fn resident_of(process: &str) -> Option<u64> {
    let memory = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    let line = memory.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// What all threads of this process have run, to the nanosecond.
#[allow(dead_code, reason = "each benchmark uses some of it")]
pub(crate) fn processor_time() -> Option<Duration> {
    processor_time_of("self")
}

/// The same of the process with this id.
pub(crate) fn processor_time_of(process: &str) -> Option<Duration> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task")).ok()? {
        let schedule = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        nanoseconds += schedule.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanoseconds))
}
