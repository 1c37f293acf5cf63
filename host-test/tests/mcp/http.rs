//! MCP over HTTP, on the host's handler and on the service's own port: who is let in, and streams that are lost.

use std::net::SocketAddr;

use mainstay_host_test::workload::Workload;
use serde_json::json;
use tokio::net::TcpStream;

use crate::common::DEADLINE;
use crate::support::exchange::Exchange;
use crate::support::{counted, everything, ready};

const PORT: u16 = 8091;

/// A workload, and both of its addresses.
async fn served() -> (Workload, [SocketAddr; 2]) {
    let workload = everything().environment("MCP_HTTP", "127.0.0.1:8091").http().start();
    ready(&workload).await;
    let port = SocketAddr::from((workload.loopback(), PORT));
    let listening = async {
        while TcpStream::connect(port).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, listening).await.unwrap();
    let handler = workload.http().unwrap();
    (workload, [handler, port])
}

async fn session(address: SocketAddr) -> String {
    let client = json!({"name": "t", "version": "1"});
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
    let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}).to_string();
    let exchange = Exchange::begin(address, "POST", &[], &body).await;
    assert_eq!(exchange.status, 200);
    let session = exchange.header("mcp-session-id").unwrap().to_owned();
    assert_eq!(exchange.json().await["result"]["protocolVersion"], "2025-11-25");
    session
}

fn call(name: &str) -> String {
    let params = json!({"name": name, "arguments": {}, "_meta": {"progressToken": 7}});
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string()
}

#[tokio::test]
async fn hostile_hosts_and_origins_are_refused_on_both_ways_in() {
    let (_workload, addresses) = served().await;
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    for address in addresses {
        for headers in [
            [("host", "localhost"), ("origin", "http://localhost.evil.example")],
            [("host", "localhost"), ("origin", "http://evil.example")],
            [("host", "localhost"), ("origin", "null")],
            [("host", "evil.example"), ("origin", "http://evil.example")],
            [("host", "localhost.evil.example"), ("origin", "http://localhost")],
            [("host", "127.0.0.1.evil.example"), ("origin", "http://127.0.0.1")],
        ] {
            let exchange = Exchange::begin(address, "POST", &headers, &ping).await;
            assert_eq!(exchange.status, 403, "{headers:?}");
            assert_eq!(exchange.header("access-control-allow-origin"), None);
        }
        let page = [("origin", "http://localhost:5173")];
        let exchange = Exchange::begin(address, "OPTIONS", &page, "").await;
        assert_eq!(
            (exchange.status, exchange.header("access-control-allow-origin")),
            (204, Some("http://localhost:5173"))
        );
    }
}

#[tokio::test]
async fn a_call_that_reports_is_a_stream_and_one_that_does_not_is_json() {
    let (_workload, addresses) = served().await;
    for address in addresses {
        let session = session(address).await;
        let headers = [("mcp-session-id", session.as_str())];
        let exchange = Exchange::begin(address, "POST", &headers, &call("test_simple_text")).await;
        assert_eq!(exchange.header("content-type"), Some("application/json"));
        assert_eq!(exchange.json().await["id"], 1);
        let mut exchange = Exchange::begin(address, "POST", &headers, &call("test_tool_with_progress")).await;
        assert_eq!(exchange.header("content-type"), Some("text/event-stream"));
        for expected in [0, 50, 100] {
            assert_eq!(exchange.message().await["params"]["progress"], expected);
        }
        assert_eq!(exchange.message().await["id"], 1);
    }
}

#[tokio::test]
async fn a_client_that_loses_a_stream_takes_it_up_again() {
    let (_workload, addresses) = served().await;
    for address in addresses {
        let session = session(address).await;
        let headers = [("mcp-session-id", session.as_str())];
        let mut exchange = Exchange::begin(address, "POST", &headers, &call("test_tool_with_progress")).await;
        let priming = exchange.line("id:").await;
        assert!(priming.ends_with("-0"), "{priming}");
        let first = exchange.line("id:").await;
        drop(exchange);
        let again = [("mcp-session-id", session.as_str()), ("last-event-id", first.as_str())];
        let mut exchange = Exchange::begin(address, "GET", &again, "").await;
        for expected in [50, 100] {
            assert_eq!(exchange.message().await["params"]["progress"], expected);
        }
        let answer = exchange.message().await;
        assert!(answer["result"]["content"].is_array(), "{answer}");
    }
}

#[tokio::test]
async fn a_session_lives_on_the_one_instance_whichever_way_it_is_reached() {
    let (_workload, [handler, port]) = served().await;
    let session = session(handler).await;
    let headers = [("mcp-session-id", session.as_str())];
    let mut stream = Exchange::begin(port, "GET", &headers, "").await;
    assert_eq!(stream.status, 200);
    let change = Exchange::begin(handler, "POST", &headers, &call("test_trigger_prompt_change")).await;
    assert_eq!(change.status, 200);
    assert_eq!(stream.message().await["method"], "notifications/prompts/list_changed");
    assert_eq!(Exchange::begin(port, "DELETE", &headers, "").await.status, 204);
    let gone = Exchange::begin(handler, "POST", &headers, &call("test_simple_text")).await;
    assert_eq!(gone.status, 404);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let workload = everything().environment("MCP_MAX_MESSAGE", "64KiB").http().start();
    ready(&workload).await;
    let body = format!("\"{}\"", "x".repeat(100_000));
    let exchange = Exchange::begin(workload.http().unwrap(), "POST", &[], &body).await;
    assert_eq!(exchange.status, 413);
}

#[tokio::test]
async fn a_client_that_hangs_up_has_cancelled_its_call() {
    let (workload, addresses) = served().await;
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({"name": "slow_compute", "arguments": {"seconds": 3600}, "_meta": meta});
    let slow = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string();
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "slow_compute"),
    ];
    for (address, cancelled) in addresses.into_iter().zip([1.0, 2.0]) {
        // It becomes a stream after two seconds, and nobody reads it.
        drop(Exchange::begin(address, "POST", &headers, &slow).await);
        counted(&workload, "mcp_cancelled_total", cancelled).await;
    }
}
