//! A reactive component that cron calls.
