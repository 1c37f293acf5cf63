//! Start.

use std::rc::Rc;
use std::time::Duration;

use mainstay_nats_core::mux::{Mux, Permits, Settings};
use mainstay_nats_link::{Bridge, Link, Observer, token};
use mainstay_runtime::callback::Callbacks;
use mainstay_runtime::{Context, Error};

use crate::aside::Asides;
use crate::component::Component;
use crate::config::Configuration;
use crate::endpoint;
use crate::events::Kinds;
use crate::inbound::{self, Handler};
use crate::report::{ConnectionReport, Report};
use crate::watch;

/// What is not ready until a server has seen the first subscriptions.
const SUBSCRIPTIONS: &str = "subscriptions";

/// How long the component may take to answer what it is asked at start.
const ASKING: Duration = Duration::from_secs(30);

/// Runs the service for as long as it lives.
///
/// # Errors
/// A setting is wrong, or the component does not answer what it is asked at start.
pub async fn start<C: Component>(context: Context, component: C) -> Result<(), Error> {
    serve(context, Configuration::read()?, component).await
}

/// [`start`] with a configuration that is read already.
///
/// # Errors
/// As [`start`].
pub async fn serve<C: Component>(context: Context, configuration: Configuration, component: C) -> Result<(), Error> {
    let component = Rc::new(component);
    let report = Report::new(&context);
    context.serve_health(configuration.health);
    let Configuration {
        connection,
        endpoint,
        subscriptions,
        watches,
        max_in_flight,
        ..
    } = configuration;
    let connection = Rc::new(connection);
    let settings = Settings {
        grants: endpoint.grants,
        inbox_prefix: connection.inbox_prefix.clone(),
        instance: token(),
        server_name: connection.name.clone(),
        port: endpoint.listen.map_or(0, |address| address.port()),
        max_subscriptions: endpoint.max_subscriptions,
        client_buffer: endpoint.client_buffer,
        slow_consumer: endpoint.slow_consumer,
        permits: Permits::default(),
        api: connection.api.clone(),
    };
    let observer: Rc<dyn Observer> = Rc::new(ConnectionReport::new(&report));
    let bridge = Bridge::new(Mux::new(settings.clone()), connection.pending, Rc::clone(&observer));
    let asides = Rc::new(Asides::new(settings, &connection, &report));

    if let Some(address) = endpoint.listen {
        endpoint::serve(address, endpoint.max_clients, Rc::clone(&bridge), Rc::clone(&asides));
    }
    report.not_ready(SUBSCRIPTIONS, "not subscribed yet");
    // First of all, or the first connection is an event that nobody is told of.
    let asked = ask(&*component).await?;
    report.deliver_to(Rc::clone(&component), asked.events);
    let link = Link::new(Rc::clone(&connection), Rc::clone(&bridge), observer, true);
    tokio::task::spawn_local(link.run());
    for watch in watches {
        watch::start(watch, connection.api.clone(), &bridge, &report, &component);
    }
    let handler = Handler::new(component, max_in_flight, asked.filtered, &bridge);
    for subscription in subscriptions {
        inbound::start(subscription, &connection, &bridge, &asides, &report, &handler);
    }
    tokio::task::spawn_local(subscribed(bridge, report));
    std::future::pending().await
}

/// Tells when a server has seen the first subscriptions.
async fn subscribed(bridge: Rc<Bridge>, report: Rc<Report>) {
    loop {
        bridge.connection().await;
        if bridge.flush().await.is_ok() {
            report.ready(SUBSCRIPTIONS);
            return;
        }
    }
}

/// What the component says at start.
struct Asked {
    filtered: bool,
    events: Kinds,
}

async fn ask<C: Component>(component: &C) -> Result<Asked, Error> {
    let callbacks = Callbacks::new(1);
    let late = |what: &str| Error::start(format!("the component's {what} gave no answer within {ASKING:?}"));
    let filtered = callbacks.call(ASKING, component.filter_enabled()).await;
    let filtered = filtered.map_err(|_| late("mainstay:nats/filter"))?;
    let events = callbacks.call(ASKING, component.events_wanted()).await;
    let events = events.map_err(|_| late("mainstay:nats/events"))?;
    Ok(Asked { filtered, events })
}
