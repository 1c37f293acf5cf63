//! What is added to telemetry, taken out of it, and left out as a whole.

use std::time::Duration;

use mainstay_otel_core::attributes::{Action, Rules};
use mainstay_otel_core::grpc::decode_message;
use mainstay_otel_core::resource::ResourceAttributes;
use mainstay_otel_core::sampling::head::Ratio;
use mainstay_otel_core::sampling::tail::Settings as Tail;
use mainstay_otel_core::sampling::tail::policy::{Attribute, Composite, Policy};
use mainstay_runtime::config::{ConfigError, Settings, Value};

use super::{HOUR, SECOND, size};

/// What is done to requests before they are queued.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Added to every resource.
    pub resource: ResourceAttributes,
    /// Dropped, hashed, redacted.
    pub attributes: Rules,
    /// The share of traces that is kept, none to keep all.
    pub ratio: Option<Ratio>,
    /// Which whole traces are kept, none to keep all.
    pub tail: Option<Tail>,
}

impl Change {
    pub(super) fn read(settings: &mut Settings) -> Result<Self, ConfigError> {
        Ok(Self {
            resource: resource(settings)?,
            attributes: rules(settings)?,
            ratio: settings
                .value("sample_ratio")
                .map(|value| ratio(&value))
                .transpose()?
                .filter(|ratio| !ratio.keeps_all()),
            tail: tail(settings)?,
        })
    }
}

/// `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`, which goes before a `service.name` in the former (OpenTelemetry
/// Specification, Resource SDK §Specifying resource information via an environment variable).
fn resource(settings: &mut Settings) -> Result<ResourceAttributes, ConfigError> {
    let mut attributes: Vec<(String, String)> = Vec::new();
    if let Some(value) = settings.value("resource_attributes") {
        for item in value.list()? {
            let text = item.text()?;
            let Some((key, content)) = text.split_once('=').filter(|(key, _)| !key.trim().is_empty()) else {
                return Err(value.error(format!(
                    "{text:?} is not key=value, for example deployment.environment=prod"
                )));
            };
            let key = key.trim().to_owned();
            attributes.retain(|(other, _)| *other != key);
            attributes.push((key, decode_message(content.trim())));
        }
    }
    if let Some(value) = settings.value("service_name") {
        attributes.retain(|(key, _)| key != "service.name");
        attributes.push(("service.name".to_owned(), value.text()?.to_owned()));
    }
    let overwrite = settings.or("resource_overwrite", false, Value::flag)?;
    Ok(ResourceAttributes::new(attributes, overwrite))
}

fn rules(settings: &mut Settings) -> Result<Rules, ConfigError> {
    let salt = settings.secret("attributes_hash_salt")?;
    let mut rules = Rules::new(salt.as_ref().map_or("", |salt| salt.reveal()));
    let lists = [
        ("attributes_drop", Action::Drop),
        ("attributes_hash", Action::Hash),
        ("attributes_redact", Action::Redact),
    ];
    for (key, action) in lists {
        let Some(value) = settings.value(key) else { continue };
        for item in value.list()? {
            let pattern = item.text()?;
            if pattern.strip_suffix('*').unwrap_or(pattern).contains('*') {
                return Err(value.error(format!(
                    "{pattern:?} has a * that is not at its end, for example user.*"
                )));
            }
            rules.add(pattern, action);
        }
    }
    Ok(rules)
}

fn number(value: &Value) -> Result<f64, ConfigError> {
    value.parse(|text| match text.trim().parse::<f64>() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("not a number from 0 to 1, for example 0.1"),
    })
}

fn ratio(value: &Value) -> Result<Ratio, ConfigError> {
    Ratio::new(number(value)?).ok_or_else(|| value.error("not a number from 0 to 1, for example 0.1"))
}

/// `[[tail_policy]]` tables, in the file or in the text of `OTEL_TAIL_POLICIES`.
fn tail(settings: &mut Settings) -> Result<Option<Tail>, ConfigError> {
    let mut policies = settings.tables("tail_policy", |table| policy(table, true))?;
    if let Some(inline) = settings.value("tail_policies") {
        let text = inline.text()?;
        policies.extend(Settings::read_toml("OTEL_TAIL_POLICIES", text, |inline| {
            inline.tables("tail_policy", |table| policy(table, true))
        })?);
    }
    let tail = Tail {
        decision_wait: settings.or("tail_wait", 30 * SECOND, |value| value.duration(SECOND / 1000..=HOUR))?,
        max_traces: settings.or("tail_traces", 50_000, |value| value.integer(1..=10_000_000))?,
        max_bytes: settings.or("tail_bytes", 32 << 20, |value| size(value, 64 << 10))?,
        policies,
    };
    Ok((!tail.policies.is_empty()).then_some(tail))
}

fn policy(settings: &mut Settings, may_be_composite: bool) -> Result<Policy, ConfigError> {
    #[derive(Clone, Copy)]
    enum Kind {
        Always,
        Latency,
        Status,
        Rate,
        Probability,
        Attribute,
        Composite,
    }
    let kinds = [
        ("always", Kind::Always),
        ("latency", Kind::Latency),
        ("status", Kind::Status),
        ("rate", Kind::Rate),
        ("probability", Kind::Probability),
        ("attribute", Kind::Attribute),
        ("composite", Kind::Composite),
    ];
    let kind = settings.required("policy", "latency")?;
    match kind.one_of(&kinds)? {
        Kind::Always => Ok(Policy::Always),
        Kind::Latency => {
            let threshold = settings.required("threshold", "500ms")?;
            Ok(Policy::Latency(threshold.duration(Duration::ZERO..=24 * HOUR)?))
        }
        Kind::Status => {
            let codes = settings.required("codes", "error")?;
            let words = [("unset", 0), ("ok", 1), ("error", 2)];
            let codes: Result<_, _> = codes.list()?.iter().map(|code| code.one_of(&words)).collect();
            Ok(Policy::Status(codes?))
        }
        Kind::Rate => Ok(Policy::Rate(
            settings
                .required("spans_per_second", "100")?
                .integer(1..=1_000_000_000)?,
        )),
        Kind::Probability => Ok(Policy::Probability(number(&settings.required("ratio", "0.1")?)?)),
        Kind::Attribute => {
            let key = settings.required("key", "http.route")?.text()?.to_owned();
            let values = settings.or("values", Vec::new(), |value| {
                value.list()?.iter().map(|item| Ok(item.text()?.to_owned())).collect()
            })?;
            Ok(Policy::Attribute(Attribute { key, values }))
        }
        Kind::Composite if may_be_composite => {
            let spans_per_second = settings
                .required("spans_per_second", "100")?
                .integer(1..=1_000_000_000)?;
            let parts = settings.tables("part", |part| {
                let share = number(&part.required("share", "0.5")?)?;
                Ok((policy(part, false)?, share))
            })?;
            if parts.is_empty() {
                return Err(settings.error("a composite without parts, each must begin with [[tail_policy.part]]"));
            }
            Ok(Policy::Composite(Composite {
                spans_per_second,
                parts,
            }))
        }
        Kind::Composite => Err(kind.error("a composite inside of a composite")),
    }
}
