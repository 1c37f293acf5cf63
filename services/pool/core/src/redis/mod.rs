//! Redis: many clients on few connections.
//!
//! - `reply`: where an answer ends
//! - `command`: where a command ends, and its words
//! - `classify`: what a command means for who else is on the connection
//! - `session`: what a client is told that no server said: HELLO, AUTH, CLIENT SETNAME
//! - `mux`: commands of many clients on one connection, and whose the answers are
//! - `dedicated`: a client with a connection of its own, and when it may go back
//! - `login`: what a connection begins with
//!
//! The framing is our own: the crate `redis-protocol` makes a tree of values of each answer, and a multiplexer only has to
//! know where it ends. So a value of a megabyte is passed on as it comes, and never copied into anything.

mod classify;
mod command;
mod dedicated;
mod login;
mod mux;
mod reply;
mod session;

pub use classify::{Class, Local, classify};
pub use command::{Command, Commands, MAX_COMMAND, write_command};
pub use dedicated::Dedicated;
pub use login::{Identity, Login, LoginError};
pub use mux::{ClientId, Lost, Mux};
pub use reply::{Kind, Progress, Scanner};
pub use session::{Answer, Session};

/// What is not RESP.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Protocol error: {0}")]
pub struct Fault(pub(crate) String);

impl Fault {
    pub(crate) fn new(rule: impl Into<String>) -> Self {
        Self(rule.into())
    }
}

/// A line of digits, with or without a sign, as RESP writes lengths.
pub(crate) fn number(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let digit = |sum: i64, byte: &u8| byte.is_ascii_digit().then(|| sum * 10 + i64::from(*byte - b'0'));
    let value = digits.iter().try_fold(0, digit)?;
    Some(if digits.len() < text.len() { -value } else { value })
}
