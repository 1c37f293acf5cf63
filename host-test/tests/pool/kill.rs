//! The service is killed under load: no session and no lock stays behind, and the next service serves at once.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use mainstay_peers::{Postgres, postgres, tools};

use crate::common::process::HostProcess;
use crate::common::{self, DEADLINE};

const KILLS: usize = 3;

fn manifest(port: u16) -> String {
    let password = postgres::PASSWORD_IN_URL;
    let image = common::component_path("pool");
    format!(
        r#"apiVersion: runtime.wasmcloud.dev/v1alpha1
kind: WorkloadDeployment
metadata:
  name: kill
spec:
  template:
    spec:
      service:
        image: {image}
        localResources:
          environment:
            config:
              POOL_APP_URL: "postgres://app:{password}@host.wasmcloud.internal:{port}/app?max=4"
          allowedHosts: ["*"]
          allowedIpNameLookups: [host.wasmcloud.internal]
          allowedHostLoopbackPorts: ["{port}"]
"#,
        image = image.display(),
    )
}

/// The workload's own loopback, as the host tells it.
fn loopback(host: &HostProcess, before: usize) -> Ipv4Addr {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let log = host.log();
        let words = log[before..].split(|c: char| !c.is_ascii_digit() && c != '.');
        let found = words.filter_map(|word| word.trim_matches('.').parse::<Ipv4Addr>().ok());
        if let Some(address) = found
            .into_iter()
            .find(|ip| ip.octets()[0] == 127 && *ip != Ipv4Addr::LOCALHOST)
        {
            return address;
        }
        assert!(Instant::now() < deadline, "no address: {log}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn eventually(what: &str, host: &HostProcess, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done() {
        assert!(Instant::now() < deadline, "never: {what}\n{}", host.log());
        thread::sleep(Duration::from_millis(10));
    }
}

fn psql(address: Ipv4Addr, sql: &str) -> Command {
    let mut command = Command::new(tools::postgres("psql").unwrap());
    command.args([
        "-X", "-A", "-t", "-p", "5432", "-U", "app", "-d", "app", "-c", sql, "-h",
    ]);
    command
        .arg(address.to_string())
        .stderr(Stdio::null())
        .stdout(Stdio::null());
    command
}

#[test]
fn a_service_that_is_killed_under_load_leaves_nothing_behind_and_the_next_one_serves() {
    let server = Postgres::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (file, log) = (folder.path().join("pool.yaml"), folder.path().join("log"));
    std::fs::write(&file, manifest(server.port())).unwrap();
    server
        .sql(
            "app",
            "CREATE TABLE kept (number int); INSERT INTO kept VALUES (0); GRANT ALL ON kept TO app",
        )
        .unwrap();
    let sessions = || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'";
        server.sql("postgres", sql).unwrap()
    };
    for _ in 0..KILLS {
        let (mut host, address) = start(&file, &log);
        // Each holds the row's lock for the longest part of its transaction.
        let script = folder.path().join("load.sql");
        std::fs::write(
            &script,
            "BEGIN;\nUPDATE kept SET number = number + 1;\nSELECT pg_sleep(0.01);\nCOMMIT;\n",
        )
        .unwrap();
        let mut load = Command::new(tools::postgres("pgbench").unwrap());
        load.args(["-n", "-c", "16", "-T", "600", "-p", "5432", "-U", "app", "-h"]);
        load.arg(address.to_string()).arg("-f").arg(&script).arg("app");
        let mut load = load.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let before = server.sql("app", "SELECT number FROM kept").unwrap();
        eventually("it works", &host, || {
            server.sql("app", "SELECT number FROM kept").unwrap() != before
        });
        host.kill();
        let killed = Instant::now();
        eventually("its sessions end", &host, || sessions() == "0");
        let gone = killed.elapsed();
        load.wait().unwrap();
        drop(host);

        let (mut host, address) = start(&file, &log);
        let sql = "UPDATE kept SET number = number + 1";
        eventually("it serves", &host, || psql(address, sql).status().unwrap().success());
        println!(
            "sessions gone {gone:?} after the kill, served again {:?} after it",
            killed.elapsed()
        );
        host.kill();
        eventually("its sessions end too", &host, || sessions() == "0");
    }
}

fn start(manifest: &Path, log: &Path) -> (HostProcess, Ipv4Addr) {
    let before = std::fs::metadata(log).map_or(0, |file| usize::try_from(file.len()).unwrap());
    let host = HostProcess::start(manifest, log, &[]);
    let address = loopback(&host, before);
    eventually("it listens", &host, || TcpStream::connect((address, 5432)).is_ok());
    (host, address)
}
