//! One call, and its result as text.

use std::fmt::Debug;

use crate::arguments::Arguments;
use crate::bindings::mainstay::nats::{kv, publisher};
use crate::bindings::wasmcloud::messaging0_2_0::{consumer as synchronous, types as plain};
use crate::bindings::wasmcloud::messaging0_3_0::{consumer, types};
use crate::bindings::wit_stream;

/// Makes the call that the path names.
pub(crate) async fn call(path: &str, arguments: &Arguments) -> String {
    match path {
        "/publisher/publish" => said(publisher::publish(message(arguments), arguments.maybe("reply-to")).await),
        "/publisher/publish-stored" => said(stored(arguments).await),
        "/publisher/request" => {
            let timeout = arguments.nanoseconds("timeout").unwrap_or_default();
            said(publisher::request(message(arguments), timeout).await.map(reply))
        }
        "/publisher/request-many" => said(many(arguments).await),
        "/0.2.0/publish" => said(synchronous::publish(&plain::BrokerMessage {
            subject: arguments.text("subject"),
            body: arguments.message_body(),
            reply_to: arguments.maybe("reply-to"),
        })),
        "/0.2.0/request" => said(synchronous_request(arguments)),
        "/0.3.0/publish" => said(
            consumer::publish(types::BrokerMessage {
                subject: arguments.text("subject"),
                body: stream(arguments.message_body()),
                reply_to: arguments.maybe("reply-to"),
            })
            .await,
        ),
        "/0.3.0/request" => said(asynchronous_request(arguments).await),
        other => match other.strip_prefix("/kv/") {
            Some(function) => key_value(function, arguments).await,
            None => format!("no function {other}"),
        },
    }
}

fn said<T: Debug, E: Debug>(result: Result<T, E>) -> String {
    match result {
        Ok(value) => format!("ok {value:?}"),
        Err(error) => format!("error {error:?}"),
    }
}

fn text(bytes: &[u8]) -> String {
    // What is long is told by its length.
    match bytes.len() {
        0..1000 => String::from_utf8_lossy(bytes).into_owned(),
        length => format!("{length} bytes"),
    }
}

fn message(arguments: &Arguments) -> publisher::Message {
    publisher::Message {
        subject: arguments.text("subject"),
        headers: arguments.message_headers(),
        body: arguments.message_body(),
    }
}

fn reply(reply: publisher::Reply) -> (Vec<(String, String)>, String) {
    (reply.headers, text(&reply.body))
}

async fn stored(arguments: &Arguments) -> Result<publisher::Ack, publisher::Error> {
    let conditions = publisher::Conditions {
        message_id: arguments.maybe("message-id"),
        expected_stream: arguments.maybe("expected-stream"),
        expected_last_sequence: arguments.number("expected-last-sequence"),
        expected_last_subject_sequence: arguments.number("expected-last-subject-sequence"),
    };
    let timeout = arguments.nanoseconds("timeout").unwrap_or(10_000_000_000);
    publisher::publish_stored(message(arguments), conditions, timeout).await
}

async fn many(arguments: &Arguments) -> Result<Vec<String>, publisher::Error> {
    let until = publisher::Until {
        timeout: arguments.nanoseconds("timeout").unwrap_or_default(),
        replies: arguments
            .number("replies")
            .and_then(|number| u32::try_from(number).ok()),
        stall: arguments.nanoseconds("stall"),
    };
    let replies = publisher::request_many(message(arguments), until).await?;
    Ok(replies.iter().map(|reply| text(&reply.body)).collect())
}

fn synchronous_request(arguments: &Arguments) -> Result<String, String> {
    let timeout = arguments
        .number("timeout")
        .and_then(|number| u32::try_from(number).ok());
    let answer = synchronous::request(
        &arguments.text("subject"),
        &arguments.message_body(),
        timeout.unwrap_or_default(),
    )?;
    Ok(text(&answer.body))
}

async fn asynchronous_request(arguments: &Arguments) -> Result<String, types::Error> {
    let timeout = arguments
        .number("timeout")
        .and_then(|number| u32::try_from(number).ok());
    let body = stream(arguments.message_body());
    let answer = consumer::request(arguments.text("subject"), body, timeout).await?;
    Ok(text(&answer.body.collect().await))
}

fn stream(body: Vec<u8>) -> wit_bindgen::StreamReader<u8> {
    let (mut writer, reader) = wit_stream::new();
    wit_bindgen::spawn_local(async move {
        let _ = writer.write_all(body).await;
    });
    reader
}

async fn key_value(function: &str, arguments: &Arguments) -> String {
    let (bucket, key) = (arguments.text("bucket"), arguments.text("key"));
    let (value, revision) = (arguments.message_body(), arguments.number("revision"));
    match function {
        "get" => said(kv::get(bucket, key).await.map(|entry| {
            let entry = entry?;
            // The clock is the server's: enough that it has run.
            let written = entry.written.seconds > 1_700_000_000 && entry.written.nanoseconds < 1_000_000_000;
            Some((text(&entry.value), entry.revision, written))
        })),
        "put" => said(kv::put(bucket, key, value).await),
        "create" => said(kv::create(bucket, key, value).await),
        "update" => said(kv::update(bucket, key, value, revision.unwrap_or_default()).await),
        "delete" => said(kv::delete(bucket, key, revision).await),
        "keys" => said(kv::keys(bucket).await.map(|mut keys| {
            keys.sort_unstable();
            keys
        })),
        other => format!("no function {other}"),
    }
}
