//! `host-test inspect`: what a component needs, gives, and can do without.

use std::process::ExitCode;

use mainstay_compose::Inspection;

use super::InspectArguments;
use super::value::{print, read_component};

/// Prints the inspection as a table or as JSON.
///
/// # Errors
/// When the file cannot be read or is not a component.
pub(super) fn execute(arguments: &InspectArguments) -> anyhow::Result<ExitCode> {
    let inspection = Inspection::of(&read_component(&arguments.component)?)?;
    let text = if arguments.json {
        format!("{}\n", serde_json::to_string_pretty(&inspection)?)
    } else {
        inspection.to_string()
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}
