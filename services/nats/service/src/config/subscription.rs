//! One subscription: which messages come through it, how many at once, what becomes of those that fail.

use std::time::Duration;

use mainstay_nats_core::delivery::dispatch::{Limits, WhenFull};
use mainstay_nats_core::delivery::order::Order;
use mainstay_nats_core::delivery::plan::Retries;
use mainstay_nats_core::subject::Pattern;
use mainstay_nats_link::size;
use mainstay_runtime::config::{ConfigError, Settings, Value};

/// Which messages call the component, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its name, for the handler, logs and metrics.
    pub name: String,
    /// Where its messages come from.
    pub source: Source,
    /// How many messages it takes at once.
    pub limits: Limits,
    /// Which must not overtake one another.
    pub order: Order,
    /// How long one call of the handler may take.
    pub timeout: Duration,
}

/// Where the messages of a subscription come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Core NATS.
    Core {
        /// The subjects.
        subjects: Vec<Pattern>,
        /// The group whose members share the messages.
        queue: Option<String>,
    },
    /// A durable pull consumer of JetStream.
    JetStream(Box<Consumer>),
}

/// A durable pull consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// The stream.
    pub stream: String,
    /// The consumer's name.
    pub name: String,
    /// Whether it is made, or changed to what is said here, if it is not there or not so.
    pub ensure: bool,
    /// The subjects of the stream that it delivers; all if none is said.
    pub filter: Vec<Pattern>,
    /// Where it begins when it is made.
    pub start: StartAt,
    /// How long it waits for an acknowledgement; the consumer's own if it is not made here.
    pub ack_wait: Duration,
    /// Whether the server confirms each acknowledgement before the message counts as done.
    pub double_ack: bool,
    /// How often and when messages are tried again.
    pub retries: Retries,
    /// What is left of those that nobody could handle.
    pub dead_letter: Option<DeadLetter>,
}

/// Where a consumer begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartAt {
    /// With the first message of the stream.
    #[default]
    All,
    /// With the next one to come.
    New,
    /// With the last one.
    Last,
    /// With the last one of each subject.
    LastPerSubject,
}

/// Where dead letters go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The subject.
    pub subject: String,
    /// Whether a stream must have stored one before its message counts as done.
    pub stored: bool,
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Subscription {
    /// Reads the one subscription that the variables tell of, if they do.
    pub(super) fn read_single(settings: &mut Settings) -> Result<Option<Self>, ConfigError> {
        let named = settings.value("name");
        let subscription = match &named {
            Some(value) => Self::of(settings, name(value)?)?,
            None => Self::of(settings, "default".to_owned())?,
        };
        match named {
            Some(name) if subscription.is_none() => {
                Err(name.error("names a subscription that is not there; set NATS_SUBJECTS or NATS_STREAM too"))
            }
            _ => Ok(subscription),
        }
    }

    /// Reads one subscription's table.
    pub(super) fn read(settings: &mut Settings) -> Result<Self, ConfigError> {
        let name = name(&settings.required("name", "orders")?)?;
        Self::of(settings, name)?.ok_or_else(|| settings.error("neither subjects nor stream and consumer are set"))
    }

    fn of(settings: &mut Settings, name: String) -> Result<Option<Self>, ConfigError> {
        let source = source(settings)?;
        let when_full = [
            ("drop-new", WhenFull::DropNew),
            ("drop-old", WhenFull::DropOld),
            ("stop-reading", WhenFull::StopReading),
        ];
        let core = matches!(source, Some(Source::Core { .. }));
        let running = settings.or("concurrency", 64, |value| value.integer(1..=10_000))?;
        // What JetStream has not been asked for it keeps; what core NATS delivers is lost where there is no room for it.
        let messages = if core { 65_536 } else { 1000 };
        let messages = settings.or("max_messages", messages, |value| value.integer(1..=1_000_000))?;
        let bytes = settings.or("max_bytes", 16 << 20, |value| size(value, 1024))?;
        let policy = settings.value("when_full");
        if let Some(policy) = &policy
            && !core
        {
            return Err(
                policy.error("is for core subscriptions; a full JetStream subscription asks for no more messages")
            );
        }
        let policy = policy.map_or(Ok(WhenFull::default()), |value| value.one_of(&when_full))?;
        let subscription = Self {
            name,
            limits: Limits {
                running,
                messages: messages.max(running),
                bytes,
                // What JetStream delivers was asked for, and there is room for it.
                when_full: if core { policy } else { WhenFull::StopReading },
            },
            order: settings.or("order", Order::None, |value| value.parse(Order::parse))?,
            timeout: settings.or("handler_timeout", 30 * SECOND, |value| {
                value.duration(SECOND / 1000..=DAY)
            })?,
            source: match source {
                Some(source) => source,
                None => return Ok(None),
            },
        };
        Ok(Some(subscription))
    }
}

fn name(value: &Value) -> Result<String, ConfigError> {
    let text = value.text()?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    if text.is_empty() || text.len() > 128 || !text.chars().all(allowed) {
        return Err(value.error("not 1 to 128 letters, digits and . _ - /, for example orders"));
    }
    Ok(text.to_owned())
}

