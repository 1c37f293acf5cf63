//! Start.

use std::rc::Rc;
use std::time::Duration;

use mainstay_mcp_core::engine::Engine;
use mainstay_mcp_core::seal::Seal;
use mainstay_runtime::backoff::Backoff;
use mainstay_runtime::callback::Callbacks;
use mainstay_runtime::{Context, Error};

use crate::calls::{self, Patience};
use crate::component::Components;
use crate::config::Configuration;
use crate::context;
use crate::http::{self, Site};
use crate::hub::Hub;
use crate::offer::{Asker, NotOffered};
use crate::report::Report;
use crate::rotation::Rotation;
use crate::tcp;

/// How long a component may take to answer what it is asked at start.
const ASKING: Duration = Duration::from_secs(30);

/// Runs the service for as long as it lives.
///
/// # Errors
/// A setting is wrong, or what components have cannot be offered.
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
    // Nobody is served before it is known what there is.
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
    let wants_events = loop {
        match ask(&asker, &*components).await {
            Ok(wants_events) => break wants_events,
            Err(NotOffered::Wrong(wrong)) => return Err(Error::start(wrong)),
            Err(NotOffered::Failed(failed)) => {
                let delay = backoff.next();
                // The reason is logged with it, if it is another than before.
                context.health.not_ready(failed);
                tracing::debug!(retry_in = ?delay, "asking the components again");
                tokio::time::sleep(delay).await;
            }
        }
    };
    if wants_events {
        report.deliver_to(Rc::clone(&components));
    }
    let patience = Patience {
        call: timeout,
        task: task_timeout,
    };
    let calls = calls::run(Rc::clone(&hub), components, callbacks, patience, Rc::clone(&report));
    tokio::task::spawn_local(calls);

    let (max_clients, max_message) = (endpoints.max_clients, endpoints.max_message);
    if let Some(address) = endpoints.context {
        context::serve(Rc::clone(&hub), Rc::clone(&asker), address);
    }
    if let Some(address) = endpoints.tcp {
        tcp::serve(Rc::clone(&hub), address, max_clients, max_message);
    }
    let keys = guard.as_ref().map(|guard| guard.verifier.keys.clone());
    let rotation = issuer
        .zip(keys)
        .map(|(issuer, keys)| Rc::new(Rotation::new(issuer, keys)));
    let health = context.health.clone();
    let site = Site::new(Rc::clone(&hub), guard, rotation.clone(), &endpoints, report, health);
    let site = Rc::new(site);
    if let Some(address) = endpoints.http {
        http::port::serve(Rc::clone(&site), address, max_clients);
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

/// Asks the components what they have, and whether they want to be told of what happens.
async fn ask<C: Components>(asker: &Asker<C>, components: &C) -> Result<bool, NotOffered> {
    asker.ask().await?;
    let wants_events = Callbacks::new(1).call(ASKING, components.wants_events()).await;
    wants_events.map_err(|error| NotOffered::Failed(format!("mainstay:mcp/events: {error}")))
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use tokio::task::LocalSet;

    use super::*;
    use crate::scripted::{Scripted, text};
    use crate::types::Failure;

    fn begin(failures: impl IntoIterator<Item = Failure>) -> (Context, impl Future<Output = Result<(), Error>>) {
        let components = Scripted::new(|_| ready(text("unused")));
        components.failures.borrow_mut().extend(failures);
        let set = [("MCP_CONTEXT", "off"), ("MCP_HEALTH", "off")];
        let context = Context::new("test");
        let served = serve(context.clone(), Configuration::read_from(set).unwrap(), components);
        (context, served)
    }

    #[tokio::test(start_paused = true)]
    async fn components_that_cannot_list_at_first_are_asked_again_and_the_service_is_not_ready_before() {
        let test = async {
            let broken = |_| Failure::Broken("no disk".to_owned());
            let (context, served) = begin((0..5).map(broken));
            let served = tokio::task::spawn_local(served);
            let is = async |ready: bool| {
                while context.health.reason().is_none() != ready {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            while context.health.reason().as_deref() != Some("mainstay:mcp/tools cannot list: no disk") {
                tokio::task::yield_now().await;
            }
            tokio::time::timeout(Duration::from_secs(60), is(true))
                .await
                .expect("ready");
            assert!(!served.is_finished());
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test(start_paused = true)]
    async fn tools_that_are_wrong_end_the_service() {
        let test = async {
            let (_, served) = begin([Failure::Invalid("two are called add".to_owned())]);
            let error = served.await.unwrap_err().to_string();
            assert!(error.contains("two are called add"), "{error}");
        };
        LocalSet::new().run_until(test).await;
    }
}
