//! Workloads with the MCP service, and a client that speaks to them.

pub(crate) mod exchange;

use std::path::Path;
use std::process::{Command, Stdio};

use mainstay_host_test::workload::Workload;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::common::{self, Builder, DEADLINE};

/// The service with all callbacks open, and a component that has everything.
pub(crate) fn everything() -> Builder {
    common::service("mcp-open")
        .component("test/mcp-everything")
        .component("mcp-client")
}

/// The manifest of [`everything`] with the client on standard input and output, written to a folder.
pub(crate) fn manifest(folder: &Path) -> String {
    let path = folder.join("workload.yaml");
    let image = |name: &str| common::component_path(name).to_string_lossy().into_owned();
    let (service, everything, client) = (image("mcp-open"), image("test/mcp-everything"), image("mcp-client"));
    let text = format!(
        "apiVersion: runtime.wasmcloud.dev/v1alpha1
kind: WorkloadDeployment
metadata: {{name: mcp}}
spec:
  template:
    spec:
      service:
        image: {service}
        maxRestarts: 10
        localResources: {{environment: {{config: {{MCP_STDIO: 'on'}}}}}}
      components:
        - {{name: everything, image: {everything}}}
        - {{name: client, image: {client}}}
"
    );
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

/// Waits until the service is ready.
pub(crate) async fn ready(workload: &Workload) {
    workload.stderr().unwrap().wait_for("ready", DEADLINE).await.unwrap();
}

/// Waits until a metric without labels has reached a value.
pub(crate) async fn counted(workload: &Workload, name: &str, expected: f64) {
    let counted = async {
        loop {
            let mut stream = connect(workload, 8081).await;
            let request = "GET /metrics HTTP/1.1\r\nhost: mcp\r\n\r\n";
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut page = String::new();
            stream.read_to_string(&mut page).await.unwrap();
            let value = page
                .lines()
                .find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
            if value == Some(expected) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let counted = tokio::time::timeout(DEADLINE, counted).await;
    counted.unwrap_or_else(|_| panic!("{name} did not become {expected}"));
}

/// One end of a conversation, a message a line.
pub(crate) struct Lines<R, W> {
    input: BufReader<R>,
    output: W,
    last_id: i64,
}

/// A conversation with a program on its standard input and output.
pub(crate) fn stdio(mut program: tokio::process::Command) -> (Child, Lines<ChildStdout, ChildStdin>) {
    let streams = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = streams.kill_on_drop(true).spawn().unwrap();
    let (input, output) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
    (child, Lines::new(input, output))
}

/// A conversation over TCP, with the service's port on the workload's loopback.
pub(crate) async fn tcp(
    workload: &Workload,
    port: u16,
) -> Lines<tokio::net::tcp::OwnedReadHalf, tokio::net::tcp::OwnedWriteHalf> {
    let (input, output) = connect(workload, port).await.into_split();
    Lines::new(input, output)
}

/// A connection to the service's port on the workload's loopback, which listens soon after the service is ready.
pub(crate) async fn connect(workload: &Workload, port: u16) -> TcpStream {
    let address = (workload.loopback(), port);
    let connected = async {
        loop {
            match TcpStream::connect(address).await {
                Ok(stream) => return stream,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(DEADLINE, connected).await.expect("connected")
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Lines<R, W> {
    pub(crate) fn new(input: R, output: W) -> Self {
        Self {
            input: BufReader::new(input),
            output,
            last_id: 0,
        }
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.send_bytes(text.as_bytes()).await;
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.output.write_all(bytes).await.unwrap();
        self.output.flush().await.unwrap();
    }

    /// Both directions, for those who read and write at the same time.
    pub(crate) fn into_parts(self) -> (BufReader<R>, W) {
        (self.input, self.output)
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.send_text(&format!("{message}\n")).await;
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Value {
        let mut line = String::new();
        let read = tokio::time::timeout(DEADLINE, self.input.read_line(&mut line));
        let read = read.await.expect("a message within the deadline").unwrap();
        assert!(read > 0, "the conversation is over");
        serde_json::from_str(&line).unwrap()
    }

    /// Whether the conversation is over.
    pub(crate) async fn ended(&mut self) -> bool {
        let mut rest = Vec::new();
        let read = tokio::time::timeout(DEADLINE, self.input.read_to_end(&mut rest));
        matches!(read.await, Ok(Ok(0) | Err(_)))
    }

    /// Asks, and waits for the answer. What comes before it is left out.
    pub(crate) async fn request(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
            .await;
        loop {
            let message = self.next().await;
            if message["id"] == id {
                return message;
            }
        }
    }

    /// The handshake.
    pub(crate) async fn initialize(&mut self, revision: &str) -> Value {
        let client = json!({"name": "test", "version": "1"});
        let params = json!({"protocolVersion": revision, "capabilities": {}, "clientInfo": client});
        let answer = self.request("initialize", params).await;
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            .await;
        answer["result"].clone()
    }
}

/// Runs a command of the test host that makes a component: its name and what else it is told, divided by spaces.
pub(crate) fn make(command: &str, parts: &[impl AsRef<Path>], output: &Path) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_host-test"));
    program.args(command.split(' ')).args(parts.iter().map(AsRef::as_ref));
    let made = program.arg("--output").arg(output).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
