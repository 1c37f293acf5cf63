//! The endpoint without sockets: a decoder and a multiplexer.

use mainstay_nats_core::grants::Grants;
use mainstay_nats_core::jetstream::api::Api;
use mainstay_nats_core::mux::{ConnectionId, Mux, Permits, Settings, SlowConsumer};
use mainstay_nats_core::protocol::from_client::Decoder;

pub(crate) struct Endpoint {
    mux: Mux,
    decoder: Decoder,
    id: ConnectionId,
}

impl Endpoint {
    /// A client that has just connected and has read INFO.
    pub(crate) fn new() -> Self {
        let mut mux = Mux::new(Settings {
            grants: Grants::parse("foo,foo.>", "foo,foo.>").unwrap(),
            inbox_prefix: "_INBOX".to_owned(),
            instance: "instance".to_owned(),
            server_name: "mainstay".to_owned(),
            port: 4222,
            max_subscriptions: 2,
            client_buffer: 1024 * 1024,
            slow_consumer: SlowConsumer::Disconnect,
            permits: Permits::default(),
            api: Api::default(),
        });
        let id = mux.open();
        mux.take_output(id);
        let decoder = Decoder::new(mux.server_info().max_payload);
        Self { mux, decoder, id }
    }

    /// Says something in pieces of so many bytes; what is answered.
    pub(crate) fn converse(&mut self, input: &[u8], piece: usize) -> String {
        for piece in input.chunks(piece.min(input.len()).max(1)) {
            self.decoder.buffer().extend_from_slice(piece);
            loop {
                let operation = match self.decoder.next() {
                    Ok(Some(operation)) => operation,
                    Ok(None) => break,
                    Err(error) => {
                        self.mux.tell(self.id, &error);
                        return self.answer();
                    }
                };
                let _ = self.mux.client(self.id, operation);
            }
        }
        self.answer()
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.mux.is_ending(self.id)
    }

    fn answer(&mut self) -> String {
        String::from_utf8(self.mux.take_output(self.id).to_vec()).unwrap()
    }
}
