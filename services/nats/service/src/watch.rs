//! Key-value buckets that the component watches: their present values, then each change, one call at a time.
//!
//! The changes come by a pull consumer, so that no more are on their way than there is room for, however slow the
//! component is. The consumer is made anew where a delivery is missing, and goes on where it was; after a lost connection
//! it begins with the present values.

use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mainstay_nats_core::headers::Headers;
use mainstay_nats_core::jetstream::ack::Delivery;
use mainstay_nats_core::jetstream::api::{self, AnswerError, Api, ConsumerInfo, STREAM_NOT_FOUND};
use mainstay_nats_core::jetstream::kv;
use mainstay_nats_core::jetstream::pull::{Bounds, Pull, SILENCE, Status};
use mainstay_nats_core::jetstream::watch::{Change, Progress, Seen, change, subjects};
use mainstay_nats_core::protocol::Message;
use mainstay_nats_core::subject::Pattern;
use mainstay_runtime::backoff::Backoff;
use mainstay_runtime::callback::Callbacks;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::component::Component;
use crate::config::Watch;
use crate::report::{Report, WatchMeters};
use crate::watcher;
use mainstay_nats_link::{Bridge, RequestError, Route};

/// What may wait for the component.
const BOUNDS: Bounds = Bounds {
    messages: 256,
    bytes: 4 << 20,
};

/// How long JetStream may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

struct Watcher<C> {
    watch: Watch,
    api: Api,
    bridge: Rc<Bridge>,
    report: Rc<Report>,
    component: Rc<C>,
    callbacks: Callbacks,
    meters: WatchMeters,
}

/// Why a consumer is not asked any more.
enum End {
    /// The connection is lost, which has told of itself.
    Disconnected,
    /// A delivery is missing.
    Gap,
    /// It cannot be used.
    Trouble(String),
}

