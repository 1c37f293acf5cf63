//! One job's settings, and those that all jobs share.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use mainstay_cron_core::policy::{Misfire, Overlap, Policy, Retry};
use mainstay_cron_core::schedule::{DstRule, ParseContext, Schedule, Zone};
use mainstay_cron_core::{Job, Moment};
use mainstay_runtime::config::{ConfigError, Settings, Value, format_duration};

use super::time;

/// The longest name of a job, in bytes.
pub const NAME_BYTES: usize = 128;

pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
const MILLISECOND: Duration = Duration::from_millis(1);

/// The most bytes of a payload: it is copied into every call.
const PAYLOAD_BYTES: usize = 1 << 20;

/// What a job takes from the settings around it unless it has its own.
#[derive(Clone, Debug)]
pub(super) struct Common {
    zone: Zone,
    dst: DstRule,
    policy: Arc<Policy>,
    payload: Arc<[u8]>,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            zone: Zone::utc(),
            dst: DstRule::default(),
            policy: Arc::new(Policy::default()),
            payload: Arc::new([]),
        }
    }
}

impl Common {
    /// Reads every setting of a job but its name and schedule; `outer` holds what is not set.
    pub(super) fn read(settings: &mut Settings, outer: &Self) -> Result<Self, ConfigError> {
        let zone = settings.or("zone", outer.zone.clone(), |value| {
            value.text()?.parse::<Zone>().map_err(|error| value.error(error.rule()))
        })?;
        let words = [("skip", DstRule::Skip), ("vixie", DstRule::Vixie)];
        let dst = settings.or("dst", outer.dst, |value| value.one_of(&words))?;
        let policy = policy(settings, &outer.policy, &zone)?;
        let policy = if policy == *outer.policy {
            outer.policy.clone()
        } else {
            Arc::new(policy)
        };
        let payload = payload(settings)?.unwrap_or_else(|| outer.payload.clone());
        Ok(Self {
            zone,
            dst,
            policy,
            payload,
        })
    }
}

fn policy(settings: &mut Settings, outer: &Policy, zone: &Zone) -> Result<Policy, ConfigError> {
    let overlaps = [
        ("allow", Overlap::Allow),
        ("forbid", Overlap::Forbid),
        ("replace", Overlap::Replace),
        ("queue", Overlap::Queue),
    ];
    let misfires = [("skip", Misfire::Skip), ("once", Misfire::Once), ("all", Misfire::All)];
    let some_duration = |value: &Value| value.duration(MILLISECOND..=YEAR).map(Some);
    let policy = Policy {
        overlap: settings.or("overlap", outer.overlap, |value| value.one_of(&overlaps))?,
        queue: settings.or("queue", outer.queue, |value| value.integer(1..=1000))?,
        misfire: settings.or("misfire", outer.misfire, |value| value.one_of(&misfires))?,
        deadline: settings.or("deadline", outer.deadline, some_duration)?,
        jitter: settings.or("jitter", outer.jitter, |value| value.duration(Duration::ZERO..=DAY))?,
        start: settings.or("start", outer.start, |value| time::instant(value, zone).map(Some))?,
        end: settings.or("end", outer.end, |value| time::instant(value, zone).map(Some))?,
        max_runs: settings.or("max_runs", outer.max_runs, |value| {
            value.integer(1..=u64::MAX).map(Some)
        })?,
        suspend: settings.or("suspend", outer.suspend, Value::flag)?,
        pause_on_failure: settings.or("pause_on_failure", outer.pause_on_failure, Value::flag)?,
        exclusions: settings.or("exclude", outer.exclusions.clone(), |value| {
            time::exclusions(value, zone)
        })?,
        timeout: settings.or("timeout", outer.timeout, |value| value.duration(MILLISECOND..=DAY))?,
        retry: retry(settings, outer.retry)?,
    };
    if let (Some(start), Some(end)) = (policy.start, policy.end)
        && start > end
    {
        return Err(settings.error(format!("start {start} is later than end {end}")));
    }
    Ok(policy)
}

fn retry(settings: &mut Settings, outer: Retry) -> Result<Retry, ConfigError> {
    let retry = Retry {
        retries: settings.or("retries", outer.retries, |value| value.integer(0..=1000))?,
        min: settings.or("retry_min", outer.min, |value| value.duration(MILLISECOND..=DAY))?,
        max: settings.or("retry_max", outer.max, |value| value.duration(MILLISECOND..=DAY))?,
        max_age: settings.or("retry_for", outer.max_age, |value| value.duration(MILLISECOND..=YEAR))?,
    };
    if retry.min > retry.max {
        let (min, max) = (format_duration(retry.min), format_duration(retry.max));
        return Err(settings.error(format!("retry_min {min} is more than retry_max {max}")));
    }
    Ok(retry)
}

