//! The NATS service, as a component: what `cargo xtask build` makes `nats-open` and `nats` of.

mainstay_runtime::component!("nats", |context| mainstay_nats::service::start(
    context,
    mainstay_nats::component::Imported
));
