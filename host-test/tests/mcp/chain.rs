//! Tools of several components: one that stands before another's, and those of two that do not know of each other.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;

use crate::common::{self, component_path};
use crate::support::{make, ready, tcp};

#[tokio::test]
async fn a_tool_made_of_two_others_hides_them() {
    let folder = tempfile::tempdir().unwrap();
    let joined = folder.path().join("tools.wasm");
    let parts = ["example-mcp-pythagoras", "example-mcp"].map(component_path);
    make("chain", &parts, &joined);
    let workload = common::service("mcp")
        .environment("MCP_TCP", "127.0.0.1:8090")
        .component_with("example-mcp", |component| component.image = joined)
        .start();
    ready(&workload).await;
    let mut client = tcp(&workload, 8090).await;
    client.initialize("2025-06-18").await;
    let listed = client.request("tools/list", json!({})).await;
    let names = listed["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap());
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["hypotenuse", "add", "subtract", "multiply", "divide"]
    );
    let call = |name: &str, arguments| json!({"name": name, "arguments": arguments});
    let answer = client
        .request("tools/call", call("hypotenuse", json!({"a": 3, "b": 4})))
        .await;
    assert_eq!(answer["result"]["structuredContent"], json!({"result": 5.0}));
    let answer = client.request("tools/call", call("add", json!({"a": 3, "b": 4}))).await;
    assert_eq!(answer["result"]["structuredContent"], json!({"result": 7.0}));
    let answer = client.request("tools/call", call("square", json!({"a": 3}))).await;
    assert_eq!(answer["error"]["code"], -32602);
}

fn merge(components: &[PathBuf], merged: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_host-test"))
        .arg("merge")
        .args(components)
        .arg("--output")
        .arg(merged)
        .arg("--merger")
        .arg(component_path("mcp-merger"))
        .output()
        .unwrap()
}

#[tokio::test]
async fn tools_of_components_that_do_not_know_of_each_other_are_one_list() {
    let folder = tempfile::tempdir().unwrap();
    let merged = folder.path().join("tools.wasm");
    let components = ["example-mcp", "test/mcp-everything"].map(component_path);
    let output = merge(&components, &merged);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let workload = common::service("mcp")
        .environment("MCP_TCP", "127.0.0.1:8090")
        .component_with("example-mcp", |component| component.image = merged)
        .component("mcp-client")
        .start();
    ready(&workload).await;
    let mut client = tcp(&workload, 8090).await;
    client.initialize("2025-06-18").await;
    let listed = client.request("tools/list", json!({})).await;
    let names = listed["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap());
    let names: Vec<_> = names.collect();
    assert_eq!((names[0], names[6]), ("add", "test_simple_text"));
    let call = |name: &str, arguments| json!({"name": name, "arguments": arguments});
    let answer = client.request("tools/call", call("add", json!({"a": 3, "b": 4}))).await;
    assert_eq!(answer["result"]["structuredContent"], json!({"result": 7.0}));
    let answer = client
        .request("tools/call", call("test_error_handling", json!({})))
        .await;
    assert_eq!(answer["result"]["isError"], true);
}

#[tokio::test]
async fn tools_in_rust_javascript_and_python_are_one_workload() {
    let folder = tempfile::tempdir().unwrap();
    let merged = folder.path().join("tools.wasm");
    let components = ["example-mcp", "example-mcp-js", "example-mcp-python"].map(component_path);
    let output = merge(&components, &merged);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let workload = common::service("mcp")
        .environment("MCP_TCP", "127.0.0.1:8090")
        .component_with("example-mcp", |component| component.image = merged)
        .start();
    // The interpreter of Python takes its time to compile, once.
    let ready = workload.stderr().unwrap().wait_for("ready", 3 * common::DEADLINE).await;
    ready.unwrap();
    let mut client = tcp(&workload, 8090).await;
    client.initialize("2025-11-25").await;
    let listed = client.request("tools/list", json!({})).await;
    let names = listed["result"]["tools"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|tool| tool["name"].as_str().unwrap()).collect();
    let expected = [
        "add",
        "subtract",
        "multiply",
        "divide",
        "square",
        "square-root",
        "reverse",
        "count-words",
    ];
    assert_eq!(names, expected);
    let call = |name: &str, arguments| json!({"name": name, "arguments": arguments});
    let answer = client.request("tools/call", call("add", json!({"a": 3, "b": 4}))).await;
    assert_eq!(answer["result"]["structuredContent"], json!({"result": 7.0}));
    let answer = client
        .request("tools/call", call("reverse", json!({"text": "maerts"})))
        .await;
    assert_eq!(answer["result"]["content"][0]["text"], "stream");
    let words = json!({"text": "one two three"});
    let answer = client.request("tools/call", call("count-words", words.clone())).await;
    assert_eq!(answer["result"]["structuredContent"], json!({"words": 3}));
    // Arguments that do not keep to the schema reach neither.
    let answer = client.request("tools/call", call("reverse", json!({"text": 1}))).await;
    assert_eq!(answer["result"]["isError"], true);
}

#[tokio::test]
async fn a_tool_that_two_components_have_is_refused_by_both_names() {
    let folder = tempfile::tempdir().unwrap();
    let (other, merged) = (folder.path().join("other.wasm"), folder.path().join("tools.wasm"));
    std::fs::copy(component_path("example-mcp"), &other).unwrap();
    let output = merge(&[component_path("example-mcp"), other], &merged);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let workload = common::service("mcp").component_with("example-mcp", |component| component.image = merged);
    let (_, _, stderr) = workload.run().await;
    assert!(
        stderr.contains("tool \"add\" is in example-mcp.wasm and in other.wasm"),
        "{stderr}"
    );
}
