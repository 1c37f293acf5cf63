//! Whatever a client and a server say to each other, in pieces: errors, never a panic; and what is at rest owes nothing.

#![no_main]

use std::rc::Rc;

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use mainstay_pool_core::postgres::{
    Credentials, Established, Login, Parameters, Pooling, Relay, Server, next_frame, read_startup, scan,
    tls_server_end_point,
};

fuzz_target!(|input: (bool, Vec<u8>, Vec<(bool, Vec<u8>)>)| {
    let (session, first, pieces) = input;
    let _ = read_startup(&mut BytesMut::from(&first[..]));
    let _ = tls_server_end_point(&first);
    scan(&first);
    log_in(&first);
    let pooling = if session { Pooling::Session } else { Pooling::Transaction };
    let mut relay = Relay::new(pooling, Rc::default(), Parameters::default());
    let mut server = Server::new(Established::default(), 2);
    let (mut from_client, mut from_server) = (BytesMut::new(), BytesMut::new());
    let (mut to_client, mut to_server) = (BytesMut::new(), BytesMut::new());
    relay.begin(&mut server, &mut to_server);
    for (client, bytes) in pieces {
        let went = if client {
            from_client.extend_from_slice(&bytes);
            relay.client(&mut from_client, &mut server, &mut to_server, &mut to_client).map(drop)
        } else {
            from_server.extend_from_slice(&bytes);
            relay.server(&mut from_server, &mut server, &mut to_client)
        };
        if went.is_err() {
            return;
        }
        assert!(!relay.is_at_rest() || !relay.is_owed());
    }
});

fn log_in(bytes: &[u8]) {
    let credentials = Credentials {
        user: "u".to_owned(),
        database: "d".to_owned(),
        password: Some("p".to_owned()),
        parameters: Vec::new(),
    };
    let Ok((mut login, mut out)) = Login::begin(credentials, None) else { return };
    let mut input = BytesMut::from(bytes);
    while let Ok(Some(frame)) = next_frame(&input) {
        if frame.length > input.len() {
            return;
        }
        let message = input.split_to(frame.length);
        if !matches!(login.message(frame.tag, &message[5..], &mut out), Ok(None)) {
            return;
        }
    }
}
