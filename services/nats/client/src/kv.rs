//! `mainstay:nats/kv`.

use std::time::{Duration, Instant};

use bytes::Bytes;
use mainstay_nats_core::headers::Headers;
use mainstay_nats_core::jetstream::ack::Delivery;
use mainstay_nats_core::jetstream::api::{
    self, AnswerError, ApiError, ConsumerInfo, MESSAGE_NOT_FOUND, PublishAck, STREAM_NOT_FOUND, WRONG_LAST_SEQUENCE,
    WRONG_LAST_SEQUENCE_CONSTANT,
};
use mainstay_nats_core::jetstream::kv::{self, Stored};
use mainstay_nats_core::protocol::Message;

use crate::Client;
use crate::bindings::exports::mainstay::nats::kv::{Entry, Error, Guest, Instant as Written};
use crate::conversation::{Conversation, Failure, with};
use crate::settings::api;

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(10);

impl Guest for Client {
    async fn get(bucket: String, key: String) -> Result<Option<Entry>, Error> {
        check(&bucket, Some(&key))?;
        let last = call(|conversation, deadline| last(conversation, deadline, &bucket, &key))?;
        let last = last.filter(|stored| !kv::is_deletion(&stored.headers));
        Ok(last.map(|stored| Entry {
            value: stored.body.to_vec(),
            revision: stored.sequence,
            written: Written {
                seconds: stored.stored.0,
                nanoseconds: stored.stored.1,
            },
        }))
    }

    async fn put(bucket: String, key: String, value: Vec<u8>) -> Result<u64, Error> {
        check(&bucket, Some(&key))?;
        call(|conversation, deadline| write(conversation, deadline, &bucket, &key, value, None, None))
    }

    async fn create(bucket: String, key: String, value: Vec<u8>) -> Result<u64, Error> {
        check(&bucket, Some(&key))?;
        call(|conversation, deadline| {
            let created = write(conversation, deadline, &bucket, &key, value.clone(), Some(0), None);
            if !matches!(created, Err(Error::Conflict)) {
                return created;
            }
            // What was deleted has no value, but a revision.
            match last(conversation, deadline, &bucket, &key)? {
                Some(stored) if kv::is_deletion(&stored.headers) => write(
                    conversation,
                    deadline,
                    &bucket,
                    &key,
                    value,
                    Some(stored.sequence),
                    None,
                ),
                _ => Err(Error::Conflict),
            }
        })
    }

    async fn update(bucket: String, key: String, value: Vec<u8>, revision: u64) -> Result<u64, Error> {
        check(&bucket, Some(&key))?;
        call(|conversation, deadline| write(conversation, deadline, &bucket, &key, value, Some(revision), None))
    }

    async fn delete(bucket: String, key: String, revision: Option<u64>) -> Result<(), Error> {
        check(&bucket, Some(&key))?;
        let deletion = Some("DEL");
        call(|conversation, deadline| {
            write(conversation, deadline, &bucket, &key, Vec::new(), revision, deletion).map(drop)
        })
    }

    async fn keys(bucket: String) -> Result<Vec<String>, Error> {
        check(&bucket, None)?;
        call(|conversation, deadline| keys(conversation, deadline, &bucket))
    }
}

fn call<T>(talk: impl FnOnce(&mut Conversation, Instant) -> Result<T, Error>) -> Result<T, Error> {
    let deadline = Instant::now() + TIMEOUT;
    // A refusal of JetStream is a good end of a conversation.
    with(deadline, |conversation| match talk(conversation, deadline) {
        Err(Error::Timeout) => Err(Failure::TimedOut),
        Err(Error::Unavailable(text)) => Err(Failure::Unavailable(text)),
        result => Ok(result),
    })?
}

fn check(bucket: &str, key: Option<&str>) -> Result<(), Error> {
    if !kv::is_bucket(bucket) {
        return Err(Error::InvalidBucket(bucket.to_owned()));
    }
    match key {
        Some(key) if !kv::is_key(key) => Err(Error::InvalidKey(key.to_owned())),
        _ => Ok(()),
    }
}

/// The last message of a key, a value or a deletion.
fn last(conversation: &mut Conversation, deadline: Instant, bucket: &str, key: &str) -> Result<Option<Stored>, Error> {
    let request = Message {
        subject: Bytes::from(api().message_get(&kv::stream(bucket))),
        payload: kv::last_request(&kv::subject(bucket, key)),
        ..Message::default()
    };
    let answer = conversation.ask(request, deadline)?;
    if let Some(stored) = kv::last_answer(&answer.payload) {
        return Ok(Some(stored));
    }
    match api::answer::<PublishAck>(&answer.payload) {
        Err(AnswerError::Api(error)) if error.err_code == MESSAGE_NOT_FOUND => Ok(None),
        Err(error) => Err(error.into()),
        Ok(_) => Err(Error::Refused((0, "the answer is not a message".to_owned()))),
    }
}

