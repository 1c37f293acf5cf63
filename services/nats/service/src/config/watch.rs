//! Key-value buckets that the component watches.

use std::time::Duration;

use mainstay_nats_core::jetstream::kv;
use mainstay_nats_core::subject::Pattern;
use mainstay_runtime::config::{ConfigError, Settings, Value};

/// The keys of a bucket that the component is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The bucket.
    pub bucket: String,
    /// The keys, at least one pattern; `>` is all of them.
    pub keys: Vec<Pattern>,
    /// How long one call may take.
    pub timeout: Duration,
}

const SECOND: Duration = Duration::from_secs(1);

/// Reads `bucket` and `bucket/keys`; what is said of one bucket is one watch, so that its changes come in order.
pub(super) fn watches(settings: &mut Settings) -> Result<Vec<Watch>, ConfigError> {
    let hour = SECOND * 3600;
    let timeout = settings.or("kv_watch_timeout", 30 * SECOND, |value| {
        value.duration(SECOND / 1000..=hour)
    })?;
    let Some(value) = settings.value("kv_watch") else {
        return Ok(Vec::new());
    };
    let mut watches: Vec<Watch> = Vec::new();
    for item in value.list()? {
        let (bucket, keys) = parse(&item)?;
        let known = watches.iter_mut().find(|watch| watch.bucket == bucket);
        let Some(watch) = known else {
            watches.push(Watch {
                bucket,
                keys: vec![keys],
                timeout,
            });
            continue;
        };
        let mut others = watch.keys.iter();
        if let Some(other) = others.find(|other| other.covers(&keys) || keys.covers(other)) {
            return Err(item.error(format!("overlaps with {bucket}/{other}, and a change would come twice")));
        }
        watch.keys.push(keys);
    }
    if watches.is_empty() {
        return Err(value.error("no bucket, for example settings or settings/colours.>"));
    }
    Ok(watches)
}

fn parse(item: &Value) -> Result<(String, Pattern), ConfigError> {
    let text = item.text()?;
    let (bucket, keys) = text.split_once('/').unwrap_or((text, ">"));
    if !kv::is_bucket(bucket) {
        return Err(item.error("the bucket is not letters, digits, _ and -, for example settings/colours.>"));
    }
    let literal = keys.split('.').filter(|token| !matches!(*token, "*" | ">"));
    match keys.parse::<Pattern>() {
        Ok(pattern) if literal.clone().all(kv::is_key) => Ok((bucket.to_owned(), pattern)),
        _ => Err(item.error(
            "not keys of a bucket: letters, digits and - / _ = between dots; * stands for one token, a last > for many",
        )),
    }
}
