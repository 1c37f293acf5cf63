//! The cron service for several replicas, as a component: what `cargo xtask build` makes `cron-elected` of.

mainstay_runtime::component!("cron", |context| mainstay_cron_elected::start(
    context,
    mainstay_cron::component::Imported
));
