//! One message's way from its arrival to its acknowledgement.

use std::time::Duration;

use mainstay_nats_core::delivery::dead_letter::dead_letter;
use mainstay_nats_core::delivery::order::Order;
use mainstay_nats_core::delivery::plan::Plan;
use mainstay_nats_core::jetstream::ack::Answer;
use mainstay_nats_core::jetstream::api::{self, PublishAck};
use mainstay_nats_core::protocol::Message;
use mainstay_nats_core::subject::lossy;
use mainstay_nats_link::RequestError;

use super::jetstream::{Arrived, JetStream, acknowledgement};
use crate::component::Component;
use crate::config;
use crate::report::Ended;

/// How long the server may take to confirm an acknowledgement, or to store a dead letter.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The pause before a dead letter is tried again that could not be stored.
const DEAD_LETTER_PAUSE: Duration = Duration::from_secs(5);

impl<C: Component> JetStream<C> {
    /// Hands a message to the handler, and answers the server if it is handled or given up; else the pause before it is to
    /// be tried again.
    ///
    /// With an order the messages behind it wait until then, so it is tried again here; without one the server is asked
    /// to deliver it again.
    pub(super) async fn deliver(&self, arrived: &Arrived) -> Option<Duration> {
        let delivery = &arrived.delivery;
        let retries = &self.consumer.retries;
        let plan = if retries.is_beyond(delivery.attempt) {
            Plan::GiveUp(format!("not handled in {} deliveries", delivery.attempt - 1))
        } else {
            let outcome = self.handler.call(&arrived.message, Some(delivery)).await;
            retries.plan(delivery.attempt, &outcome)
        };
        match plan {
            Plan::Acknowledge => self.acknowledge(arrived).await,
            Plan::GiveUp(reason) => self.give_up(arrived, &reason).await,
            Plan::Again(pause) => {
                self.handler.meters.ended(Ended::Retried);
                if self.subscription.order != Order::None {
                    return Some(pause);
                }
                self.answer(&arrived.reply, Answer::Nak(Some(pause)));
            }
        }
        None
    }

    async fn acknowledge(&self, arrived: &Arrived) {
        if !self.consumer.double_ack {
            return self.answer(&arrived.reply, Answer::Ack);
        }
        let confirmed = self
            .bridge
            .request(acknowledgement(&arrived.reply, Answer::Ack), TIMEOUT)
            .await;
        // Unconfirmed, the server may deliver it again: at least once is kept.
        if let Err(error) = confirmed {
            let subject = lossy(&arrived.message.subject);
            tracing::warn!(
                subscription = self.subscription.name,
                subject,
                "acknowledgement not confirmed: {error}"
            );
            self.answer(&arrived.reply, Answer::Ack);
        }
        self.forget(&arrived.reply);
    }

    async fn give_up(&self, arrived: &Arrived, reason: &str) {
        let delivery = &arrived.delivery;
        let target = self.consumer.dead_letter.as_ref();
        if let Some(target) = target
            && let Err(error) = self.bury(target, arrived, reason).await
        {
            // Nothing is lost: the message stays in its stream until its dead letter is stored.
            let (subscription, target) = (&self.subscription.name, &target.subject);
            tracing::error!(subscription, target, retry_in = ?DEAD_LETTER_PAUSE, "no dead letter: {error}");
            return self.answer(&arrived.reply, Answer::Nak(Some(DEAD_LETTER_PAUSE)));
        }
        self.handler.meters.ended(Ended::GivenUp);
        let target = target.map(|target| target.subject.as_str());
        self.report
            .dead_lettered(&self.subscription.name, &arrived.message, delivery, reason, target);
        self.answer(&arrived.reply, Answer::Term);
    }

    /// Publishes the dead letter, and waits until it is stored, or at least with the server.
    async fn bury(&self, target: &config::DeadLetter, arrived: &Arrived, reason: &str) -> Result<(), String> {
        let (delivery, limit) = (&arrived.delivery, self.bridge.max_payload());
        let letter = dead_letter(&target.subject, &arrived.message, delivery, reason, limit);
        if target.stored {
            self.store(letter.message).await?;
        } else {
            self.bridge.publish(&letter.message);
            self.bridge.flush().await.map_err(|error| error.to_string())?;
        }
        if letter.is_cut {
            self.handler.meters.cut_dead_letter();
            let (subscription, sequence) = (&self.subscription.name, delivery.stream_sequence);
            tracing::warn!(
                subscription,
                sequence,
                limit,
                "the dead letter has no body: the server takes no more bytes"
            );
        }
        Ok(())
    }

    async fn store(&self, letter: Message) -> Result<(), String> {
        let answer = self
            .bridge
            .request(letter, TIMEOUT)
            .await
            .map_err(|error| match error {
                RequestError::NoResponders => {
                    "no stream takes the subject; create one, or set dead_letter_stored = false".to_owned()
                }
                error => error.to_string(),
            })?;
        api::answer::<PublishAck>(&answer.payload)
            .map(drop)
            .map_err(|error| error.to_string())
    }
}
