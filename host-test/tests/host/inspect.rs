//! `host-test inspect` with the components that users get.

use std::process::{Command, Output};

use serde_json::Value;

use crate::common;

fn inspect(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_host-test"))
        .arg("inspect")
        .args(arguments)
        .output()
        .unwrap()
}

fn inspected(name: &str) -> Value {
    let output = inspect(&[common::component_path(name).to_str().unwrap(), "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn names(group: &Value) -> Vec<&str> {
    group
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect()
}

#[test]
fn the_open_cron_needs_a_job_and_can_use_three_more() {
    let cron = inspected("cron-open");
    assert_eq!(cron["kind"], "service");
    assert_eq!(cron["wasi"], serde_json::json!(["0.2", "0.3"]));
    assert_eq!(names(&cron["required"]), ["mainstay:cron/job@0.1.0"]);
    assert_eq!(
        names(&cron["optional"]),
        [
            "mainstay:cron/schedule@0.1.0",
            "mainstay:cron/gate@0.1.0",
            "mainstay:cron/events@0.1.0"
        ]
    );
    assert_eq!(names(&cron["exports"]), ["wasi:cli/run@0.3.0"]);
    assert!(cron["size"]["callbacks"].as_u64().unwrap() > 0);
}

#[test]
fn the_closed_cron_needs_a_job_alone() {
    let cron = inspected("cron");
    assert_eq!(names(&cron["required"]), ["mainstay:cron/job@0.1.0"]);
    assert_eq!(names(&cron["optional"]), Vec::<&str>::new());
    assert_eq!(
        cron["required"][0]["functions"][0],
        "run: async func(tick: tick) -> result<_, job-error>"
    );
}

#[test]
fn each_nats_service_needs_the_handler_that_it_is_for() {
    for (name, required) in [
        ("nats", &["mainstay:nats/handler@0.1.0"][..]),
        ("nats-messaging", &["wasmcloud:messaging/handler@0.3.0"]),
        ("nats-endpoint", &[]),
    ] {
        let service = inspected(name);
        assert_eq!(names(&service["required"]), required, "{name}");
        assert_eq!(names(&service["optional"]), Vec::<&str>::new(), "{name}");
    }
    let open = inspected("nats-open");
    assert_eq!(
        names(&open["optional"]),
        [
            "mainstay:nats/filter@0.1.0",
            "mainstay:nats/events@0.1.0",
            "mainstay:nats/watcher@0.1.0"
        ]
    );
}

#[test]
fn no_component_that_users_get_has_anything_to_warn_of() {
    for name in [
        "cron",
        "cron-open",
        "cron-callbacks",
        "cron-invoke-adapter",
        "example-cron",
        "health",
        "nats",
        "nats-open",
        "nats-messaging",
        "nats-endpoint",
        "nats-client",
        "messaging-sync-adapter",
        "example-nats",
        "example-nats-client",
    ] {
        assert_eq!(inspected(name)["warnings"], serde_json::json!([]), "{name}");
    }
}

#[test]
fn the_kinds_of_component_are_told_apart() {
    for (name, kind) in [
        ("cron", "service"),
        ("test/plain-cli", "service"),
        ("health", "http"),
        ("example-cron", "reactive"),
    ] {
        assert_eq!(inspected(name)["kind"], kind, "{name}");
    }
}

#[test]
fn the_table_says_it_in_words() {
    let output = inspect(&[common::component_path("cron-open").to_str().unwrap()]);
    let table = String::from_utf8(output.stdout).unwrap();
    for line in [
        "cron-open.wasm: service, WASI 0.2 and 0.3, ",
        "\nneeds a component that exports\n  mainstay:cron/job@0.1.0\n      run: async func(tick: tick)",
        "\ncan use, but does without (see host-test fit)\n  mainstay:cron/schedule@0.1.0\n",
        "\nneeds of the host\n  wasi:cli@0.2.",
        "\nexports\n  wasi:cli/run@0.3.0\n      run: async func() -> result\n",
    ] {
        assert!(table.contains(line), "{line:?} is not in:\n{table}");
    }
}

#[test]
fn what_is_no_component_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.wasm");
    for (bytes, reason) in [
        (&b""[..], "x.wasm: not a WebAssembly component: the file is empty"),
        (
            b"#!/bin/sh",
            "x.wasm: not a WebAssembly component: it does not begin as a component does",
        ),
        (
            b"\0asm\x01\0\0\0",
            "x.wasm: not a WebAssembly component: it is a core module; build it for wasm32-wasip2",
        ),
        (b"\0asm\x0d\0\x01\0\x07\x05", "x.wasm: not a WebAssembly component: "),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let output = inspect(&[file.to_str().unwrap()]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(reason), "{said}");
    }
    let missing = inspect(&["/no/such/file.wasm"]);
    assert!(
        String::from_utf8(missing.stderr)
            .unwrap()
            .contains("/no/such/file.wasm cannot be read")
    );
}
