//! The test host's command line. All of it is in the library: see `mainstay_host_test::cli`.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use mainstay_host_test::cli::CommandLine;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_env("HOST_TEST_LOG").unwrap_or_else(|_| EnvFilter::new("warn")))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match CommandLine::parse().command.execute() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
