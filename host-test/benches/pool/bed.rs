//! Servers, and the pool before them.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mainstay_host_test::workload::options::Options;
use mainstay_host_test::workload::spec::{Service, Spec};
use mainstay_host_test::workload::stdio::Output;
use mainstay_host_test::workload::{Host, Workload};
use tokio::net::TcpStream;
use tokio::process::Command;

/// How long anything may take to be there.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Connections of every pool to its server.
pub(crate) const CONNECTIONS: usize = 10;

/// The pool before a server on this port of the machine.
pub(crate) async fn pool(variable: &str, url: &str, server: u16, listens: u16) -> Result<Workload> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let mut service = Service {
        image: target.join("components/pool.wasm"),
        ..Service::default()
    };
    let resources = &mut service.resources;
    resources.environment.insert(variable.to_owned(), url.to_owned());
    resources
        .environment
        .insert("MAINSTAY_LOG".to_owned(), "warn".to_owned());
    resources.allowed_host_loopback_ports.push(server);
    resources.allowed_hosts.push("*".parse()?);
    resources.allowed_ip_name_lookups.push("*".parse()?);
    let spec = Spec {
        name: "bench".to_owned(),
        service: Some(service),
        ..Spec::default()
    };
    let options = Options {
        output: Output::Capture,
        ..Options::default()
    };
    let host = Host::new(Some(&target.join("host-test-cache")))?;
    let workload = Workload::start(&host, &spec, &options)?;
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect((IpAddr::from(workload.loopback()), listens))
        .await
        .is_err()
    {
        if Instant::now() > deadline {
            bail!("the pool does not listen: {}", workload.status());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(workload)
}

/// What a program prints.
pub(crate) async fn output(command: &mut Command) -> Result<String> {
    let output = command.kill_on_drop(true).output().await.context("run it")?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
