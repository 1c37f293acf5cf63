//! The life of a workload, on a thread of its own.
//!
//! One thread with a current-thread runtime drives all guests of a workload: they share a core as they would in a
//! single process, wake each other without crossing threads, and cannot hold up another workload.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use super::call::Caller;
use super::prepare::Prepared;
use super::restart::{Budget, RestartPolicy};
use super::service::Service;
use super::status::{Phase, Status};

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

/// Runs a workload until its service ends for good or `stop` is sent.
pub(super) fn run(
    prepared: Prepared,
    http: Option<TcpListener>,
    budget: (RestartPolicy, u64),
    reporter: &Reporter,
    mut stop: watch::Receiver<bool>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return reporter.report(Phase::Error, Some(format!("starting the workload's runtime: {error}"))),
    };
    let Prepared {
        service,
        handler,
        caller,
        volumes,
        loopback,
        ..
    } = prepared;
    let budget = Budget::new(budget.0, budget.1);
    runtime.block_on(tokio::task::unconstrained(async {
        if let (Some(handler), Some(listener)) = (handler, http) {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => drop(tokio::spawn(handler.serve(listener))),
                Err(error) => return reporter.report(Phase::Error, Some(format!("serving HTTP: {error}"))),
            }
        }
        let ended = async {
            match &service {
                Some(service) => supervise(service, &caller, budget, reporter).await,
                None => {
                    reporter.report(Phase::Running, None);
                    std::future::pending().await
                }
            }
        };
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => reporter.report(Phase::Completed, Some("stopped".to_owned())),
            () = ended => {}
        }
    }));
    // Guests first, then what they use.
    drop(runtime);
    drop((volumes, loopback));
}

async fn supervise(service: &Service, caller: &Caller, mut budget: Budget, reporter: &Reporter) {
    loop {
        reporter.report(Phase::Running, None);
        let started = Instant::now();
        let Err(failure) = service.run(&caller.engine).await else {
            return reporter.report(Phase::Completed, None);
        };
        let uptime = started.elapsed();
        let Some(delay) = budget.spend(uptime, rand::random()) else {
            return reporter.report(
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
