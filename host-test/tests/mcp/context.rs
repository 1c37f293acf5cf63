//! What components do during a call and beside one: ask the client and wait, tell of changes, hear of clients.

use serde_json::{Value, json};

use crate::common::DEADLINE;
use crate::support::{Lines, counted, everything, ready, tcp};

const PORT: u16 = 8090;

fn with_tcp() -> crate::common::Builder {
    everything().environment("MCP_TCP", "127.0.0.1:8090")
}

/// The handshake of a client that can be asked.
async fn introduce<R, W>(client: &mut Lines<R, W>)
where
    R: tokio::io::AsyncRead + Unpin,
    W: tokio::io::AsyncWrite + Unpin,
{
    let capabilities = json!({"elicitation": {}, "sampling": {}});
    let info = json!({"name": "asked", "version": "7"});
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": info});
    let answer = client.request("initialize", params).await;
    assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
    client
        .send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
        .await;
}

fn call(id: &str, name: &str) -> Value {
    let params = json!({"name": name, "arguments": {}});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
}

#[tokio::test]
async fn a_component_asks_in_the_middle_of_a_call_and_goes_on_with_the_answer() {
    let workload = with_tcp().start();
    ready(&workload).await;
    let mut client = tcp(&workload, PORT).await;
    introduce(&mut client).await;
    for (tool, method, answer) in [
        (
            "ask_form",
            "elicitation/create",
            json!({"action": "accept", "content": {"name": "Ann"}}),
        ),
        (
            "ask_sample",
            "sampling/createMessage",
            json!({"role": "assistant", "model": "m", "content": {"type": "text", "text": "Ann"}}),
        ),
    ] {
        client.send(&call(tool, tool)).await;
        let asked = client.next().await;
        assert_eq!(asked["method"], method, "{asked}");
        client
            .send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": answer}))
            .await;
        let told = client.next().await;
        assert_eq!(told["id"], tool, "{told}");
        let said: Value = serde_json::from_str(told["result"]["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(said, answer);
        // A client may refuse, and the component is told so.
        client.send(&call(tool, tool)).await;
        let asked = client.next().await;
        let error = json!({"code": -1, "message": "not now"});
        client
            .send(&json!({"jsonrpc": "2.0", "id": asked["id"], "error": error}))
            .await;
        let told = client.next().await;
        assert_eq!(told["result"]["isError"], true, "{told}");
        assert!(
            told["result"]["content"][0]["text"]
                .as_str()
                .unwrap()
                .contains("not now"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn questions_that_nobody_answers_end_with_their_calls_and_leave_nothing() {
    let workload = with_tcp().environment("MCP_TIMEOUT", "3s").start();
    ready(&workload).await;
    let mut client = tcp(&workload, PORT).await;
    introduce(&mut client).await;
    for tool in ["ask_form", "ask_sample"] {
        client.send(&call(tool, tool)).await;
        let asked = client.next().await;
        // Its call has its answer, and the question is taken back before.
        let told = client.next().await;
        assert_eq!(told["method"], "notifications/cancelled", "{told}");
        assert_eq!(told["params"]["requestId"], asked["id"]);
        let told = client.next().await;
        assert_eq!(
            (&told["id"], &told["error"]["code"]),
            (&json!(tool), &json!(-32603)),
            "{told}"
        );
    }
    // Cancelled by the client: no answer, and the next call can speak to the client as before.
    for round in 0..20 {
        let id = format!("c{round}");
        client.send(&call(&id, "ask_form")).await;
        let asked = client.next().await;
        assert_eq!(asked["method"], "elicitation/create", "{asked}");
        client
            .send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}))
            .await;
        let told = client.next().await;
        assert_eq!(told["params"]["requestId"], asked["id"], "{told}");
    }
    counted(&workload, "mcp_cancelled_total", 20.0).await;
    let answer = client
        .request("tools/call", json!({"name": "test_tool_with_logging", "arguments": {}}))
        .await;
    assert_eq!(answer["result"]["content"][0]["text"], "test_tool_with_logging is done");
}

#[tokio::test]
async fn changes_of_resources_are_told_to_those_who_want_to_know() {
    let workload = with_tcp().start();
    ready(&workload).await;
    let (mut one, mut other) = (tcp(&workload, PORT).await, tcp(&workload, PORT).await);
    introduce(&mut one).await;
    introduce(&mut other).await;
    let watched = json!({"uri": "test://watched-resource"});
    assert_eq!(
        one.request("resources/subscribe", watched.clone()).await["result"],
        json!({})
    );
    for (tool, method) in [
        ("update_watched", "notifications/resources/updated"),
        ("change_resources", "notifications/resources/list_changed"),
    ] {
        let answer = other
            .request("tools/call", json!({"name": tool, "arguments": {}}))
            .await;
        assert_eq!(answer["result"]["content"][0]["text"], format!("{tool} is done"));
        assert_eq!(one.next().await["method"], method);
    }
    assert_eq!(one.request("resources/unsubscribe", watched).await["result"], json!({}));
    other
        .request("tools/call", json!({"name": "update_watched", "arguments": {}}))
        .await;
    // Nothing comes before it.
    one.send(&json!({"jsonrpc": "2.0", "id": "p", "method": "ping"})).await;
    assert_eq!(one.next().await["id"], "p");
}

#[tokio::test]
async fn a_component_that_wants_to_know_is_told_what_clients_do() {
    let mut builder = with_tcp();
    for component in &mut builder.spec.components {
        let environment = &mut component.resources.environment;
        environment.insert("TELL_EVENTS".to_owned(), "1".to_owned());
    }
    let workload = builder.start();
    ready(&workload).await;
    let mut client = tcp(&workload, PORT).await;
    introduce(&mut client).await;
    let watched = json!({"uri": "test://watched-resource"});
    client.request("resources/subscribe", watched.clone()).await;
    client.request("resources/unsubscribe", watched).await;
    drop(client);
    let log = workload.stderr().unwrap();
    log.wait_for("event: closed", DEADLINE).await.unwrap();
    let text = log.text();
    let told: Vec<&str> = text
        .lines()
        .filter_map(|line| Some(line.split_once("event: ")?.1))
        .collect();
    assert_eq!(
        told,
        [
            "connected asked 7",
            "subscribed test://watched-resource",
            "unsubscribed test://watched-resource",
            "closed"
        ]
    );
}
