//! Names of the specification that are a SDK's business. `wash dev` gives the service and its component one environment,
//! so those of the component's SDK stand here too; they are no mistakes.

/// Whether a SDK reads it and a sidecar has no use for it.
pub(super) fn is_of_a_sdk(name: &str) -> bool {
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

const NAMES: [&str; 21] = [
    "OTEL_SDK_DISABLED",
    "OTEL_ENTITIES",
    "OTEL_PROPAGATORS",
    "OTEL_LOG_LEVEL",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "OTEL_TRACES_EXPORTER",
    "OTEL_METRICS_EXPORTER",
    "OTEL_LOGS_EXPORTER",
    "OTEL_METRICS_EXEMPLAR_FILTER",
    "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_METRIC_EXPORT_TIMEOUT",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
    "OTEL_SEMCONV_STABILITY_OPT_IN",
    "OTEL_CONFIG_FILE",
    "OTEL_RUST_RESOURCE_DETECTORS",
];

const PREFIXES: [&str; 18] = [
    "OTEL_BSP_",
    "OTEL_BLRP_",
    "OTEL_SPAN_",
    "OTEL_LOGRECORD_",
    "OTEL_EXPORTER_ZIPKIN_",
    "OTEL_EXPORTER_PROMETHEUS_",
    "OTEL_EXPORTER_JAEGER_",
    "OTEL_EXPERIMENTAL_",
    "OTEL_INSTRUMENTATION_",
    "OTEL_PYTHON_",
    "OTEL_NODE_",
    "OTEL_JAVA",
    "OTEL_DOTNET_",
    "OTEL_GO_",
    "OTEL_PHP_",
    "OTEL_RUBY_",
    "OTEL_CPP_",
    "OTEL_RESOURCE_DETECTORS",
];
