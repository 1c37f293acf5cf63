//! async-nats in this process, calling a component as the service would: what a native provider does.
//!
//! The component gets the same message, trace context included, and is called through the same machinery of the host.
//! It is measured on one thread, as a workload has it, and on as many as there are cores.

use std::pin::pin;
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, anyhow};
use async_nats::HeaderMap;
use async_nats::jetstream::{self, AckKind};
use bytes::Bytes;
use futures::StreamExt as _;
use mainstay_host_test::workload::export::Export;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use wasmtime::component::Val;

use crate::receiver::{CONCURRENCY, CONSUMER, STREAM, SUBJECT, Source};

/// What it runs on.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Threads {
    One,
    All,
}

/// A client that receives and calls, on a runtime of its own.
pub(crate) struct Native {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<()>>,
}

impl Native {
    pub(crate) fn start(threads: Threads, url: String, handler: Export, source: Source) -> Result<Self> {
        let runtime = runtime(threads)?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("native".to_owned()).spawn(move || {
            runtime.block_on(async {
                let receiving = tokio::spawn(receive(url, handler, source));
                let mut receiving = pin!(receiving);
                tokio::select! {
                    ended = &mut receiving => ended?,
                    // An error would mean that nobody measures any more.
                    _ = stopped => Ok(()),
                }
            })
        })?;
        Ok(Self { stop, thread })
    }

    pub(crate) fn stop(self) -> Result<()> {
        // It may have ended by itself, and says why.
        let _ = self.stop.send(());
        self.thread.join().map_err(|_| anyhow!("the native client panicked"))?
    }
}

fn runtime(threads: Threads) -> Result<Runtime> {
    let mut builder = match threads {
        Threads::One => Builder::new_current_thread(),
        Threads::All => Builder::new_multi_thread(),
    };
    Ok(builder.enable_all().build()?)
}

async fn receive(url: String, handler: Export, source: Source) -> Result<()> {
    let client = async_nats::connect(url).await?;
    match source {
        Source::Core => from_core(client, &handler).await,
        Source::JetStream => from_jetstream(client, &handler).await,
    }
}

async fn from_core(client: async_nats::Client, handler: &Export) -> Result<()> {
    let messages = client.subscribe(SUBJECT).await?;
    messages
        .for_each_concurrent(CONCURRENCY, |message| {
            let client = &client;
            async move {
                let reply_to = message.reply.as_ref().map(|reply| reply.as_str());
                let call = value(
                    &message.subject,
                    message.headers.as_ref(),
                    &message.payload,
                    reply_to,
                    None,
                );
                // A failure is counted by the host, and ends the measurement.
                let answer = handler.call(vec![call]).await.ok().and_then(body);
                if let Some((reply, body)) = message.reply.zip(answer) {
                    let _ = client.publish(reply, body).await;
                }
            }
        })
        .await;
    Ok(())
}

async fn from_jetstream(client: async_nats::Client, handler: &Export) -> Result<()> {
    let jetstream = jetstream::new(client);
    let consumer: jetstream::consumer::PullConsumer = jetstream
        .get_consumer_from_stream(CONSUMER, STREAM)
        .await
        .map_err(|error| anyhow!("{error}"))?;
    let messages = consumer
        .stream()
        .max_messages_per_batch(1000)
        .messages()
        .await
        .context("asking for messages")?;
    messages
        .for_each_concurrent(CONCURRENCY, |message| async move {
            let Ok(message) = message else { return };
            let delivery = message.info().ok().map(delivery);
            let call = value(
                &message.subject,
                message.headers.as_ref(),
                &message.payload,
                None,
                delivery,
            );
            if handler.call(vec![call]).await.is_ok() {
                // Unacknowledged, it would be found out at the end.
                let _ = message.ack_with(AckKind::Ack).await;
            }
        })
        .await;
    Ok(())
}

/// `mainstay:nats/handler.message`.
fn value(
    subject: &str,
    headers: Option<&HeaderMap>,
    body: &Bytes,
    reply_to: Option<&str>,
    delivery: Option<Val>,
) -> Val {
    let text = |text: &str| Val::String(text.to_owned());
    let option = |value: Option<Val>| Val::Option(value.map(Box::new));
    let headers = headers
        .into_iter()
        .flat_map(HeaderMap::iter)
        .flat_map(|(name, values)| values.iter().map(move |value| (name, value)))
        .map(|(name, value)| Val::Tuple(vec![text(name.as_ref()), text(value.as_str())]));
    let trace = format!("00-{:032x}-{:016x}-01", rand::random::<u128>(), rand::random::<u64>());
    record([
        ("subscription", text("default")),
        ("subject", text(subject)),
        ("headers", Val::List(headers.collect())),
        ("body", Val::List(body.iter().map(|byte| Val::U8(*byte)).collect())),
        ("reply-to", option(reply_to.map(text))),
        ("delivery", option(delivery)),
        ("traceparent", Val::String(trace)),
    ])
}

/// `mainstay:nats/handler.delivery`.
fn delivery(info: jetstream::message::Info<'_>) -> Val {
    record([
        ("stream", Val::String(info.stream.to_owned())),
        ("consumer", Val::String(info.consumer.to_owned())),
        ("stream-sequence", Val::U64(info.stream_sequence)),
        ("consumer-sequence", Val::U64(info.consumer_sequence)),
        ("attempt", Val::U64(info.delivered.unsigned_abs())),
        ("pending", Val::U64(info.pending)),
        (
            "stored",
            record([
                ("seconds", Val::S64(info.published.unix_timestamp())),
                ("nanoseconds", Val::U32(info.published.nanosecond())),
            ]),
        ),
    ])
}

fn record<const FIELDS: usize>(fields: [(&str, Val); FIELDS]) -> Val {
    Val::Record(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

/// The body of a `result<option<reply>, disposition>`.
fn body(results: Vec<Val>) -> Option<Bytes> {
    let Some(Val::Result(Ok(Some(reply)))) = results.into_iter().next() else {
        return None;
    };
    let Val::Option(Some(reply)) = *reply else { return None };
    let Val::Record(fields) = *reply else { return None };
    let body = fields.into_iter().find(|(name, _)| name == "body");
    let Some((_, Val::List(bytes))) = body else { return None };
    let byte = |value: Val| match value {
        Val::U8(byte) => Some(byte),
        _ => None,
    };
    bytes.into_iter().map(byte).collect()
}
