//! Several services, as one component: what `cargo xtask build` makes `bundle` of, and its siblings.

mainstay_runtime::component!("bundle", mainstay_bundle::start::all);
