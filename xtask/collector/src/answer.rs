//! What the collector says to a request.

use std::time::Duration;

/// An answer, in terms of both protocols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All of it is taken.
    Accept,
    /// Part of it is not taken (OTLP, partial success).
    Partial {
        /// How many spans, points or records were not.
        rejected: i64,
        /// Why.
        message: String,
    },
    /// None of it is taken.
    Refuse {
        /// The status of HTTP.
        http: u16,
        /// The code of gRPC.
        grpc: i32,
        /// After how long to try again: `Retry-After` in seconds, or gRPC's `RetryInfo`.
        retry_after: Option<Duration>,
        /// Why.
        message: String,
    },
    /// The connection is closed without an answer.
    Close,
}

impl Answer {
    /// The answer of a collector that is full: 429, or `UNAVAILABLE` with `RetryInfo`.
    pub fn full(retry_after: Option<Duration>) -> Self {
        Self::Refuse {
            http: 429,
            grpc: 14,
            retry_after,
            message: "full".to_owned(),
        }
    }

    /// The answer to what never will be taken: 400, or `INVALID_ARGUMENT`.
    pub fn bad(message: &str) -> Self {
        Self::Refuse {
            http: 400,
            grpc: 3,
            retry_after: None,
            message: message.to_owned(),
        }
    }
}
