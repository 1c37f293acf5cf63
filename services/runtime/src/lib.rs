//! What every Mainstay service shares: event loop, configuration, health, supervision, logging.
