//! What is no message, or none that makes sense: each is answered as JSON-RPC 2.0 says, and the next is served.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use mainstay_mcp_core::channel::Next;
use mainstay_mcp_core::engine::{Engine, Settings};
use mainstay_mcp_core::jsonrpc::{Line, Lines};
use mainstay_mcp_core::seal::Seal;
use serde_json::{Value, json};

/// Input, the code of the error, and the id that it carries; none where it carries none.
const CASES: &[(&[u8], i64, Option<&str>)] = &[
    (b"{", -32700, None),
    (b"}", -32700, None),
    (b"nonsense", -32700, None),
    (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"", -32700, None),
    (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}}", -32700, None),
    (b"{'jsonrpc':'2.0'}", -32700, None),
    (b"{\"jsonrpc\":\"2.0\",,\"id\":1}", -32700, None),
    (b"\xff\xfe{}", -32700, None),
    (
        b"{\"jsonrpc\":\"2.0\",\"id\":\"\xc3\x28\",\"method\":\"ping\"}",
        -32700,
        None,
    ),
    (b"{\"a\":\"\x01\"}", -32700, None),
    (b"{\"a\":\"\\ud800\"}", -32700, None),
    (b"{\"a\":01}", -32700, None),
    (b"{\"a\":1e999}", -32700, None),
    (b"\x00", -32700, None),
    (b"GET / HTTP/1.1", -32700, None),
    (b"null", -32600, None),
    (b"true", -32600, None),
    (b"1", -32600, None),
    (b"\"ping\"", -32600, None),
    (b"[]", -32600, None),
    (b"[[]]", -32600, None),
    (b"[1]", -32600, None),
    (b"{}", -32600, None),
    (b"{\"id\":1,\"method\":\"ping\"}", -32600, Some("1")),
    (b"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", -32600, Some("1")),
    (b"{\"jsonrpc\":2.0,\"id\":1,\"method\":\"ping\"}", -32600, Some("1")),
    (b"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", -32600, None),
    (b"{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}", -32600, None),
    (b"{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"ping\"}", -32600, None),
    (b"{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"ping\"}", -32600, None),
    (b"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}", -32600, None),
    (
        b"{\"jsonrpc\":\"2.0\",\"id\":99999999999999999999,\"method\":\"ping\"}",
        -32600,
        None,
    ),
    (b"{\"jsonrpc\":\"2.0\",\"id\":1}", -32600, Some("1")),
    (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", -32600, Some("1")),
    (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":null}", -32600, Some("1")),
    (
        b"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"ping\",\"params\":[]}",
        -32602,
        Some("\"a\""),
    ),
    (
        b"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"ping\",\"params\":null}",
        -32602,
        Some("\"a\""),
    ),
    (
        b"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"ping\",\"params\":\"x\"}",
        -32602,
        Some("\"a\""),
    ),
    (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}", -32600, Some("1")),
    (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":\"x\"}", -32600, Some("1")),
    (
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{}}",
        -32600,
        Some("1"),
    ),
    (
        b"{\"jsonrpc\":\"2.0\",\"error\":{\"code\":1,\"message\":\"x\"}}",
        -32600,
        None,
    ),
    (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\"}", -32602, Some("1")),
    (
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"no/such\"}",
        -32602,
        Some("1"),
    ),
];

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
