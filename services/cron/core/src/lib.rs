//! Schedules, policies and run state of cron: no WASI in it.
