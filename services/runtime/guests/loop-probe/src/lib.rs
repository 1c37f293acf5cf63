//! A service that measures the event loop from within.
