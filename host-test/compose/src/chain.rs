//! Components that stand before one another, made one.

use crate::graph::Graph;
use crate::{Component, Error};

/// Makes one component of several: what one of them imports and a later one exports is linked. The result exports what
/// any of them exports, the first's where several export the same.
///
/// So a component that imports an interface and exports it too stands before those after it, which a workload cannot say: there each
/// interface has one exporter.
///
/// # Errors
/// There is nothing to join, or the types of two do not fit.
pub fn chain(components: &[Component]) -> Result<Vec<u8>, Error> {
    let mut graph = Graph::new();
    let parts = components
        .iter()
        .map(|component| graph.add(component.name(), component.bytes()));
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    for (index, importer) in parts.iter().enumerate() {
        for import in graph.imports(importer) {
            let mut later = parts.iter().skip(index + 1);
            if let Some(exporter) = later.find(|part| graph.exports(part).contains(&import)) {
                graph.link(importer, exporter, &import)?;
            }
        }
    }
    graph.finish_all(&parts.iter().collect::<Vec<_>>())
}
