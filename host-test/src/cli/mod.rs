//! The command line of `host-test`: one file per subcommand.
//!
//! - [`run`]: one manifest as a workload, until it ends or is stopped
//! - [`inspect`]: what a component needs, gives, and can do without
//! - [`fit`]: the artefact of a service that a set of components needs
//! - [`chain`]: components that stand before one another, made one
//! - [`merge`]: components with MCP tools, made one that has the tools of all
//! - [`jobs`]: what cron has done and will do, as a table
//! - [`value`]: how durations, addresses and `KEY=VALUE` are written

pub mod chain;
pub mod fit;
pub mod inspect;
pub mod jobs;
pub mod merge;
pub mod run;
pub mod value;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// Runs a service in a workload next to reactive components, as wash does where a guest can tell.
#[derive(Debug, Parser)]
#[command(name = "host-test", version, about, max_term_width = 120)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the workload of a Kubernetes WorkloadDeployment.
    Run(RunArguments),
    /// Say what a component needs, what it gives, and what is optional.
    Inspect(InspectArguments),
    /// Make the artefact of a service that exactly these components need.
    Fit(FitArguments),
    /// Make one component of several, each of which may stand before those after it.
    Chain(ChainArguments),
    /// Make one component with the MCP tools of several.
    Merge(MergeArguments),
    /// Show the jobs of a running cron: next tick, last outcomes, runs going on.
    Jobs(JobsArguments),
}

/// Arguments of `host-test run`.
#[derive(Debug, Clone, Args)]
pub struct RunArguments {
    /// YAML file with one WorkloadDeployment and the ConfigMaps and Secrets it refers to, or the folder of a `wash dev`
    /// project.
    pub manifest: PathBuf,
    /// Serve the components that export wasi:http here; port 0 picks a free one.
    #[arg(long, value_name = "ADDR")]
    pub http: Option<SocketAddr>,
    /// Stop cleanly after this long, for example 30s or 1m30s.
    #[arg(long = "for", value_name = "DURATION", value_parser = value::duration)]
    pub run_for: Option<Duration>,
    /// Set an environment variable of the service and every component, over the manifest's.
    #[arg(long, value_name = "K=V", value_parser = value::key_value)]
    pub env: Vec<(String, String)>,
    /// Write each change of status, and counts of calls once a second, to standard error as a line of JSON.
    #[arg(long)]
    pub status_json: bool,
    /// Where image references are looked up: `ghcr.io/mainstay/cron:0.1.0` is DIR/cron.wasm.
    #[arg(long, value_name = "DIR", default_value = "target/components")]
    pub components: PathBuf,
    /// Arguments of the service.
    #[arg(last = true, value_name = "ARGUMENT")]
    pub arguments: Vec<String>,
}

/// Arguments of `host-test inspect`.
#[derive(Debug, Clone, Args)]
pub struct InspectArguments {
    /// The component.
    pub component: PathBuf,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `host-test fit`.
#[derive(Debug, Clone, Args)]
pub struct FitArguments {
    /// The open service, for example target/components/cron-open.wasm.
    pub service: PathBuf,
    /// The components it will run with.
    #[arg(required = true)]
    pub components: Vec<PathBuf>,
    /// Where to write the result.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Compose the given components in too, so that the result runs with no workload at all.
    #[arg(long)]
    pub join: bool,
}

/// Arguments of `host-test chain`.
#[derive(Debug, Clone, Args)]
pub struct ChainArguments {
    /// The components, the one that is called first first.
    #[arg(required = true, num_args = 2..)]
    pub components: Vec<PathBuf>,
    /// Where to write the result.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// Arguments of `host-test merge`.
#[derive(Debug, Clone, Args)]
pub struct MergeArguments {
    /// The components, whose tools are listed in this order.
    #[arg(required = true, num_args = 2..)]
    pub toolboxes: Vec<PathBuf>,
    /// Where to write the result.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// The component that makes one of two.
    #[arg(long, value_name = "FILE", default_value = "target/components/mcp-merger.wasm")]
    pub merger: PathBuf,
}

/// Arguments of `host-test jobs`.
#[derive(Debug, Clone, Args)]
pub struct JobsArguments {
    /// Cron's admin page, for example 127.85.12.7:8082: the workload's 127.0.0.1, as `run` prints it, and the port of
    /// CRON_ADMIN.
    pub address: SocketAddr,
}

impl Command {
    /// Runs the subcommand to its end.
    ///
    /// # Errors
    /// What went wrong, to be printed once by `main`.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Run(arguments) => run::execute(arguments),
            Self::Inspect(arguments) => inspect::execute(&arguments),
            Self::Fit(arguments) => fit::execute(&arguments),
            Self::Chain(arguments) => chain::execute(&arguments),
            Self::Merge(arguments) => merge::execute(&arguments),
            Self::Jobs(arguments) => jobs::execute(&arguments),
        }
    }
}
