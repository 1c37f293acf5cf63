//! The OpenTelemetry sidecar, as a component: what `cargo xtask build` makes `otel-open` and `otel` of.

mainstay_runtime::component!("otel", |context| mainstay_otel::service::start(
    context,
    mainstay_otel::component::Imported
));
