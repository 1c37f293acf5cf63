//! The pool's state, the Redis and PostgreSQL protocols and what pooling means for them: no WASI and no I/O in it.
//!
//! | module | idea |
//! |---|---|
//! | [`pool`] | who has which connection, who waits, what is opened, checked and closed |
//! | [`postgres`] | PostgreSQL, from both ends: startup, login, prepared statements, transactions, COPY, cancel |
//! | [`lease`] | what `pool-client.wasm` and the service say to each other |
//! | [`conversation`] | what a hook and an upstream say to each other |
//! | [`redis`] | Redis: commands of many clients on few connections, transactions, subscriptions |
//! | [`tokens`] | what components have to bring, where something is set |

pub mod conversation;
pub mod lease;
pub mod pool;
pub mod postgres;
pub mod redis;
pub mod tokens;
