//! The cron service on this crate's own host, with a job that does nothing.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use mainstay_compose::Component as Decoded;
use mainstay_host_test::workload::spec::{Component, Mount, Service, Spec, Volume, VolumeSource};
use mainstay_host_test::workload::stdio::Output;
use mainstay_host_test::workload::{Host, Options, Workload};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longer than anything here takes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// Calls of the job at once, and so many instances are kept warm for them.
const AT_ONCE: u32 = 256;

/// Where the service's metrics are, within its workload.
const HEALTH_PORT: u16 = 8081;

/// What all measurements share.
pub(crate) struct Bench {
    host: Host,
    folder: TempDir,
    /// `MAINSTAY_LOG`.
    log: String,
}

/// Where the job's code runs.
#[derive(Clone, Copy)]
pub(crate) enum Callee {
    /// An instance for each call.
    Fresh,
    /// Warm instances, each with one call at a time.
    Warm,
    /// In the service itself.
    Composed,
}

/// What is measured.
pub(crate) struct Setting<'a> {
    /// `[[job]]` tables.
    pub(crate) jobs: &'a str,
    pub(crate) callee: Callee,
    /// Whether there is a state volume.
    pub(crate) state: bool,
}

/// A service that runs.
pub(crate) struct Cron {
    workload: Workload,
    /// Holds the configuration and the state.
    _folder: TempDir,
}

impl Bench {
    pub(crate) fn new(log: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        // The cache that `run` and the tests use too.
        let host = Host::new(Some(&target().join("host-test-cache")))?;
        let log = log.to_owned();
        Ok(Self { host, folder, log })
    }

    /// Runs a component that is a program, to its end: what it printed.
    pub(crate) async fn program(&self, name: &str, arguments: Vec<String>) -> Result<String> {
        let service = Service {
            image: component(name),
            arguments,
            ..Service::default()
        };
        let spec = Spec {
            name: name.to_owned(),
            service: Some(service),
            ..Spec::default()
        };
        let workload = Workload::start(&self.host, &spec, &captured())?;
        let status = tokio::time::timeout(DEADLINE, workload.ended())
            .await
            .context("not ended")?;
        ensure!(status.reason.is_none(), "{status}\n{}", stderr(&workload));
        Ok(workload.stdout().context("output is captured")?.text())
    }

    /// Starts the service and waits until its schedules are loaded.
    pub(crate) async fn start(&self, setting: &Setting<'_>) -> Result<Cron> {
        let folder = tempfile::tempdir()?;
        let spec = self.spec(setting, folder.path())?;
        let workload = Workload::start(&self.host, &spec, &captured())?;
        let loaded = workload.stderr().context("output is captured")?;
        loaded.wait_for("schedules are loaded", DEADLINE).await?;
        Ok(Cron {
            workload,
            _folder: folder,
        })
    }

    fn spec(&self, setting: &Setting<'_>, folder: &Path) -> Result<Spec> {
        let (config, state) = (folder.join("config"), folder.join("state"));
        fs::create_dir(&config)?;
        fs::create_dir(&state)?;
        fs::write(config.join("cron.toml"), setting.jobs)?;
        let mut service = Service {
            image: self.image(setting.callee)?,
            ..Service::default()
        };
        let environment = &mut service.resources.environment;
        environment.insert("CRON_CONFIG".to_owned(), "/config/cron.toml".to_owned());
        environment.insert("CRON_IN_FLIGHT".to_owned(), AT_ONCE.to_string());
        environment.insert("MAINSTAY_LOG".to_owned(), self.log.clone());
        if setting.state {
            environment.insert("CRON_STATE".to_owned(), "/state".to_owned());
        }
        let mut volumes = Vec::new();
        for (name, directory) in [("config", config), ("state", state)] {
            let source = VolumeSource::HostPath(directory);
            volumes.push(Volume {
                name: name.to_owned(),
                source,
            });
            service.resources.mounts.push(Mount {
                volume: name.to_owned(),
                path: format!("/{name}"),
                read_only: name == "config",
            });
        }
        let job = |pool_size| Component {
            name: "job".to_owned(),
            image: component("test/cron-stopwatch"),
            pool_size,
            ..Component::default()
        };
        let components = match setting.callee {
            Callee::Fresh => vec![job(0)],
            Callee::Warm => vec![job(AT_ONCE)],
            Callee::Composed => Vec::new(),
        };
        Ok(Spec {
            name: "cron".to_owned(),
            service: Some(service),
            components,
            volumes,
        })
    }

