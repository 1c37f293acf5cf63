//! Running a workload in a test.
//!
//! ```ignore
//! let workload = common::service("cron")                       // target/components/cron.wasm
//!     .component("example-cron")                                // target/components/example-cron.wasm
//!     .environment("CRON_SCHEDULE", "@every 1s")                // of the service
//!     .start();
//! workload.stdout().unwrap().wait_for("hello", common::DEADLINE).await.unwrap();
//! assert_eq!(workload.stop().await.state, Phase::Completed);
//! ```
//!
//! Whatever the builder does not offer is set on its public [`Spec`] and [`Options`]. Output is captured. Every test
//! has its own loopback, so services of several tests may listen on the same port; from outside a workload's
//! `127.0.0.1` is [`Workload::loopback`]. Components come from `cargo xtask build`; a missing one fails the test and
//! says so. Nothing here sleeps: wait for output, for a status, or for a port.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

pub mod process;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use mainstay_host_test::workload::options::Options;
use mainstay_host_test::workload::spec::{Component, Mount, Service, Spec, Volume, VolumeSource};
use mainstay_host_test::workload::stdio::Output;
use mainstay_host_test::workload::{Host, RestartPolicy, Status, Workload};

/// How long anything may take before a test fails: far longer than it does, on a busy machine with two cores.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// One engine for all tests of a program, with the compile cache that `host-test run` uses.
pub static HOST: LazyLock<Host> = LazyLock::new(|| Host::new(Some(&target().join("host-test-cache"))).unwrap());

static FORGETFUL_HOST: LazyLock<Host> = LazyLock::new(|| Host::new(None).unwrap());

/// A workload before it is started.
#[derive(Clone)]
pub struct Builder {
    pub spec: Spec,
    pub options: Options,
}

/// A workload with this service, which is not restarted unless the test says so.
pub fn service(name: &str) -> Builder {
    let mut builder = without_service();
    builder.spec.service = Some(Service {
        image: component_path(name),
        ..Service::default()
    });
    builder
}

/// A workload of components only.
pub fn without_service() -> Builder {
    let options = Options {
        output: Output::Capture,
        restart: RestartPolicy {
            backoff_min: Duration::from_millis(10),
            backoff_max: Duration::from_millis(50),
            ..RestartPolicy::default()
        },
        ..Options::default()
    };
    Builder {
        spec: Spec {
            name: "test".to_owned(),
            ..Spec::default()
        },
        options,
    }
}

impl Builder {
    /// Adds a component, named like its artefact.
    pub fn component(self, name: &str) -> Self {
        self.component_with(name, |_| {})
    }

    /// Adds a component and lets the test set what it needs.
    pub fn component_with(mut self, name: &str, change: impl FnOnce(&mut Component)) -> Self {
        let mut component = Component {
            name: name.rsplit('/').next().unwrap().to_owned(),
            image: component_path(name),
            ..Component::default()
        };
        change(&mut component);
        self.spec.components.push(component);
        self
    }

    /// Sets an environment variable of the service.
    pub fn environment(self, name: &str, value: &str) -> Self {
        self.with_service(|service| {
            service.resources.environment.insert(name.to_owned(), value.to_owned());
        })
    }

    /// Sets the service's arguments.
    pub fn arguments(self, arguments: &[&str]) -> Self {
        self.with_service(|service| service.arguments = arguments.iter().map(|&each| each.to_owned()).collect())
    }

    /// How often the service is restarted.
    pub fn max_restarts(self, times: u64) -> Self {
        self.with_service(|service| service.max_restarts = times)
    }

    /// Mounts `directory` at `path` in the service and in every component added so far.
    pub fn volume(mut self, directory: &Path, path: &str) -> Self {
        let name = format!("volume{}", self.spec.volumes.len());
        let source = VolumeSource::HostPath(directory.to_owned());
        self.spec.volumes.push(Volume {
            name: name.clone(),
            source,
        });
        let mount = Mount {
            volume: name,
            path: path.to_owned(),
            read_only: false,
        };
        for component in &mut self.spec.components {
            component.resources.mounts.push(mount.clone());
        }
        self.with_service(|service| service.resources.mounts.push(mount))
    }

    /// Serves HTTP on a free port.
    pub fn http(mut self) -> Self {
        self.options.http = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        self
    }

    /// Lets the test change the service.
    pub fn with_service(mut self, change: impl FnOnce(&mut Service)) -> Self {
        if let Some(service) = &mut self.spec.service {
            change(service);
        }
        self
    }

    /// Lets the test change the options.
    pub fn with_options(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    /// Starts the workload.
    pub fn start(&self) -> Workload {
        self.try_start().unwrap()
    }

    /// Starts the workload, or says why it cannot.
    pub fn try_start(&self) -> anyhow::Result<Workload> {
        // What a test made for itself is not worth keeping compiled.
        let target = target();
        let mut components = self.spec.components.iter().map(|component| &component.image);
        let host = if components.all(|image| image.starts_with(&target)) {
            &HOST
        } else {
            &FORGETFUL_HOST
        };
        Workload::start(host, &self.spec, &self.options)
    }

    /// Runs the workload to its end: its last status, its standard output, its standard error.
    pub async fn run(&self) -> (Status, String, String) {
        let workload = self.start();
        let status = ended(&workload).await;
        let (stdout, stderr) = (workload.stdout().unwrap().text(), workload.stderr().unwrap().text());
        (status, stdout, stderr)
    }
}

/// The workload's last status, within the deadline.
pub async fn ended(workload: &Workload) -> Status {
    match tokio::time::timeout(DEADLINE, workload.ended()).await {
        Ok(status) => status,
        Err(_) => panic!(
            "not ended within {DEADLINE:?}: {}\n{}",
            workload.status(),
            output(workload)
        ),
    }
}

/// Waits for a status that `wanted` accepts.
pub async fn status(workload: &Workload, wanted: impl FnMut(&Status) -> bool) -> Status {
    let mut watch = workload.watch();
    match tokio::time::timeout(DEADLINE, watch.wait_for(wanted)).await {
        Ok(found) => found.unwrap().clone(),
        Err(_) => panic!("not within {DEADLINE:?}: {}\n{}", workload.status(), output(workload)),
    }
}

fn output(workload: &Workload) -> String {
    let text = |captured: Option<&mainstay_host_test::workload::stdio::Captured>| captured.map(|c| c.text());
    format!(
        "stdout: {:?}\nstderr: {:?}",
        text(workload.stdout()),
        text(workload.stderr())
    )
}

/// A connection to a port that the service listens on, as soon as it does.
pub async fn connect(workload: &Workload, port: u16) -> tokio::net::TcpStream {
    let connected = async {
        loop {
            match tokio::net::TcpStream::connect((workload.loopback(), port)).await {
                Ok(stream) => return stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    match tokio::time::timeout(DEADLINE, connected).await {
        Ok(stream) => stream,
        Err(_) => panic!("nothing listens on {port}: {}\n{}", workload.status(), output(workload)),
    }
}

/// `target/components/<name>.wasm`, which must have been built.
pub fn component_path(name: &str) -> PathBuf {
    let path = target().join("components").join(format!("{name}.wasm"));
    assert!(path.exists(), "{} is missing: run `cargo xtask build`", path.display());
    path
}

/// The workspace's target directory.
pub fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target")
}
