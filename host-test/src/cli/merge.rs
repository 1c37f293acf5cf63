//! `host-test merge`: components with MCP tools, made one that has the tools of all.

use std::fs;
use std::process::ExitCode;

use anyhow::Context as _;
use mainstay_compose::Component;

use super::MergeArguments;
use super::value::read_component;

/// Writes the merged component.
///
/// # Errors
/// When a file cannot be read or written, or the components do not fit.
pub(super) fn execute(arguments: &MergeArguments) -> anyhow::Result<ExitCode> {
    let merger = read_component(&arguments.merger)?;
    let components: Vec<Component> = arguments
        .toolboxes
        .iter()
        .map(|path| read_component(path))
        .collect::<Result<_, _>>()?;
    let bytes = mainstay_compose::merge(&merger, &components)?;
    fs::write(&arguments.output, bytes).with_context(|| format!("{} cannot be written", arguments.output.display()))?;
    println!("wrote {}", arguments.output.display());
    Ok(ExitCode::SUCCESS)
}