/// The payload by one of its three ways, none if by none.
fn payload(settings: &mut Settings) -> Result<Option<Arc<[u8]>>, ConfigError> {
    let ways = ["payload", "payload_base64", "payload_file"].map(|key| settings.value(key));
    if let [Some(first), Some(second), _] | [Some(first), None, Some(second)] | [None, Some(first), Some(second)] =
        &ways
    {
        return Err(ConfigError::new(format!(
            "{} and {} are both set, must be one",
            first.name(),
            second.name()
        )));
    }
    let [text, base64, file] = ways;
    let (value, bytes) = if let Some(value) = text {
        let bytes = value.text()?.as_bytes().to_vec();
        (value, bytes)
    } else if let Some(value) = base64 {
        let decode = |text: &str| base64::prelude::BASE64_STANDARD.decode(text.trim());
        let bytes = value.parse(|text| decode(text).map_err(|error| format!("not base64: {error}")))?;
        (value, bytes)
    } else if let Some(value) = file {
        let bytes = value.parse(|path| std::fs::read(path).map_err(|error| format!("not read: {error}")))?;
        (value, bytes)
    } else {
        return Ok(None);
    };
    if bytes.len() > PAYLOAD_BYTES {
        return Err(ConfigError::new(format!(
            "{}: {} bytes, must be at most 1MiB",
            value.name(),
            bytes.len()
        )));
    }
    Ok(Some(bytes.into()))
}

/// Where a job comes from.
pub(super) enum Source {
    /// A table of a file or of a variable.
    Configuration,
    /// The component itself, with this payload.
    Component(Vec<u8>),
}

/// The jobs read so far.
#[derive(Debug)]
pub struct Jobs {
    pub(super) jobs: Vec<Job>,
    names: HashSet<Box<str>>,
    common: Common,
    /// Schedules that are read already, by all that they were read with.
    schedules: HashMap<(String, String, bool, Option<Moment>), Arc<Schedule>>,
}

impl Jobs {
    pub(super) fn new(common: Common) -> Self {
        Self {
            jobs: Vec::new(),
            names: HashSet::new(),
            common,
            schedules: HashMap::new(),
        }
    }

    /// Reads the one job that the variables tell of, if they do.
    pub(super) fn read_single(&mut self, settings: &mut Settings) -> Result<(), ConfigError> {
        let name = settings.value("name");
        match settings.value("schedule") {
            Some(schedule) => {
                let common = self.common.clone();
                self.add(name.as_ref(), &schedule, common)
            }
            None => match name {
                Some(name) => Err(name.error("names a job without a schedule; set CRON_SCHEDULE too")),
                None => Ok(()),
            },
        }
    }

    /// Reads one job's table.
    pub(super) fn read(&mut self, settings: &mut Settings, source: Source) -> Result<(), ConfigError> {
        let name = settings.required("name", "report")?;
        let schedule = settings.required("schedule", "0 3 * * *")?;
        let mut common = Common::read(settings, &self.common)?;
        if let Source::Component(payload) = source
            && !payload.is_empty()
        {
            common.payload = payload.into();
        }
        self.add(Some(&name), &schedule, common)
    }

    fn add(&mut self, name: Option<&Value>, schedule: &Value, common: Common) -> Result<(), ConfigError> {
        let name: Box<str> = match name {
            None => "job".into(),
            Some(value) => {
                let name = checked_name(value)?;
                if self.names.contains(name) {
                    return Err(value.error("is another job's name already; each job needs one of its own"));
                }
                name.into()
            }
        };
        let schedule = self.schedule(&name, schedule, &common)?;
        self.names.insert(name.clone());
        let Common {
            zone, policy, payload, ..
        } = common;
        self.jobs.push(Job {
            name,
            schedule,
            policy,
            zone,
            payload,
        });
        Ok(())
    }

    fn schedule(&mut self, name: &str, value: &Value, common: &Common) -> Result<Arc<Schedule>, ConfigError> {
        let text = value.text()?;
        let start = common.policy.start;
        let context = ParseContext {
            job: name,
            zone: common.zone.clone(),
            dst: common.dst,
            start: start.map(jiff::Timestamp::from),
        };
        // Hashed fields differ from job to job.
        let shared = !text.contains('H');
        let key = (
            text.to_owned(),
            common.zone.name().to_owned(),
            common.dst == DstRule::Vixie,
            start,
        );
        if let Some(schedule) = self.schedules.get(&key).filter(|_| shared) {
            return Ok(schedule.clone());
        }
        let schedule = Schedule::parse(text, &context).map_err(|error| value.error(error.reason()))?;
        // One whose last tick is past is no mistake: it may have run. One that never had any is.
        schedule
            .check_fires_after(jiff::Timestamp::UNIX_EPOCH)
            .map_err(|error| value.error(error.reason()))?;
        let schedule = Arc::new(schedule);
        if shared {
            self.schedules.insert(key, schedule.clone());
        }
        Ok(schedule)
    }
}

/// Names stand in run ids, logs, metrics, URLs and the journal.
fn checked_name(value: &Value) -> Result<&str, ConfigError> {
    let name = value.text()?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    if name.is_empty() || name.len() > NAME_BYTES || !name.chars().all(allowed) {
        return Err(value.error("not 1 to 128 letters, digits and . _ - /, for example nightly-report"));
    }
    Ok(name)
}
