//! The loopback endpoint: components speak the NATS protocol there, without credentials and without TLS.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use mainstay_nats_core::mux::ConnectionId;
use mainstay_nats_core::protocol::ProtocolError;
use mainstay_nats_core::protocol::from_client::{ClientOperation, Decoder};
use mainstay_nats_link::{Bridge, READ};
use mainstay_runtime::listener;
use mainstay_runtime::net::Socket;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::Notify;

use crate::aside::Asides;

/// A client that says nothing for so long is asked for a sign of life, and is gone if it gives none.
const PING_INTERVAL: Duration = Duration::from_secs(120);

/// So many unanswered PINGs are too many, as on nats-server.
const MAX_PINGS: u32 = 2;

/// How long a client that is told to go may take to read it.
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves clients from now on.
pub(crate) fn serve(address: SocketAddr, max_clients: usize, bridge: Rc<Bridge>, asides: Rc<Asides>) {
    listener::keep(
        "endpoint",
        "NATS for components",
        address,
        max_clients,
        move |stream, _| client(Rc::clone(&bridge), stream, Rc::clone(&asides)),
    );
}

/// A client, until it goes or has to.
async fn client(bridge: Rc<Bridge>, stream: Socket, asides: Rc<Asides>) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut decoder = Decoder::new(bridge.max_payload());
    let end = converse(&bridge, &mut reader, &mut writer, &mut decoder, None).await;
    if let End::WithoutEcho(connect) = end {
        let own = asides.for_client();
        converse(&own.bridge, &mut reader, &mut writer, &mut decoder, Some(connect)).await;
    }
}

enum End {
    Gone,
    /// Its own messages must not come back to it, so it gets a connection to the server to itself.
    WithoutEcho(ClientOperation),
}

async fn converse(
    bridge: &Bridge,
    reader: &mut ReadHalf<Socket>,
    writer: &mut WriteHalf<Socket>,
    decoder: &mut Decoder,
    connect: Option<ClientOperation>,
) -> End {
    let (id, wake) = bridge.open();
    let moved = connect.is_some();
    if let Some(connect) = connect {
        // It was told INFO before.
        bridge.take_output(id);
        bridge.client(id, connect);
    }
    let mut unsent = BytesMut::new();
    let end = tokio::select! {
        end = read(bridge, id, reader, decoder, moved) => end,
        () = write(bridge, id, writer, &wake, &mut unsent) => End::Gone,
    };
    if matches!(end, End::WithoutEcho(_)) {
        // What it was told here, INFO first of all: it may have spoken before that was written.
        unsent.unsplit(bridge.take_output(id));
        if writer.write_all(&unsent).await.is_err() {
            bridge.close(id);
            return End::Gone;
        }
    }
    if bridge.is_ending(id) {
        // What it is told before it has to go. Who does not read it does not learn why.
        let _ = tokio::time::timeout(FAREWELL, write(bridge, id, writer, &wake, &mut unsent)).await;
    }
    bridge.close(id);
    end
}

/// Reads what a client says until it is gone or has said something fatal.
async fn read(
    bridge: &Bridge,
    id: ConnectionId,
    reader: &mut ReadHalf<Socket>,
    decoder: &mut Decoder,
    moved: bool,
) -> End {
    let mut pings = 0;
    loop {
        decoder.set_max_payload(bridge.max_payload());
        loop {
            match decoder.next() {
                Ok(None) => break,
                Ok(Some(ClientOperation::Connect(connect))) if !connect.echo && !moved => {
                    return End::WithoutEcho(ClientOperation::Connect(connect));
                }
                Ok(Some(operation)) => bridge.client(id, operation),
                Err(error) => {
                    bridge.tell(id, &error);
                    return End::Gone;
                }
            }
        }
        bridge.wake_clients();
        if bridge.is_ending(id) {
            return End::Gone;
        }
        // A client that publishes faster than the server takes is not read.
        bridge.has_room().await;
        decoder.buffer().reserve(READ);
        match tokio::time::timeout(PING_INTERVAL, reader.read_buf(decoder.buffer())).await {
            Ok(Ok(0) | Err(_)) => return End::Gone,
            Ok(Ok(_)) => pings = 0,
            Err(_) if pings >= MAX_PINGS => {
                bridge.tell(id, &ProtocolError::StaleConnection);
                return End::Gone;
            }
            Err(_) => {
                pings += 1;
                bridge.probe(id);
            }
        }
    }
}

/// Writes what a client is told until it has to go. What is left when this is dropped stays in `unsent`.
async fn write(
    bridge: &Bridge,
    id: ConnectionId,
    writer: &mut WriteHalf<Socket>,
    wake: &Notify,
    unsent: &mut BytesMut,
) {
    loop {
        if unsent.is_empty() {
            *unsent = bridge.take_output(id);
        }
        if !unsent.is_empty() {
            if writer.write_buf(unsent).await.is_err() {
                return;
            }
            continue;
        }
        if bridge.is_ending(id) {
            // It reads to the end and finds that there is no more.
            let _ = writer.shutdown().await;
            return;
        }
        wake.notified().await;
    }
}
