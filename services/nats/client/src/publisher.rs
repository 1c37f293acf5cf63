//! `mainstay:nats/publisher`.

use std::time::{Duration, Instant};

use bytes::Bytes;
use mainstay_nats_core::jetstream::api::{self, AnswerError, PublishAck};
use mainstay_nats_core::protocol;
use mainstay_nats_core::subject::lossy;

use crate::Client;
use crate::bindings::exports::mainstay::nats::publisher::{Ack, Conditions, Error, Guest, Message, Reply, Until};
use crate::conversation::{self, Failure, PUBLISH, entries, with};

impl Guest for Client {
    async fn publish(message: Message, reply_to: Option<String>) -> Result<(), Error> {
        let mut message = checked(message)?;
        message.reply = reply_to.map(Bytes::from);
        let deadline = Instant::now() + PUBLISH;
        Ok(with(deadline, |conversation| conversation.publish(&message, deadline))?)
    }

    async fn publish_stored(mut message: Message, conditions: Conditions, timeout: u64) -> Result<Ack, Error> {
        message.headers.extend(headers(conditions));
        let message = checked(message)?;
        let deadline = deadline(timeout);
        let answer = with(deadline, |conversation| conversation.ask(message, deadline))?;
        let ack: PublishAck = api::answer(&answer.payload)?;
        Ok(Ack {
            stream: ack.stream,
            sequence: ack.seq,
            duplicate: ack.duplicate,
            domain: ack.domain,
        })
    }

    async fn request(message: Message, timeout: u64) -> Result<Reply, Error> {
        let message = checked(message)?;
        let deadline = deadline(timeout);
        Ok(reply(with(deadline, |conversation| {
            conversation.ask(message, deadline)
        })?))
    }

    async fn request_many(message: Message, until: Until) -> Result<Vec<Reply>, Error> {
        let message = checked(message)?;
        let until = conversation::Until {
            deadline: deadline(until.timeout),
            replies: until.replies.map_or(usize::MAX, |replies| replies as usize).max(1),
            stall: until.stall.map(Duration::from_nanos),
        };
        let replies = with(until.deadline, |conversation| conversation.request(message, until))?;
        Ok(replies.into_iter().map(reply).collect())
    }
}

pub(crate) fn deadline(nanoseconds: u64) -> Instant {
    let now = Instant::now();
    let day = Duration::from_secs(24 * 60 * 60);
    now + Duration::from_nanos(nanoseconds).min(day)
}

fn checked(message: Message) -> Result<protocol::Message, Failure> {
    conversation::message(message.subject, message.headers, message.body)
}

fn reply(message: protocol::Message) -> Reply {
    Reply {
        subject: lossy(&message.subject),
        headers: entries(&message),
        body: message.payload.to_vec(),
    }
}

fn headers(conditions: Conditions) -> impl Iterator<Item = (String, String)> {
    let Conditions {
        message_id,
        expected_stream,
        expected_last_sequence,
        expected_last_subject_sequence,
    } = conditions;
    let headers = [
        ("Nats-Msg-Id", message_id),
        ("Nats-Expected-Stream", expected_stream),
        (
            "Nats-Expected-Last-Sequence",
            expected_last_sequence.map(|sequence| sequence.to_string()),
        ),
        (
            "Nats-Expected-Last-Subject-Sequence",
            expected_last_subject_sequence.map(|sequence| sequence.to_string()),
        ),
    ];
    headers
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Subject(subject) => Self::InvalidSubject(subject),
            Failure::Header(error) => Self::InvalidHeader(error.to_string()),
            Failure::Denied(text) => Self::Denied(text),
            Failure::NoResponders => Self::NoResponders,
            Failure::TimedOut => Self::Timeout,
            Failure::TooLarge(limit) => Self::TooLarge(limit),
            Failure::Unavailable(text) => Self::Unavailable(text),
        }
    }
}

impl From<AnswerError> for Error {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Api(error) => Self::Refused((error.err_code, error.description)),
            AnswerError::Unreadable(text) => Self::Refused((0, text)),
        }
    }
}
