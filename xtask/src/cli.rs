//! The command line.

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::build::Selection;
use crate::workspace::Workspace;
use crate::{bench, build, check, package, push, run, test};

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
        #[command(flatten)]
        only: Only,
        /// The components that the tests use as well
        #[arg(long, conflicts_with = "Only")]
        tests: bool,
    },
    /// Run an example until Ctrl-C, for example `cargo xtask run cron`
    Run {
        /// A folder of examples/
        example: String,
        /// Arguments for `host-test run`, for example `--for 10s`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Build everything and run every test
    Test {
        /// Only tests whose name contains this
        filter: Option<String>,
    },
    /// Formatting, clippy, rustdoc and WIT, with warnings as errors
    Check,
    /// Print the figures of a benchmark
    Bench {
        name: String,
        /// Arguments for the benchmark
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Write every component as an OCI image layout into target/oci
    Package {
        #[command(flatten)]
        only: Only,
    },
    /// Push the images to a registry
    Push {
        /// Where to: `HOST/PLACE` for all of them, `HOST/PLACE/NAME:TAG` for one
        #[arg(value_name = "REF")]
        reference: String,
        #[command(flatten)]
        only: Only,
        /// Plain HTTP, as always with a registry on loopback
        #[arg(long)]
        insecure: bool,
    },
}

#[derive(Args)]
struct Only {
    /// Only this artefact and what it is made of, for example `cron`; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
}

impl Only {
    fn selection(self) -> Selection {
        if self.only.is_empty() {
            Selection::Shipped
        } else {
            Selection::Named(self.only)
        }
    }
}

/// Parses the command line and runs its command.
pub(crate) fn run() -> Result<()> {
    let arguments = Arguments::parse();
    let workspace = Workspace::load()?;
    match arguments.command {
        Command::Build { only, tests } => {
            let selection = if tests { Selection::Everything } else { only.selection() };
            let artefacts = build::components(&workspace, &selection)?;
            build::print_table(&workspace, &artefacts);
        }
        Command::Run { example, arguments } => run::run(&workspace, &example, &arguments)?,
        Command::Test { filter } => test::run(&workspace, filter.as_deref())?,
        Command::Check => check::run(&workspace)?,
        Command::Bench { name, arguments } => bench::run(&workspace, &name, &arguments)?,
        Command::Package { only } => {
            let images = package::run(&workspace, &package::tool(&workspace)?, &only.only)?;
            package::print_table(&workspace, &images);
        }
        Command::Push {
            reference,
            only,
            insecure,
        } => push::run(&workspace, &reference, only.only, insecure)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_follows_the_example_goes_to_the_host() {
        let parsed = Arguments::try_parse_from(["xtask", "run", "cron", "--for", "10s"]).unwrap();
        let Command::Run { example, arguments } = parsed.command else {
            panic!("not run")
        };
        assert_eq!(
            (example.as_str(), arguments),
            ("cron", vec!["--for".to_owned(), "10s".to_owned()])
        );
    }
}
