//! What a pool is told.

use std::time::Duration;

/// How a pool behaves. Defaults are those of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many addresses there are.
    pub hosts: usize,
    /// Which of them is connected to.
    pub balance: Balance,
    /// Connections that are kept though nobody wants them.
    pub min_idle: usize,
    /// Connections at most.
    pub max: usize,
    /// Connections on top of `max` for who has waited for `reserve_after`.
    pub reserve: usize,
    /// See `reserve`.
    pub reserve_after: Duration,
    /// Who waits at most; further ones are refused.
    pub max_waiting: usize,
    /// An idle connection that nobody wanted for so long is closed, if there are more than `min_idle`.
    pub idle_timeout: Option<Duration>,
    /// A connection that is older is closed when nobody has it.
    pub max_lifetime: Option<Duration>,
    /// By how much of it each connection's lifetime is shorter, at most: so they do not all end together.
    pub lifetime_jitter_percent: u8,
    /// A connection that was idle for longer is checked before it is handed out.
    pub check_after: Option<Duration>,
    /// A connection that nobody has is checked each time it has said nothing for so long: so middle boxes keep it, and
    /// one whose host has vanished is noticed before somebody wants it.
    pub keepalive: Option<Duration>,
    /// Whether idle connections can be checked at all.
    pub can_check: bool,
    /// Connections of `max` that are for those alone who [hold](super::Pool::hold) one.
    pub held: usize,
    /// Who holds a connection for longer is reported.
    pub leak_after: Option<Duration>,
    /// Connects that go on at once.
    pub connects_at_once: usize,
    /// How soon an address is tried again after it failed once.
    pub backoff_min: Duration,
    /// How late at most.
    pub backoff_max: Duration,
    /// When an address is left alone.
    pub ejection: Ejection,
}

/// Which of several addresses is connected to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// The first that works.
    #[default]
    Failover,
    /// One after the other.
    RoundRobin,
}

/// When an address is left alone, in the words of Envoy's outlier detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// So many failures in a row eject an address.
    pub consecutive_failures: u32,
    /// For how long: so much for each ejection since the last success. Twice as long the second time, three times the third.
    pub base: Duration,
    /// For how long at most.
    pub max: Duration,
    /// The share of the addresses that may be ejected at once. Only with 100 the circuit can open: then all who want a
    /// connection are refused at once.
    pub max_percent: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hosts: 1,
            balance: Balance::Failover,
            min_idle: 0,
            max: 10,
            reserve: 0,
            reserve_after: Duration::from_secs(5),
            max_waiting: 10_000,
            idle_timeout: Some(Duration::from_secs(600)),
            max_lifetime: Some(Duration::from_secs(3600)),
            lifetime_jitter_percent: 10,
            check_after: Some(Duration::from_secs(30)),
            keepalive: Some(Duration::from_secs(120)),
            can_check: true,
            held: 0,
            leak_after: None,
            connects_at_once: 16,
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_secs(1),
            ejection: Ejection::default(),
        }
    }
}

impl Default for Ejection {
    fn default() -> Self {
        Self {
            consecutive_failures: 10,
            base: Duration::from_secs(1),
            max: Duration::from_secs(30),
            max_percent: 100,
        }
    }
}
