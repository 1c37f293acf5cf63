//! The cron service: calls a component on schedule.
