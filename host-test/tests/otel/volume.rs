//! A volume that is full.

use std::fs;

use crate::common::component_path;
use crate::common::process::run_with_mounts;

/// Sends the request on a connection of its own, and prints the status of the answer.
const SEND: &str = r#"
    send() {
        exec 3<>"/dev/tcp/$address/4318" || return 0
        printf 'POST /v1/traces HTTP/1.1\r\nhost: otel\r\ncontent-type: application/x-protobuf\r\ncontent-length: %d\r\n\r\n' \
            "$(stat -c %s "$request")" >&3
        cat "$request" >&3
        read -r _ status _ <&3
        exec 3>&-
        echo "$status"
    }
"#;

#[test]
fn a_full_volume_refuses_leaves_no_files_behind_and_takes_more_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    let manifest = folder.path().join("workload.yaml");
    // Nobody listens there, so all of it stays queued.
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
        image: {otel}
        localResources:
          allowedHosts: ["*"]
          volumeMounts:
            - name: state
              mountPath: /state
          environment:
            config:
              OTEL_EXPORTER_OTLP_ENDPOINT: http://127.0.0.1:9
              OTEL_QUEUE_FOLDER: /state
              OTEL_QUEUE_SEGMENT: 64KiB
              OTEL_RETRY_FOR: 0s
"#,
        state = state.display(),
        otel = component_path("otel").display(),
    );
    fs::write(&manifest, text).unwrap();
    let request = folder.path().join("request");
    fs::write(&request, large()).unwrap();
    let script = r#"
        set -e
        state=$1; log=$2; request=$3; shift 3
        mount -t tmpfs -o size=512k tmpfs "$state"
        head -c 200k /dev/zero > "$state/filler"
        "$@" > "$log" 2>&1 &
        host=$!
        until address=$(grep -o 'its 127.0.0.1 is [0-9.]*' "$log" | head -n 1 | sed 's/.* //') && [ -n "$address" ] &&
            [ "$(send)" = 200 ]; do kill -0 $host; sleep 0.05; done
        for _ in $(seq 30); do send; done
        echo "files $(find "$state" -name '*.segment' | wc -l) empty $(find "$state" -name '*.segment' -size 0 | wc -l)"
        rm "$state/filler"
        send
        kill $host
        wait $host || true
    "#;
    let log = folder.path().join("log");
    let script = format!("{SEND}{script}");
    let [stdout, stderr] = run_with_mounts(&script, &state, &log, &[&request], &manifest, "60s");
    let all = format!("{stdout}{stderr}");
    let told: Vec<&str> = stdout.lines().collect();
    let refused = told.iter().filter(|line| **line == "503").count();
    assert!(refused >= 20, "{all}");
    let files = told.iter().find(|line| line.starts_with("files ")).unwrap();
    assert!(files.ends_with("empty 0"), "{files}");
    assert_eq!(told.last(), Some(&"200"), "{all}");
}

/// A request with one span that has a long name.
fn large() -> Vec<u8> {
    let mut span = Vec::new();
    mainstay_otel_core::wire::put_bytes(&mut span, 5, &[b'x'; 50_000]);
    [2, 2, 1].iter().fold(span, |inner, number| {
        let mut outer = Vec::new();
        mainstay_otel_core::wire::put_bytes(&mut outer, *number, &inner);
        outer
    })
}
