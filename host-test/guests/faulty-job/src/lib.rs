//! A cron job that traps, hangs, exits or allocates as its payload says.
