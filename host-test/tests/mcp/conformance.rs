//! The official conformance suite of MCP, against a workload with the tools, resources and prompts that it asks for.
//!
//! Nothing is expected to fail: there is no baseline.

use std::collections::BTreeMap;
use std::process::Stdio;

use mainstay_peers::tools;
use serde_json::Value;

use crate::{common, support};

/// Scenarios that the suite runs for a revision, those that it does not score among them.
struct Requirements {
    revision: &'static str,
    /// So many scenarios, lest some vanish unnoticed.
    scenarios: usize,
}

async fn passes(requirements: Requirements) {
    let (node, suite) = tools::mcp_conformance().unwrap();
    let workload = support::everything().http().start();
    let results = tempfile::tempdir().unwrap();
    let url = format!("http://{}/mcp", workload.http().unwrap());
    support::ready(&workload).await;
    let run = tokio::process::Command::new(node)
        .arg(suite)
        .args(["server", "--output-dir", "results", "--url", &url])
        .args(["--requirements", requirements.revision])
        .current_dir(results.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let run = tokio::time::timeout(5 * common::DEADLINE, run).await.unwrap().unwrap();
    let log = String::from_utf8_lossy(&run.stdout).into_owned();
    let mut scenarios = BTreeMap::new();
    for folder in std::fs::read_dir(results.path().join("results")).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let checks = std::fs::read_to_string(folder.join("checks.json")).unwrap();
        scenarios.insert(name, serde_json::from_str::<Vec<Value>>(&checks).unwrap());
    }
    let mut wrong = Vec::new();
    for (name, checks) in &scenarios {
        assert!(!checks.is_empty(), "{name} checked nothing");
        for check in checks {
            if matches!(check["status"].as_str(), Some("FAILURE" | "WARNING")) {
                wrong.push(format!(
                    "{name}: {} {}: {}",
                    check["status"], check["id"], check["errorMessage"]
                ));
            }
        }
    }
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(
        wrong.is_empty(),
        "{}\n{log}\n{errors}\n{}",
        wrong.join("\n"),
        workload.stderr().unwrap().text()
    );
    assert_eq!(
        scenarios.len(),
        requirements.scenarios,
        "{:?}\n{log}\n{errors}",
        scenarios.keys()
    );
    assert!(run.status.success(), "{log}\n{errors}");
}

#[tokio::test]
async fn every_scenario_of_2025_11_25_passes() {
    passes(Requirements {
        revision: "2025-11-25",
        scenarios: 33,
    })
    .await;
}

#[tokio::test]
async fn every_scenario_of_2026_07_28_passes() {
    passes(Requirements {
        revision: "2026-07-28",
        scenarios: 50,
    })
    .await;
}