fn source(settings: &mut Settings) -> Result<Option<Source>, ConfigError> {
    let subjects = patterns(settings, "subjects")?;
    let queue = settings.value("queue").map(|value| token(&value)).transpose()?;
    let stream = settings.value("stream");
    let consumer = consumer(settings, stream.as_ref())?;
    match (subjects, consumer) {
        (Some(_), Some(_)) => {
            let rule = "subjects and stream are both set; a subscription is one of core NATS or of JetStream, whose \
                        subjects are chosen by filter";
            Err(settings.error(rule))
        }
        (None, Some(_)) if queue.is_some() => {
            Err(settings.error("queue is set; replicas that share a JetStream consumer share its messages without one"))
        }
        (None, None) if queue.is_some() => Err(settings.error("queue is set and subjects are not")),
        (Some(subjects), None) => Ok(Some(Source::Core { subjects, queue })),
        (None, consumer) => Ok(consumer.map(|consumer| Source::JetStream(Box::new(consumer)))),
    }
}

/// Patterns of which none covers another: a message would come once for each.
fn patterns(settings: &mut Settings, key: &str) -> Result<Option<Vec<Pattern>>, ConfigError> {
    let Some(value) = settings.value(key) else {
        return Ok(None);
    };
    let mut patterns: Vec<Pattern> = Vec::new();
    for item in value.list()? {
        let pattern = item.parse(str::parse::<Pattern>)?;
        if let Some(other) = patterns
            .iter()
            .find(|other| other.covers(&pattern) || pattern.covers(other))
        {
            return Err(item.error(format!("overlaps with {other}, and a message would come twice")));
        }
        patterns.push(pattern);
    }
    if patterns.is_empty() {
        Err(value.error("no subject, for example orders.>"))
    } else {
        Ok(Some(patterns))
    }
}

/// A stream, a consumer, a queue group: one token of a subject.
fn token(value: &Value) -> Result<String, ConfigError> {
    let text = value.text()?;
    let wrong = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '.' | '*' | '>' | '/' | '\\');
    if text.is_empty() || text.contains(wrong) {
        return Err(value.error("not a name: it may hold no blanks and none of . * > / \\"));
    }
    Ok(text.to_owned())
}

/// What a consumer is told, and a subscription of core NATS has no use for.
const OF_CONSUMERS: [&str; 9] = [
    "ensure",
    "filter",
    "deliver",
    "ack",
    "ack_wait",
    "max_deliver",
    "back_off",
    "dead_letter",
    "dead_letter_stored",
];

fn consumer(settings: &mut Settings, stream: Option<&Value>) -> Result<Option<Consumer>, ConfigError> {
    let name = settings.value("consumer");
    if stream.is_none()
        && name.is_none()
        && let Some(value) = OF_CONSUMERS.iter().find_map(|key| settings.value(key))
    {
        return Err(value.error(
            "is for JetStream subscriptions, those with stream and consumer; core NATS has no acknowledgements",
        ));
    }
    let filter = patterns(settings, "filter")?.unwrap_or_default();
    let starts = [
        ("all", StartAt::All),
        ("new", StartAt::New),
        ("last", StartAt::Last),
        ("last-per-subject", StartAt::LastPerSubject),
    ];
    let ensure = settings.or("ensure", false, Value::flag)?;
    let start = settings.or("deliver", StartAt::default(), |value| value.one_of(&starts))?;
    let ack_wait = settings.or("ack_wait", 30 * SECOND, |value| value.duration(SECOND..=DAY))?;
    let double_ack = settings.or("ack", false, |value| {
        value.one_of(&[("single", false), ("double", true)])
    })?;
    let retries = Retries {
        max_deliver: settings.or("max_deliver", Some(5), |value| match value.text()? {
            "unlimited" => Ok(None),
            _ => value.integer(1..=1_000_000).map(Some),
        })?,
        back_off: settings.or(
            "back_off",
            vec![SECOND, 5 * SECOND, 30 * SECOND, 120 * SECOND],
            back_off,
        )?,
    };
    let stored = settings.or("dead_letter_stored", true, Value::flag)?;
    let dead_letter = settings.value("dead_letter").map(|value| subject(&value)).transpose()?;
    let (stream, name) = match (stream, name) {
        (Some(stream), Some(name)) => (token(stream)?, token(&name)?),
        (None, None) => return Ok(None),
        (Some(stream), None) => return Err(stream.error("needs a consumer, the name of a durable pull consumer")),
        (None, Some(name)) => return Err(name.error("needs a stream, the name of the consumer's stream")),
    };
    if !filter.is_empty() && !ensure {
        return Err(
            settings.error("filter is set; it is a part of the consumer, which is made only with ensure = true")
        );
    }
    Ok(Some(Consumer {
        stream,
        name,
        ensure,
        filter,
        start,
        ack_wait,
        double_ack,
        retries,
        dead_letter: dead_letter.map(|subject| DeadLetter { subject, stored }),
    }))
}

fn back_off(value: &Value) -> Result<Vec<Duration>, ConfigError> {
    let pauses: Vec<Duration> = value
        .list()?
        .iter()
        .map(|item| item.duration(Duration::ZERO..=DAY))
        .collect::<Result<_, _>>()?;
    if pauses.is_empty() {
        Err(value.error("no duration, for example 1s,5s,1m"))
    } else {
        Ok(pauses)
    }
}

fn subject(value: &Value) -> Result<String, ConfigError> {
    let text = value.text()?;
    let literal = text.parse::<Pattern>().is_ok_and(|pattern| pattern.is_literal());
    if !literal || text.starts_with('$') {
        return Err(value.error("not a subject to publish to, for example dead.orders"));
    }
    Ok(text.to_owned())
}
