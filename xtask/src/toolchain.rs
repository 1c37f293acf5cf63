//! The compiler and its Wasm target: checked, and the target added where it is missing.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::progress::Step;
use crate::{clang, process};

/// What guests are compiled for.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// The oldest compiler whose standard library has what the services use; as `rust-version` in Cargo.toml.
const OLDEST: (u32, u32) = (1, 95);

/// The target's standard library is 25 MB: slow once, on a slow line.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(300);
const DOWNLOAD_ATTEMPTS: u32 = 3;

/// Makes sure that guests can be compiled.
pub(crate) fn prepare() -> Result<()> {
    let version = process::answer(rustc().arg("--version"))
        .context("there is no Rust compiler; install one as https://rustup.rs says")?;
    check_version(&version)?;
    if has_target()? {
        return Ok(());
    }
    add_target()
}

/// What cargo needs in its environment to build `crates`, lines of `name version`, for guests: a C compiler where ring
/// is among them, for TLS.
pub(crate) fn guest_environment(crates: &BTreeSet<String>) -> Result<Vec<(String, String)>> {
    if crates.iter().any(|line| line.starts_with("ring ")) {
        clang::environment()
    } else {
        Ok(Vec::new())
    }
}

/// The compiler that cargo will use.
pub(crate) fn rustc() -> Command {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

fn has_target() -> Result<bool> {
    let libraries = process::answer(rustc().args(["--print", "target-libdir", "--target", TARGET]))?;
    Ok(Path::new(&libraries).is_dir())
}

fn add_target() -> Result<()> {
    let mut step = Step::start(format!("add target {TARGET}"));
    for attempt in 1..=DOWNLOAD_ATTEMPTS {
        let mut command = Command::new("rustup");
        command.args(["target", "add", TARGET]);
        match process::watch(&mut step, &mut command, Some(DOWNLOAD_LIMIT), |_, _| {}) {
            Ok(()) => {
                step.done("");
                return Ok(());
            }
            Err(error) if attempt < DOWNLOAD_ATTEMPTS => step.print(&format!("{error:#}; trying again")),
            Err(error) => {
                return Err(error.context(format!(
                    "the Rust target {TARGET} is missing and could not be added; \
                     `rustup target add {TARGET}` does it by hand"
                )));
            }
        }
    }
    Ok(())
}

/// Refuses a compiler that is too old; `version` is like `rustc 1.95.0 (59807616e 2026-04-14)`.
fn check_version(version: &str) -> Result<()> {
    let (major, minor) = OLDEST;
    let Some(found) = parse_version(version) else {
        bail!("`rustc --version` says {version:?}; a version like {major}.{minor}.0 was expected");
    };
    if found < OLDEST {
        bail!("{version} is too old: Rust {major}.{minor} or later is needed; `rustup update stable` installs it");
    }
    Ok(())
}

fn parse_version(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split_whitespace().nth(1)?.split(['.', '-']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_this_compiler_and_later_ones() {
        for version in [
            "rustc 1.95.0 (59807616e 2026-04-14)",
            "rustc 1.101.0-nightly (abc 2027-01-01)",
            "rustc 2.0.0",
        ] {
            check_version(version).unwrap();
        }
    }

    #[test]
    fn an_old_compiler_is_refused_with_the_way_out() {
        let error = check_version("rustc 1.89.0 (29483883e 2025-08-04)").unwrap_err();
        assert_eq!(
            error.to_string(),
            "rustc 1.89.0 (29483883e 2025-08-04) is too old: Rust 1.95 or later is needed; \
             `rustup update stable` installs it"
        );
    }

    #[test]
    fn an_unreadable_version_is_shown() {
        let error = check_version("gcc").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`rustc --version` says \"gcc\"; a version like 1.95.0 was expected"
        );
    }
}
