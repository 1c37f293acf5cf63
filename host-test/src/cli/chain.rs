//! `host-test chain`: components that stand before one another, made one.

use std::fs;
use std::process::ExitCode;

use anyhow::Context as _;
use mainstay_compose::Component;

use super::ChainArguments;
use super::value::read_component;

/// Writes the joined component.
///
/// # Errors
/// When a file cannot be read or written, or two components do not fit.
pub(super) fn execute(arguments: &ChainArguments) -> anyhow::Result<ExitCode> {
    let components: Vec<Component> = arguments
        .components
        .iter()
        .map(|path| read_component(path))
        .collect::<Result<_, _>>()?;
    let bytes = mainstay_compose::chain(&components)?;
    fs::write(&arguments.output, bytes).with_context(|| format!("{} cannot be written", arguments.output.display()))?;
    println!("wrote {}", arguments.output.display());
    Ok(ExitCode::SUCCESS)
}