/// Why there is no consumer.
#[derive(Debug, thiserror::Error)]
enum WatchError {
    #[error("JetStream: {0}")]
    Request(#[from] RequestError),
    #[error("JetStream: {0}")]
    Answer(#[from] AnswerError),
    #[error("there is no bucket {0:?}; create it")]
    NoBucket(String),
    #[error("several patterns of one bucket need nats-server 2.10; watch all of it, or one pattern")]
    Filters,
}

/// A consumer, and what it delivers.
struct Source {
    name: String,
    inbox: Bytes,
    arrived: UnboundedReceiver<Message>,
    _route: Route,
}

/// Lets the changes of a bucket come to the component from now on.
pub(crate) fn start<C: Component>(watch: Watch, api: Api, bridge: &Rc<Bridge>, report: &Rc<Report>, component: &Rc<C>) {
    let watcher = Watcher {
        meters: report.meters.watch(&watch.bucket),
        watch,
        api,
        bridge: Rc::clone(bridge),
        report: Rc::clone(report),
        component: Rc::clone(component),
        callbacks: Callbacks::new(1),
    };
    tokio::task::spawn_local(watcher.run());
}

impl<C: Component> Watcher<C> {
    /// Watches for ever, anew after each loss.
    async fn run(self) {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
        loop {
            let connection = self.bridge.connection().await;
            let began = Instant::now();
            let trouble = self.follow(connection).await;
            if began.elapsed() > backoff.max() {
                backoff.reset();
            }
            if let Some(reason) = trouble {
                let pause = backoff.next();
                tracing::warn!(bucket = self.watch.bucket, retry_in = ?pause, "{reason}");
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// Hands over the present values and what comes after them, until something is lost; why, unless it is the
    /// connection.
    async fn follow(&self, connection: u64) -> Option<String> {
        let bucket = &self.watch.bucket;
        let part = format!("watch {bucket}");
        let mut progress = Progress::default();
        self.meters.begun.add(1);
        loop {
            let mut source = match self.consumer(&mut progress).await {
                Ok(source) => source,
                Err(error) => {
                    self.report.not_ready(&part, &format!("watch of {bucket:?}: {error}"));
                    return Some(error.to_string());
                }
            };
            self.report.ready(&part);
            let end = self.consume(&mut source, &mut progress, connection).await;
            // It would go by itself after a while.
            self.bridge.publish(&Message {
                subject: Bytes::from(self.api.consumer_delete(&kv::stream(bucket), &source.name)),
                ..Message::default()
            });
            match end {
                End::Disconnected => return None,
                End::Trouble(reason) => return Some(reason),
                End::Gap => {
                    self.meters.gaps.add(1);
                    tracing::info!(
                        bucket,
                        revision = progress.revision(),
                        "a delivery is missing, asking again"
                    );
                }
            }
        }
    }

    /// Makes a consumer that goes on from where the watch is.
    async fn consumer(&self, progress: &mut Progress) -> Result<Source, WatchError> {
        let Watch { bucket, keys, .. } = &self.watch;
        let name = format!("watch{:016x}", rand::random::<u64>());
        let stream = kv::stream(bucket);
        let request = Message {
            payload: progress.consumer(bucket, keys, &name),
            subject: Bytes::from(match keys.as_slice() {
                // Accounts can be restricted by the filter in the subject.
                [one] => {
                    let filter = kv::subject(bucket, &one.to_string());
                    self.api.consumer_create_filtered(&stream, &name, &filter)
                }
                _ => self.api.consumer_create(&stream, &name),
            }),
            ..Message::default()
        };
        let inbox = self.bridge.new_inbox("w");
        let (sender, arrived) = mpsc::unbounded_channel();
        // An inbox is a subject without wildcards.
        let pattern = Pattern::new(inbox.clone()).map_err(|error| AnswerError::Unreadable(error.to_string()))?;
        let route = self.bridge.subscribe(pattern, None, move |message| {
            // No more come than were asked for. Once nobody takes them, the route is about to go.
            let _ = sender.send(message.detach());
        });
        let answer = self.bridge.request(request, TIMEOUT).await?;
        let info: ConsumerInfo = api::answer(&answer.payload).map_err(|error| match error {
            AnswerError::Api(error) if error.err_code == STREAM_NOT_FOUND => WatchError::NoBucket(bucket.clone()),
            error => error.into(),
        })?;
        if !info.config.knows_filters(&subjects(bucket, keys)) {
            return Err(WatchError::Filters);
        }
        progress.begun(info.num_pending);
        Ok(Source {
            name,
            inbox,
            arrived,
            _route: route,
        })
    }

    /// Asks a consumer for changes and hands them over, until it cannot be asked any more.
    async fn consume(&self, source: &mut Source, progress: &mut Progress, connection: u64) -> End {
        let mut pull = Pull::new(BOUNDS);
        loop {
            while let Some(next) = pull.ask() {
                self.bridge.publish(&Message {
                    subject: Bytes::from(self.api.next(&kv::stream(&self.watch.bucket), &source.name)),
                    reply: Some(source.inbox.clone()),
                    headers: None,
                    payload: next.payload(),
                });
            }
            let message = tokio::select! {
                () = self.bridge.lost(connection) => return End::Disconnected,
                message = source.arrived.recv() => message,
                () = tokio::time::sleep(SILENCE) => {
                    return End::Trouble(format!("the watch's consumer gives no sign of life for {SILENCE:?}"));
                }
            };
            // The route that sends is held here.
            let Some(message) = message else { return End::Gap };
            if let Some(end) = self.take(&message, &mut pull, progress).await {
                return end;
            }
        }
    }

    /// Takes a change to the component, or what the server says in place of one.
    async fn take(&self, message: &Message, pull: &mut Pull, progress: &mut Progress) -> Option<End> {
        let Some(delivery) = message.reply.as_deref().and_then(Delivery::parse) else {
            let headers = message.headers.as_deref().and_then(|block| Headers::parse(block).ok());
            let headers = headers.unwrap_or_default();
            return match pull.status(&headers) {
                _ if progress.is_behind(&headers) => Some(End::Gap),
                Status::Alive | Status::Over => None,
                Status::Lost(reason) | Status::Gone(reason) => {
                    Some(End::Trouble(format!("the watch's consumer: {reason}")))
                }
            };
        };
        match progress.delivered(&delivery) {
            Seen::Gap => return Some(End::Gap),
            Seen::Again => {}
            Seen::Next => {
                if let Some(change) = change(&self.watch.bucket, message, &delivery) {
                    self.call(change).await;
                }
            }
        }
        let weight = message.weight() as u64;
        pull.received(weight);
        pull.done(weight);
        None
    }

    async fn call(&self, change: Change) {
        const SECOND: u64 = 1_000_000_000;
        let (bucket, key, revision) = (&self.watch.bucket, change.key.clone(), change.revision);
        let change = watcher::Change {
            bucket: bucket.clone(),
            key: change.key,
            value: change.value.map(|value| value.to_vec()),
            revision,
            written: watcher::Instant {
                seconds: (change.written / SECOND).cast_signed(),
                nanoseconds: (change.written % SECOND) as u32,
            },
            pending: change.pending,
        };
        let called = self
            .callbacks
            .call(self.watch.timeout, self.component.changed(change))
            .await;
        match called {
            Ok(()) => self.meters.handled.add(1),
            Err(error) => {
                self.meters.timed_out.add(1);
                tracing::warn!(bucket, key, revision, "a change is not handled: {error}");
            }
        }
    }
}
