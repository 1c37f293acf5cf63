//! The admin pages.
//!
//! | request | |
//! |---|---|
//! | `GET /pools` | all pools, with their figures |
//! | `GET /pools/NAME` | one of them |
//! | `POST /pools/NAME/pause`, `/resume` | let everybody wait; and go on |
//! | `POST /pools/NAME/drain` | refuse everybody, close connections as they come back |
//! | `POST /pools/NAME/reconnect` | replace every connection, try every address |

use std::future;
use std::net::SocketAddr;
use std::rc::Rc;

use hyper::{Method, StatusCode};
use mainstay_pool_core::pool::{Mode, Stats};
use mainstay_runtime::admin::{self, Reply};
use serde_json::{Value, json};

use crate::pool::{Connector, Pool};

/// A pool, as the admin pages see it.
pub(crate) trait Operable {
    fn name(&self) -> &str;
    fn stats(&self) -> Stats;
    fn figures(&self) -> Value;
    /// Whether there is such an operation.
    fn operate(&self, operation: &str) -> bool;
}

impl<C: Connector> Operable for Rc<Pool<C>> {
    fn name(&self) -> &str {
        Pool::name(self)
    }

    fn stats(&self) -> Stats {
        Pool::stats(self)
    }

    fn figures(&self) -> Value {
        let stats = Pool::stats(self);
        let (mode, failure, open, ejected, max) = self.inspect(|core, now| {
            let ejected: Vec<String> = core
                .ejected(now)
                .into_iter()
                .map(|host| self.address(host).to_owned())
                .collect();
            let failure = core.last_failure().map(ToString::to_string);
            (
                core.mode(),
                failure,
                core.circuit_open(now).is_some(),
                ejected,
                core.settings().max,
            )
        });
        let mode = match mode {
            Mode::Running => "running",
            Mode::Paused => "paused",
            Mode::Draining if stats.active + stats.idle + stats.connecting == 0 => "drained",
            Mode::Draining => "draining",
        };
        json!({
            "name": Pool::name(self), "state": mode, "circuit-open": open, "ejected": ejected, "last-failure": failure,
            "max": max, "active": stats.active, "idle": stats.idle, "connecting": stats.connecting,
            "checking": stats.checking, "waiting": stats.waiting, "connects": stats.connects,
            "connect-failures": stats.connect_failures, "acquires": stats.acquires, "refusals": stats.refusals,
            "timeouts": stats.timeouts, "leaks": stats.leaks, "closes": stats.closes,
        })
    }

    fn operate(&self, operation: &str) -> bool {
        match operation {
            "pause" => Pool::operate(self, |core, _| core.pause()),
            "resume" => Pool::operate(self, |core, now| core.resume(now)),
            "drain" => Pool::operate(self, |core, _| core.drain()),
            "reconnect" => Pool::operate(self, |core, now| core.reconnect(now)),
            _ => return false,
        }
        tracing::info!(pool = Pool::name(self), operation, "an operator says so");
        true
    }
}

/// All pools.
pub(crate) type Pools = Rc<Vec<Box<dyn Operable>>>;

/// Serves the pages from now on.
pub(crate) fn start(pools: Pools, address: SocketAddr) {
    admin::start(address, move |request| {
        future::ready(answer(&pools, request.method(), request.uri().path()))
    });
}

fn answer(pools: &[Box<dyn Operable>], method: &Method, path: &str) -> Reply {
    let mut parts = path.trim_start_matches('/').split('/');
    let (page, name, operation, more) = (parts.next(), parts.next(), parts.next(), parts.next());
    if page != Some("pools") || more.is_some() {
        return Reply::error(
            StatusCode::NOT_FOUND,
            format!("{path} is not a page; pages are /pools and /pools/NAME"),
        );
    }
    let Some(name) = name else {
        let figures: Vec<Value> = pools.iter().map(|pool| pool.figures()).collect();
        return Reply::new(StatusCode::OK, json!({ "pools": figures }));
    };
    let Some(pool) = pools.iter().find(|pool| pool.name() == name) else {
        return Reply::error(StatusCode::NOT_FOUND, format!("no pool has the name {name:?}"));
    };
    match operation {
        None if *method == Method::GET => Reply::new(StatusCode::OK, pool.figures()),
        Some(operation) if *method == Method::POST => match pool.operate(operation) {
            true => Reply::new(StatusCode::OK, pool.figures()),
            false => Reply::error(
                StatusCode::NOT_FOUND,
                format!("{operation:?} is not pause, resume, drain or reconnect"),
            ),
        },
        _ => Reply::error(
            StatusCode::METHOD_NOT_ALLOWED,
            "a pool is read by GET; post to /pools/NAME/pause and the like".to_owned(),
        ),
    }
}