/// Writes a value or a deletion; the new revision.
fn write(
    conversation: &mut Conversation,
    deadline: Instant,
    bucket: &str,
    key: &str,
    value: Vec<u8>,
    revision: Option<u64>,
    operation: Option<&str>,
) -> Result<u64, Error> {
    let mut headers = Headers::default();
    if let Some(operation) = operation {
        headers.push(kv::OPERATION, operation).map_err(Failure::from)?;
    }
    if let Some(revision) = revision {
        headers
            .push("Nats-Expected-Last-Subject-Sequence", revision.to_string())
            .map_err(Failure::from)?;
    }
    let message = Message {
        subject: Bytes::from(api().publish(&kv::subject(bucket, key))),
        reply: None,
        headers: (!headers.is_empty()).then(|| headers.encode()),
        payload: Bytes::from(value),
    };
    let answer = conversation.ask(message, deadline)?;
    Ok(api::answer::<PublishAck>(&answer.payload)?.seq)
}

/// The keys that have a value: the last message of each key is delivered without its body.
fn keys(conversation: &mut Conversation, deadline: Instant, bucket: &str) -> Result<Vec<String>, Error> {
    let (sid, inbox) = conversation.subscribe();
    let found = consume(conversation, deadline, bucket, sid, &inbox);
    conversation.unsubscribe(sid);
    found
}

fn consume(
    conversation: &mut Conversation,
    deadline: Instant,
    bucket: &str,
    sid: u64,
    inbox: &Bytes,
) -> Result<Vec<String>, Error> {
    let (api, stream) = (api(), kv::stream(bucket));
    let name = format!("keys{:016x}", wasip2::random::random::get_random_u64());
    let create = Message {
        subject: Bytes::from(api.consumer_create_filtered(&stream, &name, &kv::subject(bucket, ">"))),
        payload: kv::create_watch(bucket, &name, &String::from_utf8_lossy(inbox), true),
        ..Message::default()
    };
    let answer = conversation.ask_filtered(create, deadline)?;
    let info: ConsumerInfo = api::answer(&answer.payload)?;
    let mut keys = Vec::new();
    let mut left = info.num_pending + info.delivered.consumer_seq;
    let mut last = 0;
    while left > 0 {
        let message = conversation.reply(sid, b"", deadline)?;
        let Some(delivery) = message.reply.as_deref().and_then(Delivery::parse) else {
            // A sign of life; with a reply subject it asks whether this side keeps up.
            if let Some(reply) = message.reply {
                conversation.say(&Message {
                    subject: reply,
                    ..Message::default()
                });
            }
            continue;
        };
        if delivery.consumer_sequence != last + 1 {
            let text = "some keys were lost on their way: the service was too busy";
            return Err(Error::Unavailable(text.to_owned()));
        }
        (last, left) = (delivery.consumer_sequence, delivery.pending);
        let headers = message
            .headers
            .as_deref()
            .and_then(|block| Headers::parse(block).ok())
            .unwrap_or_default();
        let subject = String::from_utf8_lossy(&message.subject).into_owned();
        if let Some(key) = kv::key(bucket, &subject).filter(|_| !kv::is_deletion(&headers)) {
            keys.push(key.to_owned());
        }
    }
    let delete = Message {
        subject: Bytes::from(api.consumer_delete(&stream, &name)),
        ..Message::default()
    };
    // It would go by itself after a while.
    let _ = conversation.ask(delete, deadline);
    Ok(keys)
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Subject(subject) => Self::InvalidKey(subject),
            Failure::Header(error) => Self::Unavailable(error.to_string()),
            Failure::Denied(text) => Self::Denied(text),
            // Nobody takes messages for a bucket that is not there.
            Failure::NoResponders => Self::NoBucket,
            Failure::TimedOut => Self::Timeout,
            Failure::TooLarge(limit) => Self::TooLarge(limit),
            Failure::Unavailable(text) => Self::Unavailable(text),
        }
    }
}

impl From<AnswerError> for Error {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Api(ApiError { err_code, .. }) if err_code == STREAM_NOT_FOUND => Self::NoBucket,
            AnswerError::Api(ApiError { err_code, .. })
                if err_code == WRONG_LAST_SEQUENCE || err_code == WRONG_LAST_SEQUENCE_CONSTANT =>
            {
                Self::Conflict
            }
            AnswerError::Api(error) => Self::Refused((error.err_code, error.description)),
            AnswerError::Unreadable(text) => Self::Refused((0, text)),
        }
    }
}
