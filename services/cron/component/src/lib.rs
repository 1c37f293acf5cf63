//! The cron service, as a component: what `cargo xtask build` makes `cron-open` and `cron` of.

mainstay_runtime::component!("cron", |context| mainstay_cron::service::start(
    context,
    mainstay_cron::component::Imported
));
