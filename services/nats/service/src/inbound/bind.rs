//! Finding the consumer that the configuration names, or making it.

use std::time::Duration;

use bytes::Bytes;
use mainstay_nats_core::jetstream::api::{
    self, AnswerError, Api, CONSUMER_NOT_FOUND, ConsumerConfig, ConsumerInfo, STREAM_NOT_FOUND,
};
use mainstay_nats_core::protocol::Message;
use mainstay_nats_link::{Bridge, RequestError};

use crate::config::{Consumer, StartAt};

/// How long JetStream may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The server waits so much longer for acknowledgements than this service needs, when it delivers anew by itself.
const MAX_ACK_PENDING: i64 = 100_000;

/// A consumer that waits for an acknowledgement for less than this will deliver twice: nobody tells it that often that a
/// message is in work.
const MIN_ACK_WAIT: Duration = Duration::from_millis(30);

/// What is known of a consumer that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    /// How long the server waits for an acknowledgement.
    pub(super) ack_wait: Duration,
    /// How often the server delivers a message at most.
    pub(super) max_deliver: Option<u64>,
}

/// Why a consumer cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum BindError {
    #[error("JetStream: {0}")]
    Request(#[from] RequestError),
    #[error("JetStream: {0}")]
    Answer(#[from] AnswerError),
    #[error("there is no stream {0:?}; create it")]
    NoStream(String),
    #[error("stream {0:?} has no consumer {1:?}; create it as a durable pull consumer, or set ensure = true")]
    NoConsumer(String, String),
    #[error("consumer {0:?} delivers to {1:?}; it must be a pull consumer")]
    Push(String, String),
    #[error("consumer {0:?} has the ack policy {1:?}; it must be explicit")]
    AckPolicy(String, String),
    #[error(
        "the server has made consumer {0:?} without its filters, of which there may be several from nats-server 2.10 on; \
         delete it, and set one filter"
    )]
    Filters(String),
}

/// Finds the consumer, or makes it so.
pub(super) async fn bind(bridge: &Bridge, api: &Api, consumer: &Consumer) -> Result<Bound, BindError> {
    let (subject, payload) = if consumer.ensure {
        let subject = api.consumer_create(&consumer.stream, &consumer.name);
        (subject, api::create_consumer(&consumer.stream, &config(consumer)))
    } else {
        (api.consumer_info(&consumer.stream, &consumer.name), Bytes::new())
    };
    let request = Message {
        subject: Bytes::from(subject),
        payload,
        ..Message::default()
    };
    let answer = bridge.request(request, TIMEOUT).await?;
    let info: ConsumerInfo = api::answer(&answer.payload).map_err(|error| match error {
        AnswerError::Api(error) if error.err_code == STREAM_NOT_FOUND => BindError::NoStream(consumer.stream.clone()),
        AnswerError::Api(error) if error.err_code == CONSUMER_NOT_FOUND => {
            BindError::NoConsumer(consumer.stream.clone(), consumer.name.clone())
        }
        error => error.into(),
    })?;
    check(consumer, &info.config)
}

fn check(consumer: &Consumer, config: &ConsumerConfig) -> Result<Bound, BindError> {
    if !config.deliver_subject.is_empty() {
        return Err(BindError::Push(consumer.name.clone(), config.deliver_subject.clone()));
    }
    if config.ack_policy != "explicit" {
        return Err(BindError::AckPolicy(consumer.name.clone(), config.ack_policy.clone()));
    }
    if !config.knows_filters(&filters(consumer)) {
        return Err(BindError::Filters(consumer.name.clone()));
    }
    Ok(Bound {
        ack_wait: Duration::from_nanos(config.ack_wait).max(MIN_ACK_WAIT),
        max_deliver: u64::try_from(config.max_deliver).ok().filter(|max| *max > 0),
    })
}

fn filters(consumer: &Consumer) -> Vec<String> {
    consumer.filter.iter().map(ToString::to_string).collect()
}

/// The consumer as it is made. How often a message is delivered is for the service to bound: a server that bounds it too
/// would leave a message behind whose last delivery a crash has interrupted.
fn config(consumer: &Consumer) -> ConsumerConfig {
    let mut config = ConsumerConfig {
        durable_name: consumer.name.clone(),
        name: consumer.name.clone(),
        description: "made by mainstay-nats".to_owned(),
        deliver_policy: match consumer.start {
            StartAt::All => "all",
            StartAt::New => "new",
            StartAt::Last => "last",
            StartAt::LastPerSubject => "last_per_subject",
        }
        .to_owned(),
        ack_policy: "explicit".to_owned(),
        ack_wait: u64::try_from(consumer.ack_wait.as_nanos()).unwrap_or(u64::MAX),
        max_deliver: -1,
        max_ack_pending: MAX_ACK_PENDING,
        ..ConsumerConfig::default()
    };
    let mut filters = filters(consumer);
    if consumer.start == StartAt::LastPerSubject && filters.is_empty() {
        // The server makes none without a filter (10094).
        filters.push(">".to_owned());
    }
    config.filter(filters);
    config
}

#[cfg(test)]
mod tests {
    use mainstay_nats_core::delivery::plan::Retries;

    use super::*;

    fn consumer(filter: &[&str]) -> Consumer {
        Consumer {
            stream: "ORDERS".to_owned(),
            name: "worker".to_owned(),
            ensure: true,
            filter: filter.iter().map(|text| text.parse().unwrap()).collect(),
            start: StartAt::All,
            ack_wait: Duration::from_secs(30),
            double_ack: false,
            retries: Retries {
                max_deliver: None,
                back_off: vec![Duration::ZERO],
            },
            dead_letter: None,
        }
    }

    #[test]
    fn the_last_of_each_subject_is_asked_for_with_a_filter_though_all_are_wanted() {
        let last = |filter: &[&str]| {
            let start = StartAt::LastPerSubject;
            config(&Consumer {
                start,
                ..consumer(filter)
            })
            .filter_subject
        };
        assert_eq!((last(&[]), last(&["a.*"])), (">".to_owned(), "a.*".to_owned()));
        assert_eq!(config(&consumer(&[])).filter_subject, "");
    }

    fn made(ack_wait: Duration) -> ConsumerConfig {
        ConsumerConfig {
            ack_policy: "explicit".to_owned(),
            ack_wait: u64::try_from(ack_wait.as_nanos()).unwrap(),
            ..ConsumerConfig::default()
        }
    }

    #[test]
    fn a_consumer_that_was_made_with_a_short_ack_wait_is_kept_to_it() {
        let short = Duration::from_millis(300);
        assert_eq!(check(&consumer(&[]), &made(short)).unwrap().ack_wait, short);
    }

    #[test]
    fn filters_that_the_server_does_not_know_are_noticed() {
        let wanted = consumer(&["orders.eu.>", "orders.us.>"]);
        let answered = |filters: &[&str]| {
            let made = ConsumerConfig {
                filter_subjects: filters.iter().map(|text| (*text).to_owned()).collect(),
                ..made(Duration::from_secs(30))
            };
            check(&wanted, &made).map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(answered(&["orders.us.>", "orders.eu.>"]), Ok(()), "in any order");
        let error = "the server has made consumer \"worker\" without its filters, of which there may be several from \
                     nats-server 2.10 on; delete it, and set one filter";
        assert_eq!(answered(&[]), Err(error.to_owned()));
    }
}
