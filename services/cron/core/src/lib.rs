//! Schedules, policies and run state of cron: no WASI in it.
//!
//! - [`schedule`]: when a job is due
//! - [`job`], [`policy`]: a job, and what it may do beside its schedule
//! - [`engine`]: what to do at each instant, and what an outcome leads to
//! - [`run`], [`action`]: runs and what the engine asks of the service
//! - [`state`], [`record`], [`lived`]: what is known of jobs and time, and how it changes
//! - [`journal`]: that state as text on a disk
//! - [`lease`]: which of several replicas runs the jobs, and the state that it hands on
//! - [`moment`], [`hash`], [`trace`]: points in time, a stable hash, trace context

pub mod action;
pub mod engine;
pub mod hash;
pub mod job;
pub mod journal;
pub mod lease;
pub mod lived;
pub mod moment;
pub mod policy;
pub mod record;
pub mod run;
pub mod schedule;
pub mod state;
pub mod trace;

pub use action::Action;
pub use engine::{Engine, Limits};
pub use job::Job;
pub use moment::{Moment, Now};
pub use policy::Policy;
pub use run::{End, JobId, Outcome, RunKey, run_id};
