//! Schedules, policies and run state of cron: no WASI in it.
//!
//! - [`schedule`]: when a job is due

pub mod schedule;
