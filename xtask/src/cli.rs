//! The command line.

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::build::Selection;
use crate::workspace::Workspace;
use crate::{build, check, test};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Build, run and test Mainstay",
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build every component into target/components
    Build {
        /// Only this artefact and what it is made of, for example `cron`; may be repeated
        #[arg(long, value_name = "NAME")]
        only: Vec<String>,
        /// The components that the tests use as well
        #[arg(long, conflicts_with = "only")]
        tests: bool,
    },
    /// Build everything and run every test
    Test {
        /// Only tests whose name contains this
        filter: Option<String>,
    },
    /// Formatting, clippy, rustdoc and WIT, with warnings as errors
    Check,
}

/// Parses the command line and runs its command.
pub(crate) fn run() -> Result<()> {
    let arguments = Arguments::parse();
    let workspace = Workspace::load()?;
    match arguments.command {
        Command::Build { only, tests } => {
            let selection = match (only.is_empty(), tests) {
                (false, _) => Selection::Named(only),
                (true, true) => Selection::Everything,
                (true, false) => Selection::Shipped,
            };
            let artefacts = build::components(&workspace, &selection)?;
            build::print_table(&workspace, &artefacts);
            Ok(())
        }
        Command::Test { filter } => test::run(&workspace, filter.as_deref()),
        Command::Check => check::run(&workspace),
    }
}
