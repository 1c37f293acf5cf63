//! Lets components publish, ask and keep values over NATS by calling functions.
//!
//! It speaks the NATS protocol to the service's endpoint on the workload's loopback, which knows the server and the
//! credentials. Most instances live for one call, so a call is one connection and as few round trips as it takes; one
//! that lives on keeps its connection.
//!
//! - [`transport`]: a TCP connection with deadlines
//! - [`conversation`]: the protocol: publish, request, gather
//! - [`settings`]: where the endpoint is
//! - [`publisher`], [`kv`]: `mainstay:nats`
//! - [`messaging`], [`messaging_sync`]: `wasmcloud:messaging` 0.3.0 and 0.2.0

mod conversation;
mod kv;
mod messaging;
mod messaging_sync;
mod publisher;
mod settings;
mod transport;

mod bindings {
    #![allow(missing_docs, unsafe_code, clippy::unreachable)] // Generated.
    wit_bindgen::generate!({
        path: ["../../../wit/nats", "../../../wit/messaging", "wit"],
        world: "mainstay:nats-client/client",
        generate_all,
    });
    use super::Client;
    export!(Client);
}

struct Client;
