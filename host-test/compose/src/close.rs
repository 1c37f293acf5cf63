//! A service's optional imports closed with its no-op callbacks.

use crate::Error;
use crate::graph::{Graph, Part};

/// Satisfies the imports of `open` that `callbacks` exports, by exact name, and leaves every other import open.
///
/// # Errors
/// When either is not a component, nothing fits, or a function's type differs.
pub fn close(open: &[u8], callbacks: &[u8]) -> Result<Vec<u8>, Error> {
    // What is closed has no more use for callbacks that it carries.
    let (open, _) = crate::callbacks::detach(open)?;
    let (graph, service) = links(&open, callbacks)?;
    graph.finish(&service)
}

/// The two with every link between them made.
pub(crate) fn links(open: &[u8], callbacks: &[u8]) -> Result<(Graph, Part), Error> {
    let mut graph = Graph::new();
    let service = graph.add("the service", open)?;
    let callbacks = graph.add("its callbacks", callbacks)?;
    let imports = graph.imports(&service);
    let exports = graph.exports(&callbacks);
    let shared: Vec<_> = exports.iter().filter(|name| imports.contains(name)).collect();
    if shared.is_empty() {
        return Err(Error::NothingToJoin {
            importer: "the service".to_owned(),
            exporter: "its callbacks component".to_owned(),
            exports: exports.join(", "),
        });
    }
    for name in shared {
        graph.link(&service, &callbacks, name)?;
    }
    Ok((graph, service))
}
