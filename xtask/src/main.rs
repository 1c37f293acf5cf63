//! `cargo xtask`: the one entry to the repository.
//!
//! One file per command, and what the commands share:
//! - [`build`]: every component artefact, in `target/components`
//! - [`test`], [`check`]: what CI runs
//! - [`workspace`]: the crates as `cargo metadata` tells them, and which artefact each becomes
//! - [`toolchain`]: compiler and target, added where they are missing
//! - [`clang`]: the C compiler that TLS needs, found or fetched
//! - [`cargo_build`]: a cargo build with a progress bar
//! - [`process`]: running a tool with its output kept back until it is of use
//! - [`progress`]: a spinner on a terminal, plain lines elsewhere

mod build;
mod cargo_build;
mod check;
mod clang;
mod cli;
mod process;
mod progress;
mod test;
mod toolchain;
mod workspace;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{} {error:#}", console::style("error:").red().bold().for_stderr());
            ExitCode::FAILURE
        }
    }
}
