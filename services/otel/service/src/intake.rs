//! What a request goes through until it is queued.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use mainstay_otel_core::status::{Code, Status};
use mainstay_otel_core::wire::{Malformed, check};
use mainstay_otel_core::{Signal, json, prometheus};
use mainstay_runtime::metrics::Registry;

use crate::component::Component;
use crate::config::Change;
use crate::lane::{Lane, PushError};
use crate::process::{Outcome, Processor};
use crate::report::Report;
use crate::tail::Tail;

/// When a sender that was refused may come again. A batch is on its way sooner, as a rule.
const COME_AGAIN: Duration = Duration::from_secs(1);

/// How a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Protobuf,
    Json,
}

/// From the receivers to the queues.
pub(crate) struct Intake<C> {
    lanes: Vec<Rc<Lane>>,
    report: Rc<Report>,
    change: Change,
    processor: Option<Processor<C>>,
    tail: Option<Rc<Tail>>,
}

impl<C: Component> Intake<C> {
    pub(crate) fn new(
        lanes: Vec<Rc<Lane>>,
        report: Rc<Report>,
        mut change: Change,
        processor: Option<Processor<C>>,
    ) -> Self {
        let tail = change.tail.take().map(|settings| {
            let lanes = lanes
                .iter()
                .filter(|lane| lane.signal == Signal::Traces)
                .cloned()
                .collect();
            Tail::start(settings, lanes, Rc::clone(&report))
        });
        Self {
            lanes,
            report,
            change,
            processor,
            tail,
        }
    }

    /// Takes a request: when this returns `Ok` it is in every queue that it belongs in.
    pub(crate) async fn take(&self, signal: Signal, encoding: Encoding, body: Bytes) -> Result<(), Status> {
        let malformed = |reason: String| {
            self.malformed(signal);
            Status::new(Code::INVALID_ARGUMENT, reason)
        };
        let body = match encoding {
            Encoding::Protobuf => body,
            Encoding::Json => json::decode(signal.request(), &body)
                .map_err(|error| malformed(error.to_string()))?
                .into(),
        };
        let items = check(signal.request(), &body).map_err(|error| malformed(error.to_string()))?;
        if items == 0 {
            // An empty request succeeds (OTLP 1.x §OTLP/gRPC Concurrent Requests), and there is nothing to send.
            return Ok(());
        }
        let (body, kept) = self
            .change(signal, body, items)
            .map_err(|error| malformed(error.to_string()))?;
        if kept == 0 {
            self.report.accepted(signal, items);
            return Ok(());
        }
        let Some((body, kept)) = self.process(signal, body, kept).await else {
            self.report.accepted(signal, items);
            return Ok(());
        };
        if let (Signal::Traces, Some(tail)) = (signal, &self.tail) {
            tail.add(&body).map_err(|error| malformed(error.to_string()))?;
        } else {
            self.queue(signal, body, kept).await?;
        }
        self.report.accepted(signal, items);
        Ok(())
    }

    /// Queues the service's own metrics, every so often; never ends.
    pub(crate) async fn report_itself(&self, registry: Registry, name: &str, interval: Duration) {
        let now = || {
            let since = SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default();
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        };
        let (signal, start) = (Signal::Metrics, now());
        loop {
            tokio::time::sleep(interval).await;
            let request = prometheus::to_request(&registry.render(), name, prometheus::Span { start, now: now() });
            let body = Bytes::from(request);
            // A full queue has told so already; the next ones tell the same, and more.
            if let Ok(items) = check(signal.request(), &body)
                && self.queue(signal, body, items).await.is_ok()
            {
                self.report.accepted(signal, items);
            }
        }
    }

    /// Head sampling, and attributes as the settings want them. Returns what is left, and how many items that is.
    fn change(&self, signal: Signal, mut body: Bytes, mut items: usize) -> Result<(Bytes, usize), Malformed> {
        let request = signal.request();
        if let (Signal::Traces, Some(ratio)) = (signal, self.change.ratio) {
            let sampled = ratio.sample(request, &body)?;
            self.report.left_out(signal, sampled.dropped, "head-sampling");
            (body, items) = (sampled.bytes.into(), sampled.kept);
        }
        if !self.change.resource.is_empty() {
            body = self.change.resource.apply(request, &body)?.into();
        }
        if !self.change.attributes.is_empty() {
            body = self.change.attributes.apply(request, &body)?.into();
        }
        Ok((body, items))
    }

    /// What the component's processor makes of a request; none if it drops it.
    async fn process(&self, signal: Signal, body: Bytes, items: usize) -> Option<(Bytes, usize)> {
        let Some(processor) = &self.processor else {
            return Some((body, items));
        };
        match processor.process(signal, &body).await {
            Outcome::Keep => Some((body, items)),
            Outcome::Replace(body, items) => Some((body, items)),
            Outcome::Drop => {
                self.report.left_out(signal, items, "processor");
                None
            }
            Outcome::Failed(reason) => {
                self.report.bypassed(signal, &reason);
                Some((body, items))
            }
        }
    }

    /// Into all queues of the signal, or into none.
    async fn queue(&self, signal: Signal, body: Bytes, items: usize) -> Result<(), Status> {
        let lanes = || self.lanes.iter().filter(|lane| lane.signal == signal);
        if let Some(lane) = lanes().find(|lane| !lane.can_hold(body.len())) {
            self.report.refused(signal, items, "too-large");
            let message = format!(
                "{} bytes are more than the queue of {} can ever hold",
                body.len(),
                lane.report.name()
            );
            return Err(Status::new(Code::RESOURCE_EXHAUSTED, message));
        }
        if let Some(lane) = lanes().find(|lane| !lane.takes(body.len())) {
            return Err(self.full(signal, items, lane));
        }
        for lane in lanes() {
            lane.push(body.clone(), items)
                .map_err(|error| self.not_queued(signal, items, lane, &error))?;
        }
        for lane in lanes() {
            lane.durable()
                .await
                .map_err(|error| self.not_queued(signal, items, lane, &error.into()))?;
        }
        Ok(())
    }

    fn not_queued(&self, signal: Signal, items: usize, lane: &Lane, error: &PushError) -> Status {
        match error {
            PushError::Full => self.full(signal, items, lane),
            PushError::Disk(error) => {
                self.report.refused(signal, items, "disk");
                let message = format!(
                    "the queue of {} cannot be written, try again later: {error}",
                    lane.report.name()
                );
                Status {
                    retry_after: Some(COME_AGAIN),
                    ..Status::new(Code::UNAVAILABLE, message)
                }
            }
        }
    }

    fn full(&self, signal: Signal, items: usize, lane: &Lane) -> Status {
        self.report.refused(signal, items, "queue-full");
        Status {
            retry_after: Some(COME_AGAIN),
            ..Status::new(
                Code::RESOURCE_EXHAUSTED,
                format!("the queue of {} is full, try again later", lane.report.name()),
            )
        }
    }

    /// A request that cannot be read.
    pub(crate) fn malformed(&self, signal: Signal) {
        self.report.malformed(signal);
    }

    /// A request that is too large to be read.
    pub(crate) fn too_large(&self, signal: Signal) {
        self.report.refused(signal, 0, "too-large");
    }

    /// More is being received than there is memory for.
    pub(crate) fn overloaded(&self, signal: Signal) -> Status {
        self.report.overloaded(signal);
        Status {
            retry_after: Some(COME_AGAIN),
            ..Status::new(
                Code::RESOURCE_EXHAUSTED,
                "too much is being received at once, try again later",
            )
        }
    }
}
