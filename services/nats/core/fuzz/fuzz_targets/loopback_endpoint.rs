//! Whatever two clients of the loopback endpoint say, in pieces: errors, never a panic, and never the system's subjects.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mainstay_nats_core::grants::Grants;
use mainstay_nats_core::jetstream::api::Api;
use mainstay_nats_core::mux::{Mux, Permits, Settings, SlowConsumer};
use mainstay_nats_core::protocol::from_client::{ClientOperation, Decoder};
use mainstay_nats_core::protocol::from_server;

fuzz_target!(|pieces: Vec<(bool, Vec<u8>)>| {
    let mut mux = Mux::new(Settings {
        grants: Grants::parse("a.>, $JS.API.>", "a.>, b").unwrap(),
        inbox_prefix: "_INBOX".to_owned(),
        instance: "i".to_owned(),
        server_name: "mainstay".to_owned(),
        port: 4222,
        max_subscriptions: 8,
        client_buffer: 4096,
        slow_consumer: SlowConsumer::Drop,
        permits: Permits::default(),
        api: Api::default(),
    });
    mux.connected(from_server::ServerInfo { max_payload: 1024, ..Default::default() });
    let mut clients = [(mux.open(), Decoder::new(1024)), (mux.open(), Decoder::new(1024))];
    for (second, bytes) in pieces {
        let [first, other] = &mut clients;
        let (id, decoder) = if second { other } else { first };
        decoder.buffer().extend_from_slice(&bytes);
        while let Ok(Some(operation)) = decoder.next() {
            let _ = mux.client(*id, operation);
        }
    }
    // What goes to the server is what a client says, and a body may hold anything.
    let mut upstream = Decoder::new(usize::MAX);
    upstream.buffer().extend_from_slice(b"CONNECT {\"headers\":true}\r\n");
    upstream.buffer().extend_from_slice(&mux.take_upstream());
    while let Some(operation) = upstream.next().unwrap() {
        if let ClientOperation::Subscribe { subject, .. } = operation {
            assert!(!subject.starts_with(b"$SYS."));
        }
    }
    for (id, _) in clients {
        mux.take_output(id);
        mux.close(id);
    }
    assert_eq!(mux.subscriptions(), 0);
});
