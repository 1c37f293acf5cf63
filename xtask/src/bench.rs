//! `cargo xtask bench NAME`: figures, with the machine, the versions and the command that made them.

use std::fs;
use std::process::Command;
use std::thread;

use anyhow::{Result, bail};

use crate::build::{self, Selection};
use crate::workspace::{Workspace, cargo, packages};
use crate::{git, process, toolchain};

/// Builds every artefact and runs the benchmark `name` with `arguments`.
pub(crate) fn run(workspace: &Workspace, name: &str, arguments: &[String]) -> Result<()> {
    let benches: Vec<&str> = workspace
        .packages
        .iter()
        .flat_map(|package| package.targets_of_kind("bench"))
        .collect();
    if !benches.contains(&name) {
        bail!("there is no benchmark {name:?}; there are: {}", benches.join(", "));
    }
    build::components(workspace, &Selection::Everything)?;

    // The dev profile optimises what is measured. With it, and with all crates in view, features are those of tests, so
    // that Wasmtime is built once for both.
    let mut command = cargo();
    command
        .args(["bench", "--quiet", "--profile=dev"])
        .args(packages(workspace.native_names()))
        .args(["--bench", name, "--"])
        .args(arguments)
        .current_dir(&workspace.root);
    print_head(workspace, name, arguments)?;
    process::attached(&mut command)
}

fn print_head(workspace: &Workspace, name: &str, arguments: &[String]) -> Result<()> {
    let cores = thread::available_parallelism()?;
    let lock = fs::read_to_string(workspace.root.join("Cargo.lock"))?;
    let command: Vec<&str> = ["cargo xtask bench", name]
        .into_iter()
        .chain(arguments.iter().map(String::as_str))
        .collect();
    println!("machine   {}, {cores} cores", processor());
    println!("system    {}", process::answer(Command::new("uname").arg("-srm"))?);
    println!("compiler  {}", process::answer(toolchain::rustc().arg("--version"))?);
    println!("wasmtime  {}", locked_version(&lock, "wasmtime").unwrap_or("not used"));
    println!(
        "commit    {}",
        git::commit(workspace).map_or("not a checkout".to_owned(), |commit| commit.hash)
    );
    println!("command   {}\n", command.join(" "));
    Ok(())
}

/// The processor's name, as Linux or macOS tell it.
fn processor() -> String {
    let linux = fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| model_name(&text));
    let macos = || process::answer(Command::new("sysctl").args(["-n", "machdep.cpu.brand_string"])).ok();
    linux.or_else(macos).unwrap_or_else(|| "unknown processor".to_owned())
}

fn model_name(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The version of a package in a Cargo.lock, where `version` follows `name`.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_tells_the_version() {
        let lock = "[[package]]\nname = \"wasmtime-wasi\"\nversion = \"1.0.0\"\n\n\
                    [[package]]\nname = \"wasmtime\"\nversion = \"48.0.8\"\nsource = \"x\"\n";
        assert_eq!(locked_version(lock, "wasmtime"), Some("48.0.8"));
        assert_eq!(locked_version(lock, "wasm"), None);
    }

    #[test]
    fn the_processor_is_the_first_model_name() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Example CPU @ 3.00GHz\nflags\t: fpu\n";
        assert_eq!(model_name(cpuinfo).as_deref(), Some("Example CPU @ 3.00GHz"));
        assert_eq!(model_name("processor\t: 0\n"), None);
    }
}
