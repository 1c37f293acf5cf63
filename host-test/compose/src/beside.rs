//! Components that have nothing to do with one another, made one.

use crate::Error;
use crate::graph::Graph;

/// One component that exports what each of `parts` (a name for errors, the bytes) exports, the first's where several
/// export the same, and imports what they import.
///
/// # Errors
/// When one is not a component.
pub fn beside(parts: &[(&str, &[u8])]) -> Result<Vec<u8>, Error> {
    if let [(_, only)] = parts {
        return Ok(only.to_vec());
    }
    let mut graph = Graph::new();
    let parts: Vec<_> = parts
        .iter()
        .map(|(name, bytes)| graph.add(name, bytes))
        .collect::<Result<_, _>>()?;
    graph.finish_all(&parts.iter().collect::<Vec<_>>())
}
