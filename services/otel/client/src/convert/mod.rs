//! What `wasi:otel` says, in OTLP's words. Nothing is lost on the way, nothing made up.
//!
//! - [`value`]: attributes and values
//! - [`context`]: ids, flags and trace state
//! - [`trace`], [`metrics`], [`logs`]: the three signals

pub mod context;
pub mod logs;
pub mod metrics;
pub mod trace;
pub mod value;

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::{Datetime, types};

/// Nanoseconds since 1970. OTLP's last one is in the year 2554; whatever is later counts as then.
pub(crate) fn nanoseconds(time: Datetime) -> u64 {
    let seconds = time.seconds.saturating_mul(1_000_000_000);
    seconds.saturating_add(time.nanoseconds.into())
}

/// A scope and, apart from it in OTLP, its schema.
pub(crate) fn scope(scope: types::InstrumentationScope) -> (InstrumentationScope, String) {
    let converted = InstrumentationScope {
        name: scope.name,
        version: scope.version.unwrap_or_default(),
        attributes: value::attributes(scope.attributes),
        dropped_attributes_count: 0,
    };
    (converted, scope.schema_url.unwrap_or_default())
}

/// A resource and, apart from it in OTLP, its schema.
pub(crate) fn resource(resource: types::Resource) -> (Resource, String) {
    let converted = Resource {
        attributes: value::attributes(resource.attributes),
        ..Resource::default()
    };
    (converted, resource.schema_url.unwrap_or_default())
}
