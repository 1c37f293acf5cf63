//! What is no message, or none that makes sense: each is answered as JSON-RPC 2.0 says, and the next is served.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "malformed/cases.rs"]
mod cases;

use cases::CASES;
use mainstay_mcp_core::channel::Next;
use mainstay_mcp_core::engine::{Engine, Settings};
use mainstay_mcp_core::jsonrpc::{Line, Lines};
use mainstay_mcp_core::seal::Seal;
use serde_json::{Value, json};

fn answers(engine: &mut Engine, channel: u64, taken: &mut u64) -> Vec<Value> {
    let mut answers = Vec::new();
    while let Next::Event(event) = engine.take(channel, *taken) {
        *taken = event.number;
        answers.push(serde_json::from_str(&event.json).unwrap());
    }
    answers
}

#[test]
fn each_is_answered_with_its_code_and_the_next_message_is_served() {
    assert!(CASES.len() >= 40);
    let mut engine = Engine::new(Settings::default(), Seal::random());
    let (peer, channel) = engine.connect(None);
    let mut taken = 0;
    for (input, code, id) in CASES {
        let shown = String::from_utf8_lossy(input);
        engine.receive(peer, channel, &Line::Whole(input.to_vec()));
        let found = answers(&mut engine, channel, &mut taken);
        assert_eq!(found.len(), 1, "{shown}: {found:?}");
        assert_eq!(found[0]["error"]["code"], *code, "{shown}: {}", found[0]);
        let expected = id.map(|id| serde_json::from_str::<Value>(id).unwrap());
        assert_eq!(found[0].get("id").cloned(), expected, "{shown}");
        assert!(found[0]["error"]["message"].as_str().unwrap().len() > 3, "{shown}");

        engine.receive(
            peer,
            channel,
            &Line::Whole(br#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#.to_vec()),
        );
        let found = answers(&mut engine, channel, &mut taken);
        assert_eq!(
            found,
            [json!({"jsonrpc": "2.0", "id": "p", "result": {}})],
            "after {shown}"
        );
    }
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    let mut engine = Engine::new(Settings::default(), Seal::random());
    let (peer, channel) = engine.connect(None);
    engine.receive(peer, channel, &Line::Whole(b"[".repeat(1_000_000)));
    assert_eq!(answers(&mut engine, channel, &mut 0)[0]["error"]["code"], -32700);
}

#[test]
fn a_message_over_the_limit_is_told_and_the_next_is_served() {
    let mut engine = Engine::new(Settings::default(), Seal::random());
    let (peer, channel) = engine.connect(None);
    let mut lines = Lines::new(100);
    lines.push(
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":\"{}\",\"method\":\"ping\"}}\n",
            "x".repeat(200)
        )
        .as_bytes(),
    );
    lines.push(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n");
    while let Some(line) = lines.next_line() {
        engine.receive(peer, channel, &line);
    }
    let found = answers(&mut engine, channel, &mut 0);
    assert_eq!(
        (&found[0]["error"]["code"], &found[1]["id"]),
        (&json!(-32700), &json!(1))
    );
}
