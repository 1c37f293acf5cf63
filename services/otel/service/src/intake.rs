//! What a request goes through until it is queued.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use mainstay_otel_core::response::PartialSuccess;
use mainstay_otel_core::status::{Code, Status};
use mainstay_otel_core::wire::{Malformed, check};
use mainstay_otel_core::{Signal, json, prometheus};
use mainstay_runtime::metrics::Registry;

use crate::component::Component;
use crate::config::Change;
use crate::lane::Lane;
use crate::process::{Outcome, Processor};
use crate::queues::{PushError, Queues};
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
    queues: [Rc<Queues>; 3],
    report: Rc<Report>,
    change: Change,
    processor: Option<Processor<C>>,
    tail: Option<Rc<Tail>>,
}

/// A request on its way to the queues.
struct Passing {
    body: Bytes,
    /// What is left of it.
    items: usize,
    /// What is not, and what the processor put in besides: counted when the request is taken, not each time that it comes.
    sampled_out: usize,
    processed_out: usize,
    processed_in: usize,
}

impl<C: Component> Intake<C> {
    pub(crate) fn new(
        lanes: Vec<Rc<Lane>>,
        report: Rc<Report>,
        mut change: Change,
        processor: Option<Processor<C>>,
    ) -> Self {
        let [traces, metrics, logs] = Signal::ALL.map(|signal| {
            let lanes = lanes.iter().filter(|lane| lane.signal == signal);
            Rc::new(Queues::new(lanes.cloned().collect()))
        });
        let tail = change.tail.take();
        let tail = tail.map(|settings| Tail::start(settings, Rc::clone(&traces), Rc::clone(&report)));
        Self {
            queues: [traces, metrics, logs],
            report,
            change,
            processor,
            tail,
        }
    }

    fn queues(&self, signal: Signal) -> &Queues {
        let [traces, metrics, logs] = &self.queues;
        match signal {
            Signal::Traces => traces,
            Signal::Metrics => metrics,
            Signal::Logs => logs,
        }
    }

    #[cfg(test)]
    pub(crate) fn lanes(&self, signal: Signal) -> &[Rc<Lane>] {
        self.queues(signal).lanes()
    }

    /// Takes a request: when this returns `Ok` it is in every queue that it belongs in, but for what it says.
    pub(crate) async fn take(
        &self,
        signal: Signal,
        encoding: Encoding,
        body: Bytes,
    ) -> Result<Option<PartialSuccess>, Status> {
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
            return Ok(None);
        }
        let queues = self.queues(signal);
        // Before it costs anything: it comes again and again.
        queues
            .have_room(body.len())
            .map_err(|error| self.refused(signal, items, &error))?;
        let changed = self.change(signal, body, items);
        let changed = changed.map_err(|error| malformed(error.to_string()))?;
        let passing = self.process(signal, changed).await;
        if passing.items == 0 {
            self.accepted(signal, items, &passing);
            return Ok(None);
        }
        // From here on nothing waits before it is counted: a sender that is gone takes the rest of this with it.
        if let (Signal::Traces, Some(tail)) = (signal, &self.tail) {
            let queued = tail.add(&passing.body).map_err(|error| malformed(error.to_string()))?;
            self.accepted(signal, items, &passing);
            for queued in queued {
                // Not this request's alone; what could not be made safe is counted.
                let _ = queued.durable().await;
            }
            return Ok(None);
        }
        let queued = queues.push(&passing.body, passing.items);
        let queued = queued.map_err(|error| self.refused(signal, items, &error))?;
        self.accepted(signal, items, &passing);
        let rejected = (!queued.anywhere).then(|| PartialSuccess {
            rejected: passing.items.min(items) as u64,
            message: format!("the queue is full, and drops the newest {}", signal.items()),
        });
        queued.durable().await.map_err(|error| unavailable(&error))?;
        Ok(rejected)
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
                && let Ok(queued) = self.queues(signal).push(&body, items)
            {
                self.report.accepted(signal, items);
                // Counted if it fails.
                let _ = queued.durable().await;
            }
        }
    }

    /// Head sampling, and attributes as the settings want them.
    fn change(&self, signal: Signal, mut body: Bytes, mut items: usize) -> Result<Passing, Malformed> {
        let request = signal.request();
        let mut sampled_out = 0;
        if let (Signal::Traces, Some(ratio)) = (signal, self.change.ratio) {
            let sampled = ratio.sample(request, &body)?;
            sampled_out = sampled.dropped;
            (body, items) = (sampled.bytes.into(), sampled.kept);
        }
        if !self.change.resource.is_empty() {
            body = self.change.resource.apply(request, &body)?.into();
        }
        if !self.change.attributes.is_empty() {
            body = self.change.attributes.apply(request, &body)?.into();
        }
        Ok(Passing {
            body,
            items,
            sampled_out,
            processed_out: 0,
            processed_in: 0,
        })
    }

    /// What the component's processor makes of a request.
    async fn process(&self, signal: Signal, passing: Passing) -> Passing {
        let Some(processor) = self.processor.as_ref().filter(|_| passing.items > 0) else {
            return passing;
        };
        let (body, items) = match processor.process(signal, &passing.body).await {
            Outcome::Keep => return passing,
            Outcome::Replace(body, items) => (body, items),
            Outcome::Drop => (Bytes::new(), 0),
            Outcome::Failed(reason) => {
                self.report.bypassed(signal, &reason);
                return passing;
            }
        };
        Passing {
            processed_out: passing.items.saturating_sub(items),
            processed_in: items.saturating_sub(passing.items),
            body,
            items,
            ..passing
        }
    }

    /// A request is taken.
    fn accepted(&self, signal: Signal, items: usize, passing: &Passing) {
        self.report.accepted(signal, items + passing.processed_in);
        for (items, why) in [
            (passing.sampled_out, "head-sampling"),
            (passing.processed_out, "processor"),
        ] {
            if items > 0 {
                self.report.left_out(signal, items, why);
            }
        }
    }

    /// A request that its sender keeps.
    fn refused(&self, signal: Signal, items: usize, error: &PushError) -> Status {
        let (reason, status) = match error {
            // It comes to nothing if it comes again.
            PushError::TooLarge { .. } => ("too-large", Status::new(Code::RESOURCE_EXHAUSTED, error.to_string())),
            PushError::Full(_) => (
                "queue-full",
                Status {
                    retry_after: Some(COME_AGAIN),
                    ..Status::new(Code::RESOURCE_EXHAUSTED, error.to_string())
                },
            ),
            PushError::Disk { .. } => ("disk", unavailable(error)),
        };
        self.report.refused(signal, items, reason);
        status
    }

    /// A request that cannot be read.
    pub(crate) fn malformed(&self, signal: Signal) {
        self.report.malformed(signal);
    }

    /// A request that is too large to be read.
    pub(crate) fn too_large(&self, signal: Signal) {
        self.report.refused(signal, 0, "too-large");
    }

    /// A request whose sender has stopped in the middle of it.
    pub(crate) fn stalled(&self, signal: Signal) {
        self.report.refused(signal, 0, "stalled");
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

fn unavailable(error: &PushError) -> Status {
    Status {
        retry_after: Some(COME_AGAIN),
        ..Status::new(Code::UNAVAILABLE, error.to_string())
    }
}
