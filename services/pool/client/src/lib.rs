//! Gives components connections of the pool as values.
//!
//! A lease is a connection to the service on the workload's loopback, by WASI's own asynchronous sockets: so several leases
//! of one instance go on side by side, and with the instance its connections end, which closes those to the upstream.
//!
//! - [`link`]: a connection to the service: frames there and back
//! - [`lease`]: the resource of that name in `mainstay:socket-pool/pool`
//! - [`settings`]: where the service is

mod lease;
mod link;
mod settings;

mod bindings {
    #![allow(missing_docs, unsafe_code, clippy::unreachable)] // Generated.
    wit_bindgen::generate!({ path: "../../../wit/socket-pool", world: "client" });
    use super::Client;
    export!(Client);
}

use std::time::Duration;

use bindings::exports::mainstay::socket_pool::pool::{self, Error, Guest, Stats};
use mainstay_pool_core::lease::{Ask, Tell};

use link::Link;

struct Client;

/// How long the service may take for what it has not to wait for.
const ANSWER: Duration = Duration::from_secs(10);

/// No pool waits for longer.
const LONGEST: Duration = Duration::from_secs(600);

impl Guest for Client {
    type Lease = lease::Lease;

    async fn acquire(name: String, timeout: u64) -> Result<pool::Lease, Error> {
        let longest = match timeout {
            0 => LONGEST,
            timeout => Duration::from_nanos(timeout),
        };
        // The service says when the time is up; this is for one that does not answer.
        match asked(&Ask::Acquire { timeout, name }, longest.saturating_add(ANSWER)).await? {
            (link, Tell::Granted { connection }) => Ok(pool::Lease::new(lease::Lease::new(link, connection))),
            (_, other) => Err(link::unexpected(other)),
        }
    }

    async fn figures(name: String) -> Result<Stats, Error> {
        match asked(&Ask::Figures(name), ANSWER).await? {
            (_, Tell::Figures(figures)) => Ok(stats(figures)),
            (_, other) => Err(link::unexpected(other)),
        }
    }
}

/// A fresh connection to the service, and what it says to this first.
async fn asked(ask: &Ask, limit: Duration) -> Result<(Link, Tell), Error> {
    link::within(limit, async {
        let link = Link::open().await?;
        if let Some(token) = settings::token() {
            link.say(&Ask::Token(token.into())).await?;
        }
        link.say(ask).await?;
        let tell = link.hear().await?;
        Ok((link, tell))
    })
    .await
}

fn stats(figures: mainstay_pool_core::lease::Figures) -> Stats {
    let [
        active,
        idle,
        connecting,
        waiting,
        connects,
        connect_failures,
        acquires,
        refusals,
        timeouts,
        leaks,
        closes,
    ] = figures;
    Stats {
        active,
        idle,
        connecting,
        waiting,
        connects,
        connect_failures,
        acquires,
        refusals,
        timeouts,
        leaks,
        closes,
    }
}
