//! The artefact of a service that a given set of components needs.

use crate::check::{Importer, Link, Workload};
use crate::component::unversioned;
use crate::graph::Graph;
use crate::{Component, Error, Host};

/// A service made to fit a set of components.
#[derive(Debug)]
pub struct Fitted {
    /// The component to deploy.
    pub bytes: Vec<u8>,
    /// Optional imports that no component exports, now satisfied by the no-op callbacks.
    pub closed: Vec<String>,
    /// How the components' exports will satisfy what is open, the components' own imports included.
    pub links: Vec<Link>,
}

/// Closes the optional imports that no component exports and leaves those open that one does.
///
/// An optional import counts as wanted as soon as a component exports any version of it: then it has to fit, so that a
/// callback that its author believes in is never dropped without a word.
///
/// # Errors
/// All imports, the service's and the components', that would not link in a workload of these.
pub fn fit(service: &Component, components: &[Component], host: &Host) -> Result<Fitted, Error> {
    let closed: Vec<String> = service
        .optional_imports()?
        .into_iter()
        .filter(|import| {
            !components
                .iter()
                .any(|component| exports_any_version(component, import))
        })
        .collect();
    let bytes = close_only(service, &closed)?;
    let fitted = Component::decode(service.name(), &bytes)?;
    let links = Workload {
        service: Some(&fitted),
        components,
        host,
    }
    .links()?;
    Ok(Fitted { bytes, closed, links })
}

/// Fits the service and composes the components in: the result calls them without any workload around it.
///
/// Each component becomes one instance for as long as the service runs, unlike in a workload, where every async call
/// gets a fresh one. Components that the service does not reach are left out.
///
/// # Errors
/// As [`fit`], and when the composition breaks a rule of the component model.
pub fn join(service: &Component, components: &[Component], host: &Host) -> Result<Vec<u8>, Error> {
    let fitted = fit(service, components, host)?;
    let mut graph = Graph::new();
    let main = graph.add(service.name(), &fitted.bytes)?;
    let mut parts = Vec::new();
    for (index, component) in components.iter().enumerate() {
        let reached = is_reached(&fitted.links, index, components.len());
        parts.push(if reached {
            Some(graph.add(component.name(), component.bytes())?)
        } else {
            None
        });
    }
    for link in &fitted.links {
        let importer = match link.importer {
            Importer::Service => Some(&main),
            Importer::Component(index) => parts.get(index).and_then(Option::as_ref),
        };
        let exporter = parts.get(link.exporter).and_then(Option::as_ref);
        if let (Some(importer), Some(exporter)) = (importer, exporter) {
            graph.link(importer, exporter, &link.interface)?;
        }
    }
    graph.finish(&main)
}

impl Component {
    /// The imports that it can do without: those that the callbacks it carries export.
    ///
    /// # Errors
    /// When what it carries is not a component.
    pub fn optional_imports(&self) -> Result<Vec<String>, Error> {
        let Some(callbacks) = self.callbacks() else {
            return Ok(Vec::new());
        };
        let callbacks = Self::decode(format!("{} (its callbacks)", self.name()), callbacks)?;
        let imports = self.imports();
        let names = imports
            .iter()
            .filter(|import| !import.is_types_only())
            .map(|import| import.name().to_owned());
        Ok(names.filter(|name| callbacks.export(name).is_some()).collect())
    }
}

fn exports_any_version(component: &Component, import: &str) -> bool {
    component
        .exports()
        .iter()
        .any(|export| export.unversioned() == unversioned(import))
}

/// The service with these imports, and no others, satisfied by the callbacks that it carries.
fn close_only(service: &Component, imports: &[String]) -> Result<Vec<u8>, Error> {
    let Some(callbacks) = service.callbacks().filter(|_| !imports.is_empty()) else {
        return Ok(service.bytes().to_vec());
    };
    let mut graph = Graph::new();
    let main = graph.add(service.name(), service.bytes())?;
    let callbacks = graph.add(&format!("{} (its callbacks)", service.name()), callbacks)?;
    for import in imports {
        graph.link(&main, &callbacks, import)?;
    }
    graph.finish(&main)
}

/// Whether calls of the service can end up in this component. The check has seen to it that links have no circle; the
/// count of components bounds the walk all the same.
fn is_reached(links: &[Link], component: usize, depth: usize) -> bool {
    links
        .iter()
        .filter(|link| link.exporter == component)
        .any(|link| match link.importer {
            Importer::Service => true,
            Importer::Component(importer) => depth > 0 && is_reached(links, importer, depth - 1),
        })
}
