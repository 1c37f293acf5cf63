//! MCP over stdio and TCP: what no conformance suite covers.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::common::{self, DEADLINE};
use crate::malformed::CASES;
use crate::support::{self, Lines, everything, ready, tcp};

const PORT: u16 = 8090;

fn with_tcp() -> common::Builder {
    everything().environment("MCP_TCP", "127.0.0.1:8090")
}

/// `host-test run` with the service on its standard input and output.
fn host() -> (Child, Lines<ChildStdout, ChildStdin>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_host-test"));
    program.arg("run").arg(support::manifest(folder.path()));
    let (child, client) = support::stdio(program);
    (child, client, folder)
}

#[tokio::test]
async fn a_client_starts_the_host_and_its_end_is_the_services() {
    let (mut child, mut client, _folder) = host();
    assert_eq!(client.initialize("2025-11-25").await["protocolVersion"], "2025-11-25");
    let tools = client.request("tools/list", json!({})).await;
    assert!(tools["result"]["tools"].as_array().unwrap().len() > 20);
    let answer = client
        .request("tools/call", json!({"name": "test_simple_text", "arguments": {}}))
        .await;
    assert_eq!(
        answer["result"]["content"][0]["text"],
        "This is a simple text response for testing."
    );
    let discovered = client
        .request(
            "server/discover",
            json!({"_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            }}),
        )
        .await;
    assert_eq!(discovered["result"]["supportedVersions"], json!(["2026-07-28"]));
    drop(client);
    let status = tokio::time::timeout(DEADLINE, child.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn answers_overtake_one_another_and_notifications_come_between() {
    let workload = with_tcp().start();
    ready(&workload).await;
    let mut client = tcp(&workload, PORT).await;
    client.initialize("2025-06-18").await;
    let slow = json!({"name": "test_tool_with_progress", "arguments": {}, "_meta": {"progressToken": "p"}});
    client
        .send(&json!({"jsonrpc": "2.0", "id": "slow", "method": "tools/call", "params": slow}))
        .await;
    let fast = json!({"name": "test_simple_text", "arguments": {}});
    client
        .send(&json!({"jsonrpc": "2.0", "id": "fast", "method": "tools/call", "params": fast}))
        .await;
    let (mut order, mut progress) = (Vec::new(), Vec::new());
    while order.len() < 2 {
        let message = client.next().await;
        match message["method"].as_str() {
            Some("notifications/progress") => progress.push(message["params"]["progress"].as_i64().unwrap()),
            _ => order.push(message["id"].as_str().unwrap().to_owned()),
        }
    }
    assert_eq!(order, ["fast", "slow"]);
    assert_eq!(progress, [0, 50, 100]);
}

#[tokio::test]
async fn a_hundred_requests_at_once_have_a_hundred_answers() {
    let workload = with_tcp().environment("MCP_MAX_REQUESTS", "100").start();
    ready(&workload).await;
    let mut client = tcp(&workload, PORT).await;
    client.initialize("2025-06-18").await;
    let call = json!({"name": "test_simple_text", "arguments": {}});
    let mut text = String::new();
    for id in 1000..1100 {
        text += &format!(
            "{}\n",
            json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": call})
        );
    }
    client.send_text(&text).await;
    let mut answered = BTreeSet::new();
    while answered.len() < 100 {
        let answer = client.next().await;
        assert!(answer["result"]["content"][0]["text"].is_string(), "{answer}");
        assert!(answered.insert(answer["id"].as_i64().unwrap()), "twice: {answer}");
    }
    assert_eq!(answered, (1000..1100).collect());
}

#[tokio::test]
async fn messages_may_come_in_pieces_and_be_large() {
    let workload = with_tcp().start();
    ready(&workload).await;
    let mut client = tcp(&workload, PORT).await;
    client.initialize("2025-06-18").await;
    let region = "x".repeat(10 << 20);
    let call = json!({"name": "test_x_mcp_header", "arguments": {"region": region}});
    let message = format!(
        "{}\n",
        json!({"jsonrpc": "2.0", "id": "large", "method": "tools/call", "params": call})
    );
    let (first, rest) = message.split_at(1);
    let (second, rest) = rest.split_at(16);
    for piece in [first, second, rest] {
        client.send_text(piece).await;
    }
    let answer = client.next().await;
    let said: Value = serde_json::from_str(answer["result"]["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(said["region"].as_str().map(str::len), Some(10 << 20));
    client.send_text(&format!("{}\n", "y".repeat(17 << 20))).await;
    assert_eq!(client.next().await["error"]["message"], "the message is too long");
    assert_eq!(client.request("ping", json!({})).await["result"], json!({}));
}

#[tokio::test]
async fn a_cancelled_call_is_dropped_and_has_no_answer() {
    let workload = with_tcp().start();
    ready(&workload).await;
    let mut client = tcp(&workload, PORT).await;
    client.initialize("2025-06-18").await;
    let slow = json!({"name": "test_tool_with_progress", "arguments": {}, "_meta": {"progressToken": "p"}});
    client
        .send(&json!({"jsonrpc": "2.0", "id": "slow", "method": "tools/call", "params": slow}))
        .await;
    assert_eq!(client.next().await["method"], "notifications/progress");
    client
        .send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "slow"}}))
        .await;
    let call = json!({"name": "test_tool_with_progress", "arguments": {}});
    client
        .send(&json!({"jsonrpc": "2.0", "id": "next", "method": "tools/call", "params": call}))
        .await;
    // It takes as long as the cancelled one would have taken, and nothing of that one comes.
    let answer = client.next().await;
    assert_eq!(answer["id"], "next", "{answer}");
    assert!(answer["result"]["content"].is_array(), "{answer}");
    support::counted(&workload, "mcp_cancelled_total", 1.0).await;
}

#[tokio::test]
async fn what_is_no_message_is_answered_on_a_real_connection_and_the_next_is_served() {
    let workload = with_tcp().start();
    ready(&workload).await;
    let mut client = tcp(&workload, PORT).await;
    assert!(CASES.len() >= 40);
    for (input, code, id) in CASES {
        let shown = String::from_utf8_lossy(input);
        client.send_bytes(&[input, b"\n".as_slice()].concat()).await;
        let answer = client.next().await;
        assert_eq!(answer["error"]["code"], *code, "{shown}: {answer}");
        let expected = id.map(|id| serde_json::from_str::<Value>(id).unwrap());
        assert_eq!(answer.get("id").cloned(), expected, "{shown}");
        client
            .send(&json!({"jsonrpc": "2.0", "id": "p", "method": "ping"}))
            .await;
        let answer = client.next().await;
        assert_eq!(
            answer,
            json!({"jsonrpc": "2.0", "id": "p", "result": {}}),
            "after {shown}"
        );
    }
}

#[tokio::test]
async fn the_end_of_the_input_ends_the_service_though_a_call_goes_on() {
    let (mut child, mut client, _folder) = host();
    client.initialize("2025-11-25").await;
    let slow = json!({"name": "slow_compute", "arguments": {"seconds": 3600}});
    client
        .send(&json!({"jsonrpc": "2.0", "id": "slow", "method": "tools/call", "params": slow}))
        .await;
    client
        .send(&json!({"jsonrpc": "2.0", "id": "p", "method": "ping"}))
        .await;
    let answer = client.next().await;
    assert_eq!(answer["id"], "p", "{answer}");
    drop(client);
    let status = tokio::time::timeout(DEADLINE, child.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn a_slow_reader_of_the_standard_output_misses_nothing() {
    let (_child, mut client, _folder) = host();
    client.initialize("2025-11-25").await;
    let (input, mut output) = client.into_parts();
    let id = |number: usize| format!("{number:0>2000}");
    let count = 3000;
    let mut writing = tokio::spawn(async move {
        for number in 0..count {
            let ping = json!({"jsonrpc": "2.0", "id": id(number), "method": "ping"});
            output.write_all(format!("{ping}\n").as_bytes()).await.unwrap();
        }
        output
    });
    // Far more than pipes and the backlog hold: the service waits for its reader, and the writer for the service.
    let written = tokio::time::timeout(std::time::Duration::from_secs(3), &mut writing).await;
    assert!(written.is_err(), "the service reads on");
    let mut lines = input.lines();
    for number in 0..count {
        let line = tokio::time::timeout(DEADLINE, lines.next_line())
            .await
            .unwrap()
            .unwrap();
        let answer: Value = serde_json::from_str(&line.expect("not the end")).unwrap();
        assert_eq!(answer["id"], id(number));
    }
    writing.await.unwrap();
}

#[tokio::test]
async fn a_trap_on_the_standard_streams_ends_the_run_and_the_client_sees_it() {
    let (mut child, mut client, _folder) = host();
    client.initialize("2025-11-25").await;
    let trap = json!({"name": "trap", "arguments": {}});
    client
        .send(&json!({"jsonrpc": "2.0", "id": "x", "method": "tools/call", "params": trap}))
        .await;
    assert!(client.ended().await, "the trapping call was answered");
    let status = tokio::time::timeout(DEADLINE, child.wait()).await.unwrap().unwrap();
    assert!(!status.success(), "{status}");
}

#[tokio::test]
async fn a_change_is_told_to_every_connection_that_wants_it() {
    let workload = with_tcp().start();
    ready(&workload).await;
    let (mut one, mut other) = (tcp(&workload, PORT).await, tcp(&workload, PORT).await);
    one.initialize("2025-06-18").await;
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let listen = json!({"_meta": meta, "notifications": {"toolsListChanged": true}});
    other
        .send(&json!({"jsonrpc": "2.0", "id": "l", "method": "subscriptions/listen", "params": listen}))
        .await;
    assert_eq!(other.next().await["method"], "notifications/subscriptions/acknowledged");
    let change = json!({"name": "test_trigger_tool_change", "arguments": {}});
    one.send(&json!({"jsonrpc": "2.0", "id": "c", "method": "tools/call", "params": change}))
        .await;
    let told = other.next().await;
    assert_eq!(told["method"], "notifications/tools/list_changed");
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "l");
    let (first, second) = (one.next().await, one.next().await);
    let methods = BTreeSet::from([first["method"].as_str(), second["method"].as_str()]);
    assert!(
        methods.contains(&Some("notifications/tools/list_changed")),
        "{first} {second}"
    );
}

#[tokio::test]
async fn a_client_that_does_not_read_is_not_read_from_and_others_are_served() {
    let workload = with_tcp().environment("MCP_BACKLOG", "64KiB").start();
    ready(&workload).await;
    let mut silent = tcp(&workload, PORT).await;
    silent.initialize("2025-06-18").await;
    let list = format!("{}\n", json!({"jsonrpc": "2.0", "id": "x", "method": "tools/list"}));
    let flood = list.repeat(1000);
    // Far more than sockets hold: some write has to wait for the reader.
    let blocked = async {
        loop {
            silent.send_text(&flood).await;
        }
    };
    let full = tokio::time::timeout(std::time::Duration::from_secs(3), blocked).await;
    assert!(full.is_err(), "the service reads on");
    let mut other = tcp(&workload, PORT).await;
    assert_eq!(other.initialize("2025-06-18").await["protocolVersion"], "2025-06-18");
}

#[tokio::test]
async fn a_tool_that_traps_or_never_ends_costs_a_restart_and_no_more() {
    let mut builder = with_tcp().max_restarts(10);
    builder.options.deadlines.concurrent = std::time::Duration::from_secs(2);
    let workload = builder.start();
    ready(&workload).await;
    for tool in ["trap", "spin"] {
        let mut client = tcp(&workload, PORT).await;
        client.initialize("2025-06-18").await;
        let call = json!({"name": tool, "arguments": {}});
        client
            .send(&json!({"jsonrpc": "2.0", "id": "x", "method": "tools/call", "params": call}))
            .await;
        assert!(client.ended().await, "{tool} was answered");
        // The restarted service listens as soon as it is ready.
        let mut client = tcp(&workload, PORT).await;
        client.initialize("2025-06-18").await;
        let call = json!({"name": "test_simple_text", "arguments": {}});
        let answer = client.request("tools/call", call).await;
        assert!(answer["result"]["content"].is_array(), "{tool}: {answer}");
    }
}
