//! The life of a workload, on a thread of its own.
//!
//! One thread with a current-thread runtime drives all guests of a workload: they share a core as they would in a
//! single process, wake each other without crossing threads, and cannot hold up another workload.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use super::call::Caller;
use super::http::Handler;
use super::prepare::Prepared;
use super::restart::Budget;
use super::service::Service;
use super::status::{Phase, Status};
use super::ticker::Ticker;

/// Publishes what a workload is doing.
pub(super) struct Reporter {
    pub(super) current: watch::Sender<Status>,
    pub(super) changes: mpsc::UnboundedSender<Status>,
    pub(super) caller: Arc<Caller>,
}

impl Reporter {
    fn report(&self, state: Phase, reason: Option<String>) {
        self.current.send_modify(|status| {
            status.state = state;
            status.reason = reason;
            status.calls = self.caller.counts.read();
        });
        // Nobody has to listen.
        let _ = self.changes.send(self.current.borrow().clone());
    }

    fn count_restart(&self) {
        self.current.send_modify(|status| status.restarts += 1);
    }
}

/// How a workload ended.
type End = (Phase, Option<String>);

/// Runs a workload until its service ends for good or `stop` is sent. The last status comes when nothing of it is left.
pub(super) fn run(
    prepared: Prepared,
    http: Option<TcpListener>,
    budget: Budget,
    reporter: &Reporter,
    stop: watch::Receiver<bool>,
) {
    let Prepared {
        service,
        handler,
        volumes,
        loopback,
        ..
    } = prepared;
    let ticker = Arc::clone(reporter.caller.host.ticker());
    let (phase, reason) = match runtime(&ticker) {
        Ok(runtime) => {
            ticker.wake();
            let end = runtime.block_on(tokio::task::unconstrained(live(
                service,
                handler.zip(http),
                budget,
                reporter,
                stop,
            )));
            // Guests first, then what they use.
            drop(runtime);
            ticker.sleep();
            end
        }
        Err(error) => (Phase::Error, Some(format!("starting the workload's runtime: {error}"))),
    };
    drop((volumes, loopback));
    reporter.report(phase, reason);
}

/// A runtime that tells the ticker when its thread sleeps.
fn runtime(ticker: &Arc<Ticker>) -> std::io::Result<Runtime> {
    let (sleeping, waking) = (Arc::clone(ticker), Arc::clone(ticker));
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_park(move || sleeping.sleep())
        .on_thread_unpark(move || waking.wake())
        .build()
}

async fn live(
    service: Option<Service>,
    http: Option<(Arc<Handler>, TcpListener)>,
    budget: Budget,
    reporter: &Reporter,
    mut stop: watch::Receiver<bool>,
) -> End {
    if let Some((handler, listener)) = http {
        match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => drop(tokio::spawn(handler.serve(listener))),
            Err(error) => return (Phase::Error, Some(format!("serving HTTP: {error}"))),
        }
    }
    let ended = async {
        match &service {
            Some(service) => supervise(service, budget, reporter).await,
            None => {
                reporter.report(Phase::Running, None);
                std::future::pending().await
            }
        }
    };
    tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => (Phase::Completed, Some("stopped".to_owned())),
        end = ended => end,
    }
}

async fn supervise(service: &Service, mut budget: Budget, reporter: &Reporter) -> End {
    loop {
        reporter.report(Phase::Running, None);
        let started = Instant::now();
        let Err(failure) = service.run().await else {
            return (Phase::Completed, None);
        };
        if service.unit().recipe.stdio.was_read() {
            // Whoever speaks to it by its standard input has to see that it is gone: another life would know nothing of what
            // was said, and never answer it.
            let reason = format!("{failure:#} (not restarted: its standard input was read)");
            return (Phase::Error, Some(reason));
        }
        let Some(delay) = budget.spend(started.elapsed(), rand::random()) else {
            return (
                Phase::Error,
                Some(format!("{failure:#} (restarts used up: {})", budget.spent())),
            );
        };
        reporter.report(
            Phase::Starting,
            Some(format!("{failure:#} (restart {} in {delay:.1?})", budget.spent())),
        );
        tokio::time::sleep(delay).await;
        reporter.count_restart();
    }
}
