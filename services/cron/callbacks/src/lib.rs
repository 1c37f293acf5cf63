//! Optional cron callbacks that do nothing.