    fn image(&self, callee: Callee) -> Result<PathBuf> {
        if !matches!(callee, Callee::Composed) {
            return Ok(component("cron"));
        }
        let decode = |name: &str| -> Result<Decoded> { Ok(Decoded::decode(name, &fs::read(component(name))?)?) };
        let joined = mainstay_compose::join(
            &decode("cron")?,
            &[decode("test/cron-stopwatch")?],
            &mainstay_compose::Host::new(["wasi"]),
        )?;
        let path = self.folder.path().join("composed.wasm");
        fs::write(&path, joined)?;
        Ok(path)
    }
}

impl Cron {
    /// Waits until so many runs have succeeded; how many have by `deadline`.
    pub(crate) async fn succeeded(&self, runs: u64, deadline: Instant) -> Result<u64> {
        loop {
            let now = self
                .metric("cron_finished_total{job=\"*\",outcome=\"succeeded\"}")
                .await?;
            if now >= runs || Instant::now() >= deadline {
                return Ok(now);
            }
            // Each look takes the service a fraction of a millisecond.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A metric as the service shows it, 0 if it does not.
    async fn metric(&self, name: &str) -> Result<u64> {
        let page = self.metrics().await?;
        let line = page.lines().find_map(|line| line.strip_prefix(name));
        Ok(line.map_or(Ok(0), |value| value.trim().parse())?)
    }

    async fn metrics(&self) -> Result<String> {
        let mut stream = TcpStream::connect((self.workload.loopback(), HEALTH_PORT)).await?;
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: cron\r\nconnection: close\r\n\r\n")
            .await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        Ok(response)
    }

    /// How it is, for one who has to find out why.
    pub(crate) async fn described(&self) -> String {
        let status = self.workload.status();
        let metrics = self
            .metrics()
            .await
            .unwrap_or_else(|error| format!("no metrics: {error}"));
        format!("{status}\n{}\n{metrics}", stderr(&self.workload))
    }

    /// What the jobs printed.
    pub(crate) fn printed(&self) -> String {
        self.workload.stdout().map_or(String::new(), |stdout| stdout.text())
    }

    /// Ends the service, which must have run until now.
    pub(crate) async fn stop(self) -> Result<()> {
        let status = self.workload.status();
        if status.is_final() || status.restarts > 0 || status.calls.failed > 0 {
            bail!("the service did not go on: {status}\n{}", stderr(&self.workload));
        }
        self.workload.stop().await;
        Ok(())
    }
}

/// `[[job]]` tables: `settings` gives what stands below each job's name.
pub(crate) fn tables(count: usize, settings: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0..count {
        // Writing to a String does not fail.
        let _ = writeln!(text, "[[job]]\nname = \"job-{number:06}\"\n{}\n", settings(number));
    }
    text
}

fn captured() -> Options {
    Options {
        output: Output::Capture,
        ..Options::default()
    }
}

fn stderr(workload: &Workload) -> String {
    let text = workload.stderr().map_or(String::new(), |stderr| stderr.text());
    let lines: Vec<&str> = text.lines().collect();
    lines
        .get(lines.len().saturating_sub(20)..)
        .unwrap_or_default()
        .join("\n")
}

/// Where `cargo xtask build` leaves a component.
fn component(name: &str) -> PathBuf {
    target().join("components").join(format!("{name}.wasm"))
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target")
}
