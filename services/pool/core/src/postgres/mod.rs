//! PostgreSQL's protocol, version 3, from both ends, and what lies between in a pool.
//!
//! - `frame`: where a message ends
//! - `fault`: what is not the protocol
//! - `startup`: what a client says first
//! - `reply`: what a client is told that no server said
//! - `fields`: the fields of an error
//! - `login`: logging in to a server: SCRAM-SHA-256(-PLUS), MD5, clear text
//! - `binding`: the hash of a certificate that SCRAM-SHA-256-PLUS binds to
//! - `exchange`: a query of the pool's own
//! - `parameters`: settings that a session reports, and how the next one gets the same
//! - `sql`: what a query does to its session
//! - `statements`: prepared statements that outlive the server's session
//! - `relay`: the messages between a client and the server that it has for now
//!
//! Sections of the manual are those of PostgreSQL 17, chapter 53.

mod binding;
mod exchange;
mod fault;
mod fields;
mod frame;
mod login;
mod parameters;
mod relay;
mod reply;
mod sql;
mod startup;
mod statements;

pub use binding::tls_server_end_point;
pub use exchange::{Exchange, query};
pub use fault::Fault;
pub use fields::ErrorFields;
pub use frame::{Frame, MAX_MESSAGE, next_frame};
pub use login::{Credentials, Established, Login, LoginError, ssl_request};
pub use parameters::Parameters;
pub use relay::{Heard, Pooling, Relay, Server, Wanted};
pub use reply::{
    Severity, authentication_ok, backend_key, cleartext_password, error, fatal, negotiate, parameter, ready,
};
pub use sql::{Effects, scan};
pub use startup::{Startup, StartupMessage, cancel_request, password, read_startup};
pub use statements::{Registry, Statement};
