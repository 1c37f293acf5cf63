//! `host-test run` as its user sees it: what it prints and where, its exit code, how it is stopped.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use crate::common::{self, DEADLINE};

/// A manifest with one service, in a directory of its own.
struct Manifest {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl Manifest {
    fn new(image: &str, rest: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("workload.yaml");
        let text = format!(
            "apiVersion: runtime.wasmcloud.dev/v1alpha1\nkind: WorkloadDeployment\nmetadata:\n  name: example\nspec:\n  \
             template:\n    spec:\n      service:\n        image: {image}\n{rest}"
        );
        std::fs::write(&path, text).unwrap();
        Self {
            _directory: directory,
            path,
        }
    }

    fn of(name: &str) -> Self {
        Self::new(common::component_path(name).to_str().unwrap(), "")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_host-test"));
        command.arg("run").arg(&self.path).arg("--components").arg(components());
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.kill_on_drop(true);
        command
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        finish(self.command(arguments).spawn().unwrap()).await
    }
}

fn components() -> PathBuf {
    common::target().join("components")
}

async fn finish(child: Child) -> Output {
    tokio::time::timeout(DEADLINE, child.wait_with_output())
        .await
        .unwrap()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The statuses among the lines of standard error.
fn statuses(stderr: &[u8]) -> Vec<Value> {
    text(stderr)
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn states(stderr: &[u8]) -> Vec<String> {
    statuses(stderr)
        .iter()
        .map(|status| status["state"].as_str().unwrap().to_owned())
        .collect()
}

/// Waits until a line of standard output or error contains `needle`.
async fn wait_for(stream: impl tokio::io::AsyncRead + Unpin, needle: &str) {
    let mut lines = BufReader::new(stream).lines();
    let found = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains(needle) {
                return;
            }
        }
        panic!("it ended without \"{needle}\"");
    };
    tokio::time::timeout(DEADLINE, found).await.unwrap();
}

#[tokio::test]
async fn a_services_output_is_all_that_is_on_standard_output() {
    let output = Manifest::of("test/plain-cli")
        .run(&["--", "arguments", "--x", "y"])
        .await;
    assert_eq!(text(&output.stdout), "arguments [\"--x\", \"y\"]\n");
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text(&output.stderr).ends_with("example: completed\n"),
        "{}",
        text(&output.stderr)
    );
}

