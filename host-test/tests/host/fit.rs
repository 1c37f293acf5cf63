//! `fit` and `join` with the components that users get.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use mainstay_compose::{Component, Host, fit, join};
use mainstay_host_test::workload::spec::Service;
use mainstay_host_test::workload::{Phase, Workload};

use crate::common;

/// A component of `target/components`.
fn component(name: &str) -> Component {
    let path = common::component_path(name);
    Component::decode(name, &fs::read(path).unwrap()).unwrap()
}

fn imports(component: &Component) -> Vec<String> {
    let mut names: Vec<_> = component
        .imports()
        .iter()
        .map(|import| import.name().to_owned())
        .collect();
    names.sort();
    names
}

fn any_wasi() -> Host {
    Host::new(["wasi"])
}

fn host_test(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_host-test"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn cron_fitted_to_a_job_alone_is_the_closed_cron() {
    let fitted = fit(&component("cron-open"), &[component("example-cron")], &any_wasi()).unwrap();
    assert_eq!(
        fitted.closed,
        [
            "mainstay:cron/schedule@0.1.0",
            "mainstay:cron/gate@0.1.0",
            "mainstay:cron/events@0.1.0"
        ]
    );
    let fitted = Component::decode("fitted", &fitted.bytes).unwrap();
    assert_eq!(imports(&fitted), imports(&component("cron")));
}

#[test]
fn the_open_cron_says_what_it_can_do_without() {
    let optional = component("cron-open").optional_imports().unwrap();
    assert_eq!(
        optional,
        [
            "mainstay:cron/schedule@0.1.0",
            "mainstay:cron/gate@0.1.0",
            "mainstay:cron/events@0.1.0"
        ]
    );
    assert_eq!(component("cron").optional_imports().unwrap(), Vec::<String>::new());
}

/// Starts a joined service with no other component in its workload.
fn start_alone(image: &Path, environment: &[(&str, &str)]) -> Workload {
    let mut builder = common::without_service();
    let mut service = Service {
        image: image.to_owned(),
        ..Service::default()
    };
    for (name, value) in environment {
        service
            .resources
            .environment
            .insert((*name).to_owned(), (*value).to_owned());
    }
    builder.spec.service = Some(service);
    builder.start()
}

#[tokio::test]
async fn cron_joined_to_its_job_fires_with_no_workload_around_it() {
    let joined = join(&component("cron-open"), &[component("example-cron")], &any_wasi()).unwrap();
    let file = tempfile::NamedTempFile::with_suffix(".wasm").unwrap();
    fs::write(file.path(), joined).unwrap();
    let environment = [
        ("CRON_NAME", "greeting"),
        ("CRON_SCHEDULE", "@every 1s"),
        ("CRON_PAYLOAD", "fit"),
    ];
    let workload = start_alone(file.path(), &environment);
    workload
        .stdout()
        .unwrap()
        .wait_for("hello, fit (greeting@", common::DEADLINE)
        .await
        .unwrap();
    assert_eq!(workload.stop().await.state, Phase::Completed);
}

/// The same artefact in a host that knows nothing of workloads. Runs where `cargo install --locked wasmtime-cli
/// --version 48.0.8` was done, which takes ten minutes and is therefore not done here.
#[test]
fn cron_joined_to_its_job_fires_under_wasmtime_where_it_is_installed() {
    if Command::new("wasmtime").arg("--version").output().is_err() {
        eprintln!("not run: no wasmtime on the path");
        return;
    }
    let joined = join(&component("cron-open"), &[component("example-cron")], &any_wasi()).unwrap();
    let file = tempfile::NamedTempFile::with_suffix(".wasm").unwrap();
    fs::write(file.path(), joined).unwrap();
    // `timeout` ends it even if this test is killed first.
    let mut wasmtime = Command::new("timeout")
        .args([
            "120",
            "wasmtime",
            "run",
            "-Wcomponent-model-async",
            "-Sp3,inherit-network",
        ])
        .args(["--env", "CRON_SCHEDULE=@every 1s", "--env", "CRON_PAYLOAD=wasmtime"])
        .arg(file.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut greetings = BufReader::new(wasmtime.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .filter(|line| line.starts_with("hello, wasmtime (job@"));
    let fired = [greetings.next(), greetings.next()];
    // Told to end, `timeout` ends what it started.
    Command::new("kill").arg(wasmtime.id().to_string()).status().unwrap();
    wasmtime.wait().unwrap();
    assert!(fired.iter().all(Option::is_some), "it fired {fired:?}");
}

#[tokio::test]
async fn an_adapter_is_joined_with_the_component_behind_it() {
    let file = tempfile::NamedTempFile::with_suffix(".wasm").unwrap();
    let path = |name: &str| common::component_path(name).display().to_string();
    let output = host_test(&[
        "fit",
        &path("cron-open"),
        &path("cron-invoke-adapter"),
        &path("example-cron-invoke"),
        "--join",
        "-o",
        file.path().to_str().unwrap(),
    ]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for line in [
        "mainstay:cron/gate@0.1.0: no component exports it, closed with the no-op callback",
        "mainstay:cron/job@0.1.0: cron-open.wasm calls cron-invoke-adapter.wasm",
        "wasmcloud:example/cron@0.0.1: cron-invoke-adapter.wasm calls example-cron-invoke.wasm",
    ] {
        assert!(said.contains(line), "{said}");
    }
    let workload = start_alone(file.path(), &[("CRON_NAME", "invoke"), ("CRON_SCHEDULE", "@every 1s")]);
    workload
        .stdout()
        .unwrap()
        .wait_for("invoked", common::DEADLINE)
        .await
        .unwrap();
    assert_eq!(workload.stop().await.state, Phase::Completed);
}

#[test]
fn what_does_not_fit_is_said_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fitted.wasm");
    let path = |name: &str| common::component_path(name).display().to_string();
    let output = host_test(&["fit", &path("cron-open"), &path("health"), "-o", file.to_str().unwrap()]);
    assert!(!output.status.success());
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: cron-open.wasm imports mainstay:cron/job@0.1.0: no component exports it\n  \
         health.wasm exports wasi:http/incoming-handler@0.2.12\n"
    );
    assert!(!file.exists());
}
