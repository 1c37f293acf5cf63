//! `cargo xtask test`: builds every artefact, fetches the servers that tests need, then runs every test.

use anyhow::Result;

use crate::build::{self, Selection};
use crate::progress::Step;
use crate::workspace::{Workspace, cargo, packages};
use crate::{cargo_build, peers, prerequisites, process};

/// Runs the tests whose name contains `filter`, or all. Tests find their components in `target/components`.
pub(crate) fn run(workspace: &Workspace, filter: Option<&str>) -> Result<()> {
    prerequisites::check(workspace)?;
    build::components(workspace, &Selection::Everything)?;
    peers::fetch(workspace)?;
    let names = workspace.native_names();
    let cargo_test = || {
        let mut command = cargo();
        command.arg("test").current_dir(&workspace.root);
        command.args(packages(names.iter().copied()));
        command
    };

    let mut step = Step::start("build tests");
    step.expect(cargo_build::dependencies(&names, None, "normal,build,dev")?.len() as u64);
    cargo_build::run(&mut step, cargo_test().arg("--no-run"))?;
    step.done(&format!("{} crates", names.len()));

    process::attached(cargo_test().arg("--no-fail-fast").args(filter))
}
