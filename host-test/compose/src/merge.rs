//! Components with MCP tools, made one that has the tools of all.

use crate::graph::{Graph, Part};
use crate::{Component, Error};

/// What is merged.
const TOOLS: &str = "mainstay:mcp/tools@0.1.0";

/// Makes one component of several that export `mainstay:mcp/tools`, by a `merger` before each but the last: one that
/// imports two sets of tools and exports both.
///
/// # Errors
/// A component has no tools, two export the same other interface, or their types do not fit.
pub fn merge(merger: &Component, components: &[Component]) -> Result<Vec<u8>, Error> {
    check_exports(components)?;
    let mut graph = Graph::new();
    let mut parts = Vec::new();
    for component in components {
        parts.push(graph.add(component.name(), component.bytes())?);
    }
    // The one that is called first comes last.
    let mut fronts: Vec<Part> = Vec::new();
    let mut behind = components.last().map_or("", Component::name).to_owned();
    for (part, component) in parts.iter().zip(components).rev().skip(1) {
        let names = graph.add("names", &names(component.name(), &behind)?)?;
        let front = graph.add(merger.name(), merger.bytes())?;
        graph.link(&front, part, TOOLS)?;
        if let Some(others) = fronts.last().or(parts.last()) {
            graph.link_as(&front, "others", others, TOOLS)?;
        }
        graph.link_as(&front, "names", &names, "names")?;
        fronts.push(front);
        behind = format!("{} or {behind}", component.name());
    }
    let exporting: Vec<&Part> = fronts.last().into_iter().chain(&parts).collect();
    graph.finish_all(&exporting)
}

/// All export tools, and nothing else that another exports too.
fn check_exports(components: &[Component]) -> Result<(), Error> {
    for (index, component) in components.iter().enumerate() {
        if component.export(TOOLS).is_none() {
            return Err(Error::Unjoinable {
                component: component.name().to_owned(),
                reason: format!("it does not export {TOOLS}"),
            });
        }
        let exports = component.exports();
        for other in components.iter().skip(index + 1) {
            let mut names = exports.iter().map(|export| export.name()).filter(|name| *name != TOOLS);
            if let Some(both) = names.find(|name| other.export(name).is_some()) {
                return Err(Error::Unjoinable {
                    component: component.name().to_owned(),
                    reason: format!("{} exports {both} too, and only tools are merged", other.name()),
                });
            }
        }
    }
    Ok(())
}

/// A component whose `names` gives two names.
fn names(one: &str, other: &str) -> Result<Vec<u8>, Error> {
    // Two strings, each a pointer and a length, and then their bytes.
    let at = |offset: usize| u32::try_from(16 + offset).unwrap_or(u32::MAX);
    let length = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX);
    let words = [at(0), length(one), at(one.len()), length(other)];
    let bytes = words
        .into_iter()
        .flat_map(u32::to_le_bytes)
        .chain(one.bytes())
        .chain(other.bytes());
    let data: String = bytes.map(|byte| format!("\\{byte:02x}")).collect();
    let text = format!(
        r#"(component
             (core module $m
               (memory (export "memory") 1)
               (data (i32.const 0) "{data}")
               (func (export "names") (result i32) i32.const 0))
             (core instance $i (instantiate $m))
             (func (export "names") (result (tuple string string))
               (canon lift (core func $i "names") (memory (core memory $i "memory")))))"#
    );
    wat::parse_str(text).map_err(|error| Error::NotAComponent {
        component: "the names of two components".to_owned(),
        reason: error.to_string(),
    })
}
