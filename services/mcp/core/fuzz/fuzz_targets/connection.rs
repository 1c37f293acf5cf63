//! Whatever a client says, in pieces: messages that are JSON, or nothing, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mainstay_mcp_core::channel::Next;
use mainstay_mcp_core::engine::{Engine, Settings};
use mainstay_mcp_core::jsonrpc::Lines;
use mainstay_mcp_core::seal::Seal;

fuzz_target!(|pieces: Vec<Vec<u8>>| {
    let mut engine = Engine::new(Settings::default(), Seal::from_secret(b"fuzz"));
    let (peer, channel) = engine.connect(None);
    let (mut lines, mut taken) = (Lines::new(1 << 16), 0);
    for piece in pieces {
        lines.push(&piece);
        while let Some(line) = lines.next_line() {
            engine.receive(peer, channel, &line);
            while let Next::Event(event) = engine.take(channel, taken) {
                taken = event.number;
                assert!(serde_json::from_str::<serde_json::Value>(&event.json).is_ok(), "{}", event.json);
                assert!(!event.json.contains('\n'), "{}", event.json);
            }
            while engine.next_action().is_some() {}
        }
    }
});
