//! The cron service: calls a component on schedule.
//!
//! What is due, missed or tried again is the core crate's business (`mainstay-cron-core`); here are the clock, the
//! callbacks, the disk and the network.
//!
//! - [`config`]: settings to jobs
//! - [`component`]: the callbacks, as the rest of the service sees them
//! - `bindings`: `mainstay:cron`, as generated from its WIT
//! - [`service`]: start, and the loop that turns the engine
//! - `attempts`: the callbacks in flight
//! - `deliver`: events, in order and in batches
//! - `disk`: the journal's file
//! - [`election`]: what it takes to be one of several replicas of which one runs the jobs; `elected` is the loop then
//! - `admin`: JSON pages for operators
//! - `report`, `meters`: log lines and metrics

mod admin;
mod attempts;
mod bindings;
pub mod component;
pub mod config;
mod deliver;
mod disk;
mod elected;
pub mod election;
mod meters;
mod report;
pub mod service;

pub use bindings::mainstay::cron::{events, gate, job, schedule};
