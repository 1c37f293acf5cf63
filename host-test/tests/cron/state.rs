//! State folders that are not as they should be: full, read-only, damaged, a newer service's, or none.

use std::fs;
use std::path::Path;

use mainstay_host_test::workload::Phase;

use crate::common::process::run_with_mounts;
use crate::common::{Builder, component_path, ended, service};
use crate::support::{all, lines_of, logged};

fn cron(folder: &Path) -> Builder {
    service("cron")
        .component("test/faulty-job")
        .volume(folder, "/state")
        .environment("CRON_STATE", "/state")
        .environment("CRON_SCHEDULE", "@every 1s")
}

/// The files that were set aside.
fn aside(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains("corrupt")).collect()
}

#[tokio::test]
async fn without_a_folder_it_says_so_once_and_runs_from_memory() {
    let workload = service("cron")
        .component("test/faulty-job")
        .environment("CRON_SCHEDULE", "@every 1s")
        .start();
    lines_of(&workload, "faulty-job job@", 2).await;
    let log = all(&workload);
    assert_eq!(
        log.matches("CRON_STATE is not set, so a restart forgets runs in flight")
            .count(),
        1,
        "{log}"
    );
    assert_eq!(workload.stop().await.state, Phase::Completed);
}

#[tokio::test]
async fn a_wrong_setting_ends_the_service_with_one_line() {
    let workload = service("cron")
        .component("test/faulty-job")
        .environment("CRON_SCHEDULE", "@daily")
        .environment("CRON_TIMEOUT", "5x")
        .start();
    assert_eq!(ended(&workload).await.state, Phase::Error);
    let log = workload.stderr().unwrap().text();
    let told = r#"CRON_TIMEOUT "5x": unit x is not one of d, h, m, s, ms, us, for example 5s"#;
    assert!(log.contains(told) && log.lines().count() == 1, "{log}");
}

#[tokio::test]
async fn a_newer_service_s_journal_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("cron.journal");
    // The checksum is that of the line's text.
    fs::write(&journal, "8f16d9e1 mainstay-cron 2\n").unwrap();
    let workload = cron(folder.path()).start();
    let status = ended(&workload).await;
    assert_eq!(status.state, Phase::Error);
    let log = all(&workload);
    let told = "CRON_STATE \"/state/cron.journal\": the journal is of version 2, which is newer than the 1 that this \
                service reads; run the newer service";
    assert!(log.contains(told), "{log}");
    assert_eq!(fs::read_to_string(&journal).unwrap(), "8f16d9e1 mainstay-cron 2\n");
}

#[tokio::test]
async fn what_is_no_journal_is_set_aside_and_cron_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("cron.journal");
    fs::write(&journal, "once upon a time\n").unwrap();
    let workload = cron(folder.path()).start();
    logged(
        &workload,
        "the journal does not begin as a cron journal does, beginning anew",
    )
    .await;
    lines_of(&workload, "faulty-job job@", 1).await;
    assert_eq!(workload.stop().await.state, Phase::Completed);
    let aside = aside(folder.path());
    assert_eq!(aside.len(), 1);
    assert_eq!(
        fs::read_to_string(folder.path().join(&aside[0])).unwrap(),
        "once upon a time\n"
    );
}

#[tokio::test]
async fn damaged_lines_are_left_out_reported_and_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("cron.journal");
    let workload = cron(folder.path()).start();
    lines_of(&workload, "faulty-job job@", 2).await;
    workload.stop().await;
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text.replacen("succeeded", "succeedet", 1)).unwrap();
    let workload = cron(folder.path()).start();
    logged(&workload, "the journal is damaged, those lines are left out").await;
    lines_of(&workload, "faulty-job job@", 1).await;
    assert_eq!(workload.stop().await.state, Phase::Completed);
    assert_eq!(aside(folder.path()).len(), 1);
}

#[tokio::test]
async fn a_read_only_volume_ends_the_service_with_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let builder = cron(folder.path()).with_service(|service| {
        for mount in &mut service.resources.mounts {
            mount.read_only = true;
        }
    });
    let workload = builder.start();
    assert_eq!(ended(&workload).await.state, Phase::Error);
    let log = all(&workload);
    let told = log
        .lines()
        .find(|line| line.contains("ERROR"))
        .unwrap_or_else(|| panic!("{log}"));
    assert!(
        told.contains("CRON_STATE \"/state\": cannot write the journal: "),
        "{log}"
    );
    assert!(told.contains("; mount a folder that the service may write to"), "{log}");
}

#[test]
fn on_a_full_disk_it_goes_on_from_memory_until_there_is_room_again() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    let manifest = folder.path().join("workload.yaml");
    let text = format!(
        r#"apiVersion: runtime.wasmcloud.dev/v1alpha1
kind: WorkloadDeployment
metadata:
  name: full
spec:
  template:
    spec:
      volumes:
        - name: state
          hostPath:
            path: {state}
      service:
        image: {cron}
        localResources:
          volumeMounts:
            - name: state
              mountPath: /state
          environment:
            config:
              CRON_STATE: /state
              CRON_JOBS: "{jobs}"
      components:
        - name: job
          image: {job}
"#,
        state = state.display(),
        cron = component_path("cron").display(),
        job = component_path("test/faulty-job").display(),
        jobs = (0..8)
            .map(|n| format!("[[job]]\\nname='job-{n}'\\nschedule='@every 1s'\\n"))
            .collect::<String>(),
    );
    fs::write(&manifest, text).unwrap();
    // A file system of its own, nearly full; room is made when the service has said that it is.
    let script = r#"
        set -e
        state=$1; log=$2; shift 2
        mount -t tmpfs -o size=256k tmpfs "$state"
        head -c 244k /dev/zero > "$state/filler"
        "$@" 2> "$log" &
        until grep -q 'state cannot be written' "$log" || ! kill -0 $!; do sleep 0.05; done
        rm "$state/filler"
        wait $!
    "#;
    let log = folder.path().join("log");
    let [stdout, stderr] = run_with_mounts(script, &state, &log, &[], &manifest, "14s");
    let all = format!("{stdout}{stderr}");
    assert_eq!(
        stderr.matches("state cannot be written, going on from memory").count(),
        1,
        "{all}"
    );
    assert_eq!(stderr.matches("state is written again").count(), 1, "{all}");
    let ticks = stdout.matches("faulty-job job-0@").count();
    assert!(ticks >= 10, "{ticks} ticks:\n{all}");
}
