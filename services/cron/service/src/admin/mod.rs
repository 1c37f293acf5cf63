//! The admin pages.
//!
//! - `routes`: what may be asked, and what is answered
//! - `view`: jobs and schedules as JSON

mod routes;
#[cfg(test)]
mod tests;
mod view;

use std::net::SocketAddr;
use std::rc::Rc;

use hyper::Request;
use hyper::body::Incoming;
use mainstay_runtime::admin::{self, Reply};

use crate::component::Component;
use crate::election::Election;
use crate::service::Cron;

/// Serves the pages from now on.
pub(crate) fn start<C: Component, E: Election>(cron: Rc<Cron<C, E>>, address: SocketAddr) {
    admin::start(address, move |request| {
        let cron = cron.clone();
        async move { answer(&cron, &request).await }
    });
}

async fn answer<C: Component, E: Election>(cron: &Cron<C, E>, request: &Request<Incoming>) -> Reply {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    if let Some(reason) = cron.standby() {
        return routes::standby(request.method(), path, query, &reason);
    }
    let answer = cron.operate(|engine, now| routes::answer(engine, now, request.method(), path, query));
    let deposed = "another replica was elected meanwhile, look there whether it was done";
    answer
        .await
        .unwrap_or_else(|| routes::standby(request.method(), path, query, deposed))
}
