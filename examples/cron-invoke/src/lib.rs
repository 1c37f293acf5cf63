//! A component of the one function cron interface.
