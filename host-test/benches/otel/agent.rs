//! The two agents, each a process of its own.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path as FilePath, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use mainstay_host_test::workload::options::Options;
use mainstay_host_test::workload::spec::{Service, Spec};
use mainstay_host_test::workload::{Host, Workload};
use mainstay_peers::tools;

use crate::sink::Sink;

/// Which agent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    Rotel,
}

/// In and out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    Http,
    Grpc,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ours => "ours",
            Self::Rotel => "rotel",
        })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Http => "over HTTP",
            Self::Grpc => "over gRPC",
        })
    }
}

/// A running agent; it is killed when this is dropped.
pub(crate) struct Agent {
    child: Child,
    http: SocketAddr,
    grpc: SocketAddr,
}

const ATTRIBUTES: &str = "deployment.environment.name=production,cloud.region=eu-west-1";

impl Agent {
    /// Starts an agent that sends to this sink, over the same protocol that it is sent by, compressed by gzip.
    pub(crate) fn start(kind: Kind, path: Path, sink: &Sink, attributes: bool, delay: &str) -> Result<Self> {
        let agent = match kind {
            Kind::Ours => Self::ours(path, sink, attributes, delay),
            Kind::Rotel => Self::rotel(path, sink, attributes, delay),
        }?;
        agent.wait()?;
        Ok(agent)
    }

    fn ours(path: Path, sink: &Sink, attributes: bool, delay: &str) -> Result<Self> {
        let (protocol, port) = match path {
            Path::Http => ("http/protobuf", sink.http.port()),
            Path::Grpc => ("grpc", sink.grpc.port()),
        };
        let settings = format!("{protocol} {port} {delay} {}", if attributes { ATTRIBUTES } else { "" });
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["--sidecar", &settings])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().context("start the sidecar")?;
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().context("its output")?).read_line(&mut line)?;
        let loopback: IpAddr = line
            .trim()
            .parse()
            .with_context(|| format!("the sidecar says {line:?}"))?;
        Ok(Self {
            child,
            http: (loopback, 4318).into(),
            grpc: (loopback, 4317).into(),
        })
    }

    fn rotel(path: Path, sink: &Sink, attributes: bool, delay: &str) -> Result<Self> {
        let free = || anyhow::Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?);
        let (http, grpc) = (free()?, free()?);
        let (protocol, endpoint) = match path {
            Path::Http => ("http", format!("http://{}", sink.http)),
            Path::Grpc => ("grpc", format!("http://{}", sink.grpc)),
        };
        let mut command = Command::new(rotel()?);
        command
            .args([
                "start",
                "--exporter=otlp",
                "--otlp-exporter-compression=gzip",
                "--batch-max-size=8192",
            ])
            .args(["--batch-timeout", delay, "--otlp-exporter-protocol", protocol])
            .args(["--otlp-exporter-endpoint", &endpoint])
            .arg(format!("--otlp-http-endpoint={http}"))
            .arg(format!("--otlp-grpc-endpoint={grpc}"))
            .arg(format!(
                "--pid-file={}",
                std::env::temp_dir()
                    .join(format!("rotel-{}.pid", http.port()))
                    .display()
            ))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if attributes {
            command.args(["--otel-resource-attributes", ATTRIBUTES]);
        }
        Ok(Self {
            child: command.spawn().context("start rotel-agent")?,
            http,
            grpc,
        })
    }

    /// Where it takes telemetry.
    pub(crate) fn address(&self, path: Path) -> SocketAddr {
        match path {
            Path::Http => self.http,
            Path::Grpc => self.grpc,
        }
    }

    fn wait(&self) -> Result<()> {
        let began = Instant::now();
        while TcpStream::connect(self.http).is_err() || TcpStream::connect(self.grpc).is_err() {
            if began.elapsed() > Duration::from_secs(60) {
                bail!("nothing listens on {} and {}", self.http, self.grpc);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// What all of its threads have run.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for thread in fs::read_dir(self.file("task"))? {
            let schedule = fs::read_to_string(thread?.path().join("schedstat"))?;
            nanoseconds += schedule.split(' ').next().context("schedstat")?.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Bytes of it in memory.
    pub(crate) fn resident(&self) -> Result<u64> {
        let memory = fs::read_to_string(self.file("smaps_rollup"))?;
        let line = memory
            .lines()
            .find_map(|line| line.strip_prefix("Pss:"))
            .context("Pss")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }

    fn file(&self, name: &str) -> PathBuf {
        FilePath::new("/proc").join(self.child.id().to_string()).join(name)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn rotel() -> Result<PathBuf> {
    tools::rotel()
}

/// What stands beside ours.
pub(crate) fn rotel_version() -> Result<String> {
    let output = Command::new(rotel()?).arg("--version").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs the sidecar in the test host until standard input ends: prints the address of its loopback.
pub(crate) fn be_the_sidecar(settings: &str) -> Result<()> {
    let mut words = settings.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let (protocol, port, delay, attributes) = (word(), word(), word(), word());
    let target = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let mut service = Service {
        image: target.join("components/otel.wasm"),
        ..Service::default()
    };
    let variables = [
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            format!("http://host.wasmcloud.internal:{port}"),
        ),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.to_owned()),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip".to_owned()),
        ("OTEL_BATCH_DELAY", delay.to_owned()),
        ("OTEL_RESOURCE_ATTRIBUTES", attributes.to_owned()),
        ("MAINSTAY_LOG", "warn".to_owned()),
    ];
    for (name, value) in variables {
        service.resources.environment.insert(name.to_owned(), value);
    }
    service.resources.allowed_host_loopback_ports.push(port.parse()?);
    service.resources.allowed_hosts.push("*".parse()?);
    service.resources.allowed_ip_name_lookups.push("*".parse()?);
    let spec = Spec {
        name: "otel".to_owned(),
        service: Some(service),
        ..Spec::default()
    };
    let host = Host::new(Some(&target.join("host-test-cache")))?;
    let runtime = tokio::runtime::Runtime::new()?;
    let _entered = runtime.enter();
    let workload = Workload::start(&host, &spec, &Options::default())?;
    println!("{}", workload.loopback());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    runtime.block_on(workload.stop());
    Ok(())
}
