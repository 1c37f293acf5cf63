//! The official Python client and the Inspector, against the service over stdio and over HTTP, in both eras.

use std::path::Path;

use mainstay_peers::tools;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::common::DEADLINE;
use crate::support;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mcp/client.py");

/// Runs a client to its end, and gives the JSON that it prints.
async fn printed(command: &mut Command) -> Value {
    let run = tokio::time::timeout(DEADLINE, command.kill_on_drop(true).output());
    let output = run.await.expect("an end within the deadline").unwrap();
    let (text, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{text}\n{errors}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}\n{errors}"))
}

fn found(revision: &str) -> Value {
    json!({
        "revision": revision,
        "tools": 42,
        "text": "This is a simple text response for testing.",
        "progress": [0.0, 50.0, 100.0],
        "slow": true,
        "asked": "Hello: {\"action\":\"accept\",\"content\":{\"name\":\"Ada\"}}",
        "failed": true,
        "resource": "This is the content of the static text resource.",
        "prompt": "Prompt with arguments: arg1='a', arg2='b'",
        "many": 50,
    })
}

fn python(mode: &str) -> Command {
    let mut command = Command::new(tools::python().unwrap());
    command.arg(SCRIPT).arg(mode);
    command
}

/// What a client starts for stdio.
fn host(folder: &Path) -> [String; 3] {
    [
        env!("CARGO_BIN_EXE_host-test").to_owned(),
        "run".to_owned(),
        support::manifest(folder),
    ]
}

#[tokio::test]
async fn the_python_client_works_over_stdio_in_both_eras() {
    // Left to itself the client takes a server that starts slowly for an old one.
    for (mode, revision) in [("2026-07-28", "2026-07-28"), ("legacy", "2025-11-25")] {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(printed(python(mode).args(host(folder.path()))).await, found(revision));
    }
}

#[tokio::test]
async fn the_python_client_works_over_http_in_both_eras() {
    let workload = support::everything().http().start();
    support::ready(&workload).await;
    let url = format!("http://{}/mcp", workload.http().unwrap());
    for (mode, revision) in [("auto", "2026-07-28"), ("legacy", "2025-11-25")] {
        assert_eq!(printed(python(mode).arg(&url)).await, found(revision));
    }
}

#[tokio::test]
async fn the_inspector_starts_the_host_and_calls_a_tool() {
    let (node, inspector) = tools::mcp_inspector().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(node);
    // It looks for its own version beside where it runs.
    command.current_dir(inspector.parent().unwrap());
    command.arg(inspector).args(host(folder.path()));
    let answer = printed(command.args(["--method", "tools/call", "--tool-name", "test_simple_text"])).await;
    assert_eq!(
        answer["content"][0]["text"],
        "This is a simple text response for testing."
    );
}
