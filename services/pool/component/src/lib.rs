//! The socket pool, as a component: what `cargo xtask build` makes `pool-open` and `pool` of.

mainstay_runtime::component!("pool", |context| mainstay_pool::service::start(
    context,
    mainstay_pool::component::Imported
));
