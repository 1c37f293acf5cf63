//! Senders of other languages: a script that hands the same telemetry to two endpoints with an SDK's own exporters.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs `tests/otel/senders/send.py PROTOCOL DIRECT SIDECAR`.
pub async fn python(arguments: [String; 3]) {
    let python = mainstay_peers::tools::python().unwrap();
    run(Command::new(python).arg(script("send.py")).args(arguments)).await;
}

/// Runs `tests/otel/senders/send.js PROTOCOL DIRECT SIDECAR`.
pub async fn node(arguments: [String; 3]) {
    let packages = mainstay_peers::tools::node_packages().unwrap();
    let mut command = Command::new("node");
    command
        .arg(script("send.js"))
        .args(arguments)
        .env("NODE_PATH", packages.join("node_modules"));
    run(&mut command).await;
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/otel/senders")
        .join(name)
}

async fn run(command: &mut Command) {
    let mut command = tokio::process::Command::from(std::mem::replace(command, Command::new("")));
    command.kill_on_drop(true);
    let run = tokio::time::timeout(crate::common::DEADLINE, command.output());
    let output = run.await.expect("the script ends in time").expect("the script runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}", output.status);
    // Exporters report failures in their log only.
    assert!(said.trim().is_empty(), "{said}");
}
