//! One call of the component, and its outcome.

use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mainstay_nats_core::delivery::plan::Outcome;
use mainstay_nats_core::headers::Headers;
use mainstay_nats_core::jetstream::ack::Delivery;
use mainstay_nats_core::protocol::Message;
use mainstay_nats_core::subject::lossy;
use mainstay_nats_core::trace::{TRACEPARENT, child};
use mainstay_nats_link::Bridge;
use mainstay_runtime::callback::{CallbackError, Callbacks};

use crate::component::Component;
use crate::config::Subscription;
use crate::report::{Ended, Report, SubscriptionMeters};
use crate::{filter, handler};

/// Calls the component.
pub(crate) struct Handler<C> {
    component: Rc<C>,
    callbacks: Callbacks,
    /// Whether the filter is asked.
    filtered: bool,
    bridge: Rc<Bridge>,
}

/// Calls the component for the messages of one subscription.
pub(super) struct SubscriptionHandler<C> {
    shared: Rc<Handler<C>>,
    name: String,
    timeout: Duration,
    pub(super) meters: Rc<SubscriptionMeters>,
}

/// What the component was asked, and what it said.
enum Answer {
    Skipped,
    Refused,
    Handled(Option<handler::Reply>),
    Failed(handler::Disposition),
}

impl<C: Component> Handler<C> {
    pub(crate) fn new(component: Rc<C>, max_in_flight: usize, filtered: bool, bridge: &Rc<Bridge>) -> Rc<Self> {
        Rc::new(Self {
            component,
            callbacks: Callbacks::new(max_in_flight),
            filtered,
            bridge: Rc::clone(bridge),
        })
    }

    pub(super) fn for_subscription(
        self: &Rc<Self>,
        subscription: &Subscription,
        report: &Report,
    ) -> Rc<SubscriptionHandler<C>> {
        Rc::new(SubscriptionHandler {
            shared: Rc::clone(self),
            name: subscription.name.clone(),
            timeout: subscription.timeout,
            meters: report.meters.subscription(&subscription.name),
        })
    }
}

impl<C: Component> SubscriptionHandler<C> {
    /// Hands one message to the component; a reply is on its way when this returns.
    pub(super) async fn call(&self, message: &Message, delivery: Option<&Delivery>) -> Outcome {
        let headers = message
            .headers
            .as_deref()
            .and_then(|block| Headers::parse(block).ok())
            .unwrap_or_default();
        let traceparent = child(headers.first(TRACEPARENT), rand::random(), rand::random());
        let call = self.ask(message, delivery, headers, traceparent.clone());
        let began = Instant::now();
        let answer = self.shared.callbacks.call(self.timeout, call).await;
        self.meters.took(began.elapsed());
        match answer {
            Ok(Answer::Skipped) => {
                self.meters.ended(Ended::Skipped);
                Outcome::Handled
            }
            Ok(Answer::Refused) => Outcome::Rejected,
            Ok(Answer::Handled(reply)) => {
                self.meters.ended(Ended::Handled);
                if let Some(reply) = reply {
                    self.reply(message, delivery, reply, traceparent);
                }
                Outcome::Handled
            }
            Ok(Answer::Failed(disposition)) => match disposition {
                handler::Disposition::Retry(after) => Outcome::Retry(after.map(Duration::from_nanos)),
                handler::Disposition::Reject => Outcome::Rejected,
                handler::Disposition::Failed(text) => Outcome::Failed(text),
            },
            Err(CallbackError::TimedOut) => Outcome::TimedOut(self.timeout),
            Err(CallbackError::Cancelled) => Outcome::Failed("the service is ending".to_owned()),
        }
    }

    /// Asks the filter, if there is one, and the handler.
    fn ask(
        &self,
        message: &Message,
        delivery: Option<&Delivery>,
        headers: Headers,
        traceparent: String,
    ) -> impl Future<Output = Answer> + 'static {
        let component = Rc::clone(&self.shared.component);
        let subject = lossy(&message.subject);
        let headers = headers.into_entries();
        let candidate = self.shared.filtered.then(|| filter::Candidate {
            subscription: self.name.clone(),
            subject: subject.clone(),
            headers: headers.clone(),
            size: message.payload.len() as u64,
            attempt: delivery.map_or(1, |delivery| delivery.attempt),
        });
        let reply_to = message.reply.as_ref().filter(|_| delivery.is_none());
        if let Some(reply) = reply_to {
            self.shared.bridge.permit_reply(reply);
        }
        let message = handler::Message {
            subscription: self.name.clone(),
            subject,
            headers,
            body: message.payload.to_vec(),
            reply_to: reply_to.map(|reply| lossy(reply)),
            delivery: delivery.map(handler_delivery),
            traceparent,
        };
        async move {
            if let Some(candidate) = candidate {
                match component.check(candidate).await {
                    filter::Verdict::Accept => {}
                    filter::Verdict::Skip => return Answer::Skipped,
                    filter::Verdict::Reject => return Answer::Refused,
                }
            }
            match component.handle(message).await {
                Ok(reply) => Answer::Handled(reply),
                Err(disposition) => Answer::Failed(disposition),
            }
        }
    }

    /// Publishes what the handler answers, where somebody waits for it.
    fn reply(&self, message: &Message, delivery: Option<&Delivery>, reply: handler::Reply, traceparent: String) {
        let target = message.reply.clone().filter(|_| delivery.is_none());
        let Some(subject) = target else {
            self.meters.ended(Ended::ReplyDropped);
            return;
        };
        if !self.shared.bridge.may_answer(&subject) {
            self.meters.ended(Ended::ReplyDropped);
            let reply_to = lossy(&subject);
            tracing::warn!(
                subscription = self.name,
                reply_to,
                "the handler's reply is dropped: it would be a request to the server or to JetStream"
            );
            return;
        }
        let mut headers = match Headers::new(reply.headers) {
            Ok(headers) => headers,
            Err(error) => {
                self.meters.ended(Ended::ReplyDropped);
                tracing::warn!(subscription = self.name, "the handler's reply is dropped: {error}");
                return;
            }
        };
        if headers.first(TRACEPARENT).is_none() {
            // A name and a value that are as they should be.
            let _ = headers.push(TRACEPARENT, traceparent);
        }
        let reply = Message {
            subject,
            reply: None,
            headers: Some(headers.encode()),
            payload: Bytes::from(reply.body),
        };
        let limit = self.shared.bridge.max_payload();
        if reply.size() > limit {
            self.meters.ended(Ended::ReplyDropped);
            let size = reply.size();
            tracing::warn!(
                subscription = self.name,
                size,
                limit,
                "the handler's reply is larger than the server takes"
            );
            return;
        }
        self.shared.bridge.publish(&reply);
    }
}

fn handler_delivery(delivery: &Delivery) -> handler::Delivery {
    const SECOND: u64 = 1_000_000_000;
    handler::Delivery {
        stream: delivery.stream.clone(),
        consumer: delivery.consumer.clone(),
        stream_sequence: delivery.stream_sequence,
        consumer_sequence: delivery.consumer_sequence,
        attempt: delivery.attempt,
        pending: delivery.pending,
        stored: handler::Instant {
            seconds: (delivery.stored / SECOND).cast_signed(),
            nanoseconds: (delivery.stored % SECOND) as u32,
        },
    }
}
