//! Start.

use std::rc::Rc;
use std::time::Duration;

use mainstay_otel_core::Signal;
use mainstay_runtime::callback::Callbacks;
use mainstay_runtime::{Context, Error};

use crate::component::Component;
use crate::config::{Configuration, Routing, Target};
use crate::events::Kinds;
use crate::export::connect::Connect;
use crate::export::{Exporter, Route, Upstream};
use crate::intake::Intake;
use crate::lane::Lane;
use crate::process::Processor;
use crate::processor::Signals;
use crate::receive;
use crate::report::Report;

/// How long the component may take to answer what it is asked at start.
const ASKING: Duration = Duration::from_secs(30);

/// Runs the service for as long as it lives.
///
/// # Errors
/// A setting is wrong, or the component does not answer what it is asked at start.
pub async fn start<C: Component>(context: Context, component: C) -> Result<(), Error> {
    serve(context, Configuration::read()?, component, Connect::dial()).await
}

/// [`start`] with a configuration that is read already, and connections that come from elsewhere.
///
/// # Errors
/// As [`start`].
pub async fn serve<C: Component>(
    context: Context,
    configuration: Configuration,
    component: C,
    connect: Connect,
) -> Result<(), Error> {
    let report = Report::new(&context);
    context.serve_health(configuration.health);
    let (receive, own_metrics) = (configuration.receive, configuration.own_metrics);
    let intake = Rc::new(assemble(configuration, component, connect, &report).await?);
    if let Some(interval) = own_metrics {
        let (intake, registry, name) = (Rc::clone(&intake), context.metrics.clone(), context.name);
        tokio::task::spawn_local(async move { intake.report_itself(registry, name, interval).await });
    }
    receive::start(&context, &receive, intake, &report);
    std::future::pending().await
}

/// Everything behind the receivers.
pub(crate) async fn assemble<C: Component>(
    configuration: Configuration,
    component: C,
    connect: Connect,
    report: &Rc<Report>,
) -> Result<Intake<C>, Error> {
    let component = Rc::new(component);
    let asked = ask(&*component).await?;
    report.deliver_to(Rc::clone(&component), asked.events);
    let lanes = lanes(&configuration, report, &connect)?;
    let processor = Processor::new(component, asked.signals, configuration.processor);
    Ok(Intake::new(lanes, Rc::clone(report), configuration.change, processor))
}

/// The queues, each with the tasks that empty it.
fn lanes(configuration: &Configuration, report: &Rc<Report>, connect: &Connect) -> Result<Vec<Rc<Lane>>, Error> {
    let mut lanes = Vec::new();
    for signal in Signal::ALL {
        for (name, targets) in groups(configuration, signal) {
            let lane_report = report.lane(signal, &name);
            let lane = Lane::new(signal, &configuration.queue, configuration.batching, lane_report);
            let lane = Rc::new(lane.map_err(|error| {
                let folder = configuration
                    .queue
                    .disk
                    .as_ref()
                    .map(|disk| disk.folder.display().to_string());
                Error::start(format!("OTEL_QUEUE_FOLDER {:?}: {error}", folder.unwrap_or_default()))
            })?);
            let synced = Rc::clone(&lane);
            tokio::task::spawn_local(async move { synced.keep_synced().await });
            let upstreams = targets.into_iter().map(|(name, target)| {
                let report = report.upstream(signal, &name);
                Upstream::new(target, connect, report)
            });
            let route = Route::new(Rc::clone(&lane), upstreams.collect());
            for _ in 0..configuration.consumers {
                let limits = configuration.batching.limits;
                let exporter = Exporter::new(Rc::clone(&route), configuration.retry, limits);
                tokio::task::spawn_local(exporter.run());
            }
            lanes.push(lane);
        }
    }
    Ok(lanes)
}

/// Where a queue leads: the names of targets, and the targets.
type Targets = Vec<(String, Rc<Target>)>;

/// The signal's queues: a name, and the targets in the order in which they are tried.
fn groups(configuration: &Configuration, signal: Signal) -> Vec<(String, Targets)> {
    let all = configuration.destinations.iter().filter_map(|destination| {
        let (_, target) = destination.targets.iter().find(|(of, _)| *of == signal)?;
        Some((destination.name.clone(), Rc::new(target.clone())))
    });
    match configuration.routing {
        Routing::FanOut => all.map(|target| (target.0.clone(), vec![target])).collect(),
        Routing::Failover => {
            let targets: Targets = all.collect();
            let names: Vec<&str> = targets.iter().map(|(name, _)| name.as_str()).collect();
            let name = names.join("/");
            if targets.is_empty() {
                Vec::new()
            } else {
                vec![(name, targets)]
            }
        }
    }
}

/// What the component says at start.
struct Asked {
    signals: Signals,
    events: Kinds,
}

async fn ask<C: Component>(component: &C) -> Result<Asked, Error> {
    let callbacks = Callbacks::new(1);
    let late = |what: &str| Error::start(format!("the component's {what} gave no answer within {ASKING:?}"));
    let signals = callbacks.call(ASKING, component.processor_wanted()).await;
    let signals = signals.map_err(|_| late("mainstay:otel/processor"))?;
    let events = callbacks.call(ASKING, component.events_wanted()).await;
    let events = events.map_err(|_| late("mainstay:otel/events"))?;
    Ok(Asked { signals, events })
}
