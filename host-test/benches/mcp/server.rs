//! The servers, each a process of its own.

use std::fmt::{self, Display};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command as Program, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::figure::{self, Goal};

/// What is measured.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Subject {
    Native,
    /// The tools' component composed into the service.
    Composed,
    /// An instance of the tools' component is kept from call to call.
    Warm,
    /// Each call has an instance of its own.
    Fresh,
}

/// How clients come.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Way {
    Stdio,
    Http,
}

/// Manifests and components, ready to be run.
pub(crate) struct Kitchen {
    folder: TempDir,
}

/// A server that runs. It ends with this.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) port: u16,
}

/// What calls came to.
pub(crate) struct Calls {
    pub(crate) rate: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Subject {
    /// The peer first.
    pub(crate) const ALL: [Self; 4] = [Self::Native, Self::Composed, Self::Warm, Self::Fresh];
}

impl Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Native => "rmcp, native",
            Self::Composed => "mcp, tools composed in",
            Self::Warm => "mcp, warm instances",
            Self::Fresh => "mcp, an instance for each call",
        })
    }
}

impl Kitchen {
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let status = Program::new(env!("CARGO_BIN_EXE_host-test"))
            .args(["fit", "--join", "--output"])
            .arg(folder.path().join("joined.wasm"))
            .args([artefact("mcp-open"), artefact("example-mcp")])
            .stdout(Stdio::null())
            .status()?;
        ensure!(status.success(), "host-test fit: {status}");
        Ok(Self { folder })
    }

    /// Starts a server; it may not be ready yet.
    pub(crate) fn start(&self, subject: Subject, way: Way) -> Result<Server> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut command = match subject {
            Subject::Native => {
                let mut command = Command::new(std::env::current_exe()?);
                match way {
                    Way::Stdio => command.arg("--native-stdio"),
                    Way::Http => command.arg(format!("--native-http={port}")),
                };
                command
            }
            ours => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_host-test"));
                command
                    .arg("run")
                    .arg(self.manifest(ours)?)
                    .args(["--env", "MAINSTAY_LOG=warn"]);
                match way {
                    Way::Stdio => command.args(["--env", "MCP_STDIO=on"]),
                    Way::Http => command.arg(format!("--http=127.0.0.1:{port}")),
                };
                command
            }
        };
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Server { child, port })
    }

    fn manifest(&self, subject: Subject) -> Result<PathBuf> {
        let (service, components) = match subject {
            Subject::Composed | Subject::Native => (self.folder.path().join("joined.wasm"), String::new()),
            Subject::Warm | Subject::Fresh => {
                let pool = if subject == Subject::Warm { ", poolSize: 32" } else { "" };
                let image = artefact("example-mcp");
                let components = format!(
                    "      components:\n        - {{name: tools, image: {}{pool}}}\n",
                    image.display()
                );
                (artefact("mcp"), components)
            }
        };
        let text = format!(
            "apiVersion: runtime.wasmcloud.dev/v1alpha1\nkind: WorkloadDeployment\nmetadata: {{name: mcp}}\nspec:\n  \
             template:\n    spec:\n      service: {{image: {}}}\n{components}",
            service.display()
        );
        let path = self.folder.path().join("workload.yaml");
        std::fs::write(&path, text)?;
        Ok(path)
    }
}

impl Server {
    pub(crate) fn id(&self) -> Result<u32> {
        self.child.id().context("the server has ended")
    }
}

impl Calls {
    /// From how long each took, and all of them together.
    pub(crate) fn new(mut latencies: Vec<Duration>, took: Duration) -> Self {
        latencies.sort_unstable();
        Self {
            rate: latencies.len() as f64 / took.as_secs_f64(),
            p50: figure::percentile(&latencies, 0.5),
            p99: figure::percentile(&latencies, 0.99),
        }
    }

    pub(crate) fn print(&self, subject: Subject, native: f64) {
        let share = self.rate / native;
        let verdict = match subject {
            Subject::Native => "",
            _ => Goal::AtLeast(1.0).verdict(share),
        };
        let (rate, share) = (format!("{:.0}", self.rate), format!("{share:.2}"));
        let microseconds = |duration: Duration| format!("{} us", duration.as_micros());
        figure::row(
            &subject.to_string(),
            [&rate, &microseconds(self.p50), &microseconds(self.p99), &share],
            verdict,
        );
    }
}

fn artefact(name: &str) -> PathBuf {
    let components = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/components");
    components.join(format!("{name}.wasm"))
}

/// The version of the peer.
pub(crate) fn rmcp_version() -> &'static str {
    let lock = include_str!("../../../Cargo.lock");
    let after = lock
        .split_once("name = \"rmcp\"\nversion = \"")
        .map_or("", |(_, after)| after);
    after.split('"').next().unwrap_or_default()
}
