//! The SDK, set up for a component.
//!
//! Batch processors start a thread, which a component cannot; and it may be gone before a batch is full. So each span is
//! exported when it ends. That is cheap: it goes no further than to the sidecar, which makes batches of them.

use std::sync::LazyLock;

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use crate::sidecar::Sidecar;

/// Where the sidecar takes spans. It is written here since `OTEL_EXPORTER_OTLP_ENDPOINT`, where service and components
/// share their variables, is the collector.
const ENDPOINT: &str = "http://127.0.0.1:4318/v1/traces";

static TRACER: LazyLock<SdkTracer> = LazyLock::new(|| {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Sidecar)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(ENDPOINT)
        .build();
    let mut provider =
        SdkTracerProvider::builder().with_resource(Resource::builder().with_service_name("shop").build());
    match exporter {
        Ok(exporter) => provider = provider.with_simple_exporter(exporter),
        // The component does its work all the same.
        Err(error) => eprintln!("no spans: {error}"),
    }
    let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME")).with_version(env!("CARGO_PKG_VERSION"));
    provider.build().tracer_with_scope(scope.build())
});

/// The tracer of this component.
pub(crate) fn tracer() -> &'static SdkTracer {
    &TRACER
}
