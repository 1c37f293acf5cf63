//! The service joined with its tools: one component, which needs no workload around it.

use std::path::{Path, PathBuf};

use serde_json::json;
use tokio::process::Command;

use crate::common::{DEADLINE, component_path};
use crate::support::{make, stdio};

/// The calculator and the service as one component, written to a folder.
fn joined(folder: &Path) -> PathBuf {
    let joined = folder.join("calculator.wasm");
    make("fit --join", &["mcp-open", "example-mcp"].map(component_path), &joined);
    joined
}

/// The program adds, in either era of the protocol, and ends with its input.
async fn adds(program: Command) {
    let (mut child, mut client) = stdio(program);
    assert_eq!(client.initialize("2025-11-25").await["protocolVersion"], "2025-11-25");
    let modern = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    for meta in [json!({}), modern] {
        let call = json!({"name": "add", "arguments": {"a": 3, "b": 4}, "_meta": meta});
        let answer = client.request("tools/call", call).await;
        assert_eq!(
            answer["result"]["structuredContent"],
            json!({"result": 7.0}),
            "{answer}"
        );
    }
    drop(client);
    let status = tokio::time::timeout(DEADLINE, child.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn joined_with_its_tools_it_serves_a_client_with_no_workload_around_it() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("workload.yaml");
    let text = format!(
        "apiVersion: runtime.wasmcloud.dev/v1alpha1
kind: WorkloadDeployment
metadata: {{name: calculator}}
spec:
  template:
    spec:
      service: {{image: {}}}
",
        joined(folder.path()).display()
    );
    std::fs::write(&manifest, text).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_host-test"));
    program.arg("run").arg(manifest).args(["--env", "MCP_STDIO=on"]);
    adds(program).await;
}

/// The same artefact in a host that knows nothing of workloads. Runs where `cargo install --locked wasmtime-cli
/// --version 48.0.8` was done, which takes ten minutes and is therefore not done here.
#[tokio::test]
async fn joined_with_its_tools_it_runs_under_wasmtime_where_it_is_installed() {
    if Command::new("wasmtime").arg("--version").output().await.is_err() {
        eprintln!("not run: no wasmtime on the path");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut program = Command::new("wasmtime");
    program
        .args(["run", "-Wcomponent-model-async", "-Sp3,http,inherit-network"])
        .args(["--env", "MCP_STDIO=on", "--env", "MCP_HEALTH=off"])
        .arg(joined(folder.path()));
    adds(program).await;
}
