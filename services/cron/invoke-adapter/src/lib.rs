//! Lets a component that exports wasmcloud:example/cron join.
