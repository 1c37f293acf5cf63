//! rmcp, the official client in Rust, against the service over stdio, TCP and HTTP, in both eras.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult, ElicitationAction,
    GetPromptRequestParams, Implementation, ProgressNotificationParam, ProtocolVersion, ReadResourceRequestParams,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{IntoTransport, StreamableHttpClientTransport, UnixSocketHttpClient};
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt as _, ErrorData, RoleClient};
use serde_json::{Value, json};
use tokio::net::{TcpStream, UnixListener};
use tokio::process::Command;

use crate::{common, support};

/// A client that answers questions by "Ada".
#[derive(Clone, Default)]
struct Ada {
    progress: Arc<Mutex<Vec<f64>>>,
}

impl ClientHandler for Ada {
    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder().enable_elicitation().build();
        ClientConfig::new(capabilities, Implementation::new("ada", "1"))
    }

    async fn create_elicitation(
        &self,
        _: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(json!({"name": "Ada"})))
    }

    async fn on_progress(&self, told: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.progress.lock().unwrap().push(told.progress);
    }
}

fn modes() -> [(&'static str, ClientLifecycleMode); 2] {
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    [
        ("2025-11-25", ClientLifecycleMode::Initialize),
        ("2026-07-28", ClientLifecycleMode::Discover { preferred_versions }),
    ]
}

/// What a client finds, in one conversation.
async fn found<T, E, A>(transport: T, mode: ClientLifecycleMode) -> Value
where
    T: IntoTransport<RoleClient, E, A>,
    E: std::error::Error + Send + Sync + 'static,
{
    let handler = Ada::default();
    let progress = Arc::clone(&handler.progress);
    let client = handler.serve_with_lifecycle(transport, mode).await.unwrap();
    let text = |value: &Value| value["content"][0]["text"].clone();
    let call = async |name: &'static str| {
        let result = client.call_tool(CallToolRequestParams::new(name)).await.unwrap();
        serde_json::to_value(result).unwrap()
    };
    let tools = client.list_all_tools().await.unwrap();
    let slow = call("test_tool_with_progress").await;
    let read = client
        .read_resource(ReadResourceRequestParams::new("test://static-text"))
        .await;
    let read = serde_json::to_value(read.unwrap()).unwrap();
    let arguments = json!({"arg1": "a", "arg2": "b"});
    let prompt = GetPromptRequestParams::new("test_prompt_with_arguments");
    let prompt = prompt.with_arguments(arguments.as_object().unwrap().clone());
    let prompt = serde_json::to_value(client.get_prompt(prompt).await.unwrap()).unwrap();
    let unknown = client.call_tool(CallToolRequestParams::new("no-such-tool")).await;
    let plain = call("test_simple_text").await;
    let many = futures::future::join_all((0..50).map(|_| call("test_simple_text"))).await;
    let revision = client.peer_info().map(|server| server.protocol_version.to_string());
    let found = json!({
        "revision": revision,
        "tools": tools.len(),
        "text": text(&plain),
        "slow": text(&slow),
        "progress": *progress.lock().unwrap(),
        "asked": text(&call("test_input_required_result_elicitation").await),
        "failed": call("test_error_handling").await["isError"],
        "unknown": unknown.is_err(),
        "resource": read["contents"][0]["text"],
        "prompt": prompt["messages"][0]["content"]["text"],
        "many": many.iter().filter(|result| text(result) == text(&plain)).count(),
    });
    client.cancel().await.unwrap();
    found
}

fn expected(revision: &str, slow: &Value) -> Value {
    json!({
        "revision": revision,
        "tools": 42,
        "text": "This is a simple text response for testing.",
        "slow": slow,
        "progress": [0.0, 50.0, 100.0],
        "asked": "Hello: {\"action\":\"accept\",\"content\":{\"name\":\"Ada\"}}",
        "failed": true,
        "unknown": true,
        "resource": "This is the content of the static text resource.",
        "prompt": "Prompt with arguments: arg1='a', arg2='b'",
        "many": 50,
    })
}

fn check(found: &Value, revision: &str) {
    assert!(found["slow"].is_string(), "{found}");
    assert_eq!(*found, expected(revision, &found["slow"]));
}

#[tokio::test]
async fn rmcp_works_over_stdio_in_both_eras() {
    for (revision, mode) in modes() {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Command::new(env!("CARGO_BIN_EXE_host-test"));
        server.arg("run").arg(support::manifest(folder.path()));
        server
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut server = server.kill_on_drop(true).spawn().unwrap();
        let pipes = (server.stdout.take().unwrap(), server.stdin.take().unwrap());
        check(&within(found(pipes, mode)).await, revision);
        // The end of its input is the server's end.
        assert!(within(server.wait()).await.unwrap().success());
    }
}

#[tokio::test]
async fn rmcp_works_over_tcp_in_both_eras() {
    let workload = support::everything().environment("MCP_TCP", "127.0.0.1:8090").start();
    support::ready(&workload).await;
    for (revision, mode) in modes() {
        let stream = support::connect(&workload, 8090).await;
        check(&within(found(stream, mode)).await, revision);
    }
}

#[tokio::test]
async fn rmcp_works_over_http_in_both_eras() {
    let workload = support::everything().http().start();
    support::ready(&workload).await;
    let folder = tempfile::tempdir().unwrap();
    let address = workload.http().unwrap();
    let socket = forward(folder.path(), address);
    let url = format!("http://localhost:{}/mcp", address.port());
    for (revision, mode) in modes() {
        let client = UnixSocketHttpClient::new(socket.to_str().unwrap(), &url);
        let config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
        let transport = StreamableHttpClientTransport::with_client(client, config);
        check(&within(found(transport, mode)).await, revision);
    }
}

/// A Unix socket that leads to `address`: of rmcp's HTTP clients, the one by such a socket needs no TLS library.
fn forward(folder: &Path, address: SocketAddr) -> PathBuf {
    let path = folder.join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut server = TcpStream::connect(address).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    path
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(common::DEADLINE, future)
        .await
        .expect("an end within the deadline")
}
