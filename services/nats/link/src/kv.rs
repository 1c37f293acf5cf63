//! Keys of a bucket: read, and written by revision.
//!
//! A write names the revision that it expects the key to have, 0 for a key that was never written. Of two that expect
//! the same one is refused, so whoever has written last knows that nobody has written since.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use mainstay_nats_core::headers::Headers;
use mainstay_nats_core::jetstream::api::{
    self, AnswerError, Api, MESSAGE_NOT_FOUND, PublishAck, STREAM_NOT_FOUND, WRONG_LAST_SEQUENCE,
    WRONG_LAST_SEQUENCE_CONSTANT,
};
use mainstay_nats_core::jetstream::kv;
use mainstay_nats_core::protocol::Message;

use crate::bridge::{Bridge, RequestError};

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its value; nothing if it was deleted.
    pub value: Option<Bytes>,
    /// When it was written, as a place in the bucket.
    pub revision: u64,
}

/// Why a key cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KvError {
    /// The key has another revision than the one that was expected.
    #[error("somebody else has written the key")]
    Conflict,
    /// The bucket is not there.
    #[error("there is no bucket {0:?}")]
    NoBucket(String),
    /// The server does not take so much.
    #[error("the value has {size} bytes, the server takes at most {limit}")]
    TooLarge {
        /// Bytes of the message.
        size: usize,
        /// The server's limit.
        limit: usize,
    },
    /// No answer in time; whether the key was written is not known.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// JetStream says no.
    #[error("JetStream: {0}")]
    Answer(AnswerError),
}

/// A bucket, as one service uses it.
#[derive(Clone)]
pub struct Bucket {
    bridge: Rc<Bridge>,
    api: Api,
    name: String,
    timeout: Duration,
}

impl Bucket {
    /// The bucket of this name, whether it is there or not. No call takes longer than `timeout`.
    pub fn new(bridge: &Rc<Bridge>, api: &Api, name: &str, timeout: Duration) -> Self {
        Self {
            bridge: Rc::clone(bridge),
            api: api.clone(),
            name: name.to_owned(),
            timeout,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes the bucket as this service needs it, if it is not there: one value a key.
    ///
    /// # Errors
    /// JetStream does not make it.
    pub async fn ensure(&self) -> Result<(), KvError> {
        let request = Message {
            subject: Bytes::from(self.api.stream_create(&kv::stream(&self.name))),
            payload: kv::create_bucket(&self.name),
            ..Message::default()
        };
        let answer = self.ask(request).await?;
        match api::answer::<api::Made>(&answer.payload) {
            // There is one that was made otherwise, which is as good.
            Err(AnswerError::Api(error)) if error.err_code == api::STREAM_NAME_IN_USE => Ok(()),
            Err(error) => Err(KvError::Answer(error)),
            Ok(_) => Ok(()),
        }
    }

    /// What a key holds; nothing if it was never written.
    ///
    /// # Errors
    /// There is no bucket, or no answer.
    pub async fn read(&self, key: &str) -> Result<Option<Entry>, KvError> {
        let request = Message {
            subject: Bytes::from(self.api.message_get(&kv::stream(&self.name))),
            payload: kv::last_request(&kv::subject(&self.name, key)),
            ..Message::default()
        };
        let answer = self.ask(request).await?;
        if let Some(stored) = kv::last_answer(&answer.payload) {
            return Ok(Some(Entry {
                value: (!kv::is_deletion(&stored.headers)).then_some(stored.body),
                revision: stored.sequence,
            }));
        }
        match api::answer::<api::Made>(&answer.payload) {
            Err(AnswerError::Api(error)) if error.err_code == MESSAGE_NOT_FOUND => Ok(None),
            Err(error) => Err(self.refused(error)),
            Ok(_) => Err(KvError::Answer(AnswerError::Unreadable(
                "it holds no message".to_owned(),
            ))),
        }
    }

    /// Writes a key that has the revision `expected`, 0 if it was never written; the new revision.
    ///
    /// # Errors
    /// [`KvError::Conflict`] if it has another; after [`KvError::TimedOut`] it may be written or not.
    pub async fn write(&self, key: &str, value: Bytes, expected: u64) -> Result<u64, KvError> {
        let mut headers = Headers::default();
        // A name and a value that are as they should be.
        let _ = headers.push(kv::EXPECTED_REVISION, expected.to_string());
        let message = Message {
            subject: Bytes::from(self.api.kv_put(&kv::subject(&self.name, key))),
            reply: None,
            headers: Some(headers.encode()),
            payload: value,
        };
        let (size, limit) = (message.size(), self.bridge.max_payload());
        if size > limit {
            return Err(KvError::TooLarge { size, limit });
        }
        let answer = self.ask(message).await?;
        let stored = api::answer::<PublishAck>(&answer.payload).map_err(|error| self.refused(error))?;
        Ok(stored.seq)
    }

    async fn ask(&self, request: Message) -> Result<Message, KvError> {
        let answer = self.bridge.request(request, self.timeout).await;
        answer.map_err(|error| match error {
            // Nobody takes messages for a bucket that is not there.
            RequestError::NoResponders => KvError::NoBucket(self.name.clone()),
            RequestError::TimedOut(limit) => KvError::TimedOut(limit),
        })
    }

    fn refused(&self, error: AnswerError) -> KvError {
        match error {
            AnswerError::Api(error) if error.err_code == STREAM_NOT_FOUND => KvError::NoBucket(self.name.clone()),
            AnswerError::Api(error) if matches!(error.err_code, WRONG_LAST_SEQUENCE | WRONG_LAST_SEQUENCE_CONSTANT) => {
                KvError::Conflict
            }
            error => KvError::Answer(error),
        }
    }
}
