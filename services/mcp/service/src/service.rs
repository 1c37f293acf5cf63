//! Start.

use std::rc::Rc;
use std::time::Duration;

use mainstay_mcp_core::engine::Engine;
use mainstay_mcp_core::seal::Seal;
use mainstay_runtime::backoff::Backoff;
use mainstay_runtime::callback::Callbacks;
use mainstay_runtime::{Context, Error, supervise};

use crate::calls::{self, Patience};
use crate::component::Components;
use crate::config::Configuration;
use crate::context;
use crate::http::{self, Site};
use crate::hub::Hub;
use crate::offer::Asker;
use crate::report::Report;
use crate::rotation::Rotation;
use crate::tcp;

/// How long a component may take to answer what it is asked at start.
const ASKING: Duration = Duration::from_secs(30);

/// Runs the service for as long as it lives.
///
/// # Errors
/// A setting is wrong, or a component does not answer what it is asked at start.
pub async fn start<C: Components>(context: Context, components: C) -> Result<(), Error> {
    serve(context, Configuration::read()?, components).await
}

/// [`start`] with a configuration that is read already.
///
/// # Errors
/// As [`start`].
pub async fn serve<C: Components>(context: Context, configuration: Configuration, components: C) -> Result<(), Error> {
    let Configuration {
        server,
        state_secret,
        endpoints,
        guard,
        issuer,
        timeout,
        task_timeout,
        max_in_flight,
        health,
    } = configuration;
    let components = Rc::new(components);
    let report = Report::new(&context);
    context.serve_health(health);
    let seal = state_secret.map_or_else(Seal::random, |secret| Seal::from_secret(secret.reveal().as_bytes()));
    let hub = Hub::new(Engine::new(server, seal), endpoints.backlog);
    let callbacks = Callbacks::new(max_in_flight);
    let asker = Asker::new(Rc::clone(&hub), Rc::clone(&components), Callbacks::new(1), ASKING);
    let asker = Rc::new(asker);
    asker.ask().await.map_err(Error::start)?;
    let events = Callbacks::new(1).call(ASKING, components.wants_events()).await;
    if events.map_err(|error| Error::start(format!("mainstay:mcp/events: {error}")))? {
        report.deliver_to(Rc::clone(&components));
    }
    let patience = Patience {
        call: timeout,
        task: task_timeout,
    };
    let calls = calls::run(Rc::clone(&hub), components, callbacks, patience, Rc::clone(&report));
    tokio::task::spawn_local(calls);

    let backoff = || Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
    let (max_clients, max_message) = (endpoints.max_clients, endpoints.max_message);
    // A port in use, as an earlier life of the service may leave it, is tried again.
    if let Some(address) = endpoints.context {
        let hub = Rc::clone(&hub);
        supervise::spawn("context", backoff(), move || {
            let served = context::serve(Rc::clone(&hub), Rc::clone(&asker), address);
            async { served.await.map(|never| match never {}) }
        });
    }
    if let Some(address) = endpoints.tcp {
        let hub = Rc::clone(&hub);
        supervise::spawn("tcp", backoff(), move || {
            let served = tcp::serve(Rc::clone(&hub), address, max_clients, max_message);
            async { served.await.map(|never| match never {}) }
        });
    }
    let keys = guard.as_ref().map(|guard| guard.verifier.keys.clone());
    let rotation = issuer
        .zip(keys)
        .map(|(issuer, keys)| Rc::new(Rotation::new(issuer, keys)));
    let site = Rc::new(Site::new(Rc::clone(&hub), guard, rotation.clone(), &endpoints, report));
    if let Some(address) = endpoints.http {
        let site = Rc::clone(&site);
        supervise::spawn("http", backoff(), move || {
            let served = http::port::serve(Rc::clone(&site), address, max_clients);
            async { served.await.map(|never| match never {}) }
        });
    }
    #[cfg(target_family = "wasm")]
    http::handler::open(site);
    match rotation {
        None => context.health.ready(),
        // Ready when it knows whom to let in.
        Some(rotation) => {
            let health = context.health.clone();
            tokio::task::spawn_local(async move { rotation.run(health).await });
        }
    }
    #[cfg(target_family = "wasm")]
    if endpoints.stdio {
        crate::stdio::serve(hub, max_message).await;
        return Ok(());
    }
    std::future::pending().await
}