#[tokio::test]
async fn standard_input_is_the_services() {
    let manifest = Manifest::of("test/plain-cli");
    let mut child = manifest
        .command(&["--", "upper"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"piped\n").await.unwrap();
    assert_eq!(text(&finish(child).await.stdout), "PIPED\n");
}

#[tokio::test]
async fn the_environment_is_set_from_the_command_line() {
    let output = Manifest::of("test/plain-cli")
        .run(&["--env", "A=1", "--env", "B=x=y", "--", "variable", "B"])
        .await;
    assert_eq!(text(&output.stdout), "variable Ok(\"x=y\")\n");
}

#[tokio::test]
async fn the_status_is_one_json_object_a_line() {
    let output = Manifest::of("test/plain-cli")
        .run(&["--status-json", "--", "hello"])
        .await;
    assert_eq!(states(&output.stderr), ["starting", "running", "completed"]);
    let last = statuses(&output.stderr).pop().unwrap();
    assert_eq!(last["workload"], "example");
    assert_eq!((&last["reason"], &last["restarts"]), (&Value::Null, &Value::from(0)));
    assert_eq!(last["calls"]["started"], 0);
}

#[tokio::test]
async fn a_service_that_fails_for_good_ends_with_code_1_and_its_reason() {
    let manifest = Manifest::new(
        common::component_path("test/plain-cli").to_str().unwrap(),
        "        maxRestarts: 1\n",
    );
    let output = manifest.run(&["--status-json", "--", "fail"]).await;
    assert_eq!(output.status.code(), Some(1));
    let all = statuses(&output.stderr);
    let last = all.last().unwrap();
    assert_eq!(last["state"], "error");
    assert_eq!(
        last["reason"],
        "its run function returned an error (restarts used up: 1 of 1)"
    );
    assert_eq!(last["restarts"], 1);
    assert!(
        all.iter()
            .any(|status| status["state"] == "starting" && status["reason"].is_string())
    );
}

#[tokio::test]
async fn a_workload_that_cannot_start_says_why_at_once() {
    let manifest = Manifest::of("test/link-caller");
    let output = manifest.run(&[]).await;
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(
        stderr.starts_with("error: workload \"example\" cannot start: link-caller imports "),
        "{stderr}"
    );
    let output = manifest.run(&["--status-json"]).await;
    assert_eq!(
        (output.status.code(), states(&output.stderr)),
        (Some(1), vec!["starting".to_owned(), "error".to_owned()])
    );
}

#[tokio::test]
async fn a_manifest_that_is_missing_is_an_error() {
    let mut manifest = Manifest::of("test/plain-cli");
    manifest.path = Path::new("/nonexistent/workload.yaml").to_owned();
    let output = manifest.run(&[]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("/nonexistent/workload.yaml"));
    let output = manifest.run(&["--status-json"]).await;
    assert_eq!(output.status.code(), Some(1));
    let all = statuses(&output.stderr);
    assert_eq!((all.len(), &all[0]["state"]), (1, &Value::from("error")), "{all:?}");
    let reason = all[0]["reason"].as_str().unwrap();
    assert!(reason.contains("/nonexistent/workload.yaml"), "{reason}");
}

#[tokio::test]
async fn counts_of_calls_are_shown_while_a_workload_runs() {
    let manifest = Manifest::new(
        common::component_path("cron").to_str().unwrap(),
        &format!(
            "      components:\n        - name: job\n          image: {}\n",
            common::component_path("example-cron").display()
        ),
    );
    let output = manifest
        .run(&["--env", "CRON_SCHEDULE=@every 1s", "--for", "6s", "--status-json"])
        .await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let all = statuses(&output.stderr);
    let counted = |status: &&Value| status["state"] == "running" && status["calls"]["started"].as_u64() > Some(0);
    // Two: each of them was news.
    assert!(all.iter().filter(counted).count() >= 2, "{all:?}");
}

#[tokio::test]
async fn a_run_stops_by_itself_after_its_time() {
    let output = Manifest::of("test/plain-cli")
        .run(&["--for", "200ms", "--status-json", "--", "spin"])
        .await;
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(statuses(&output.stderr).pop().unwrap()["reason"], "stopped");
}

#[tokio::test]
async fn interrupt_and_terminate_stop_a_run_with_code_0() {
    for signal in ["INT", "TERM"] {
        let manifest = Manifest::of("test/plain-cli");
        let mut child = manifest.command(&["--", "spin"]).spawn().unwrap();
        wait_for(child.stdout.take().unwrap(), "spinning").await;
        let process = child.id().unwrap().to_string();
        let sent = Command::new("kill")
            .args(["-s", signal, &process])
            .status()
            .await
            .unwrap();
        assert!(sent.success());
        let output = finish(child).await;
        assert_eq!(output.status.code(), Some(0), "SIG{signal}: {}", text(&output.stderr));
        assert!(text(&output.stderr).ends_with("example: completed, stopped\n"));
    }
}

#[tokio::test]
async fn http_is_served_where_it_says() {
    let handler = common::component_path("test/http-p2");
    let manifest = Manifest::new(
        common::component_path("test/plain-cli").to_str().unwrap(),
        &format!(
            "      components:\n        - name: web\n          image: {}\n",
            handler.display()
        ),
    );
    let mut child = manifest
        .command(&["--http", "127.0.0.1:0", "--", "spin"])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = loop {
        let line = tokio::time::timeout(DEADLINE, lines.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        if let Some(address) = line.strip_prefix("example: http://") {
            break address.to_owned();
        }
    };
    assert!(tokio::net::TcpStream::connect(&address).await.is_ok(), "{address}");
    child.kill().await.unwrap();
}

/// Containers may limit it, and the pool of instances wants terabytes.
#[tokio::test]
async fn a_workload_runs_where_address_space_is_scarce() {
    let manifest = Manifest::of("test/plain-cli");
    let host_test = manifest.command(&["--", "hello"]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -v 3000000 && exec \"$0\" \"$@\""]);
    limited
        .arg(host_test.as_std().get_program())
        .args(host_test.as_std().get_args());
    let child = limited
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let output = finish(child.unwrap()).await;
    assert_eq!(text(&output.stdout), "hello\n", "{}", text(&output.stderr));
}
