//! `host-test fit`: the artefact of a service that a set of components needs.

use std::fs;
use std::process::ExitCode;

use anyhow::Context as _;
use mainstay_compose::{Component, Host, Importer};

use super::FitArguments;
use super::value::read_component;

/// Writes the fitted service and says what became of each import.
///
/// # Errors
/// When a file cannot be read or written, or an import has no fitting exporter.
pub(super) fn execute(arguments: &FitArguments) -> anyhow::Result<ExitCode> {
    let service = read_component(&arguments.service)?;
    let components: Vec<Component> = arguments
        .components
        .iter()
        .map(|path| read_component(path))
        .collect::<Result<_, _>>()?;
    // Which releases of WASI a host serves is its own business; what is fitted here may run on any.
    let host = Host::new(["wasi"]);
    let fitted = mainstay_compose::fit(&service, &components, &host)?;
    for import in &fitted.closed {
        println!("{import}: no component exports it, closed with the no-op callback");
    }
    for link in &fitted.links {
        let importer = match link.importer {
            Importer::Service => Some(&service),
            Importer::Component(index) => components.get(index),
        };
        if let (Some(importer), Some(exporter)) = (importer, components.get(link.exporter)) {
            println!("{}: {} calls {}", link.interface, importer.name(), exporter.name());
        }
    }
    let bytes = if arguments.join {
        mainstay_compose::join(&service, &components, &host)?
    } else {
        fitted.bytes
    };
    fs::write(&arguments.output, bytes).with_context(|| format!("{} cannot be written", arguments.output.display()))?;
    println!("wrote {}", arguments.output.display());
    Ok(ExitCode::SUCCESS)
}
