//! The test host.
fn main() {}
