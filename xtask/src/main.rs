//! `cargo xtask`: the one entry to the repository.
//!
//! One file per command, and what the commands share:
//! - [`build`]: every component artefact, in `target/components`
//! - [`run`]: one example in the test host; its log made readable by [`lines`], what it needs beside it by [`outside`]
//! - [`mod@test`], [`check`]: what CI runs; [`references`] holds the names in manifests against what is built
//! - [`mod@bench`]: figures, with what made them
//! - [`package`], [`push`]: artefacts as OCI images; the work is done by `xtask/oci`
//! - [`workspace`]: the crates as `cargo metadata` tells them, and which artefact each becomes
//! - [`scripts`]: components in JavaScript and Python, which no crate becomes
//! - [`toolchain`]: compiler and target, added where they are missing
//! - [`clang`]: the C compiler that TLS needs, found or fetched
//! - [`peers`]: the servers that tests need, fetched where they are missing
//! - [`prerequisites`]: what tests need that nothing fetches
//! - [`git`]: the commit that images and figures name
//! - [`cargo_build`]: a cargo build with a progress bar
//! - [`process`]: running a tool with its output kept back until it is of use
//! - [`progress`]: a spinner on a terminal, plain lines elsewhere

mod bench;
mod build;
mod cargo_build;
mod check;
mod clang;
mod cli;
mod git;
mod lines;
mod outside;
mod package;
mod peers;
mod prerequisites;
mod process;
mod progress;
mod push;
mod references;
mod run;
mod scripts;
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
