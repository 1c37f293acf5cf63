//! Components joined into one, by wac-graph.
//!
//! Unlike `wac plug`, names match byte for byte: a host that links by exact names is what the result must fit.

use std::collections::BTreeSet;

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, NodeId, PackageId};

use crate::Error;

/// Parts and the links between them.
pub(crate) struct Graph {
    graph: CompositionGraph,
    parts: usize,
}

/// One instance of a component in a [`Graph`].
pub(crate) struct Part {
    name: String,
    package: PackageId,
    instance: NodeId,
}

impl Graph {
    pub(crate) fn new() -> Self {
        Self {
            graph: CompositionGraph::new(),
            parts: 0,
        }
    }

    /// Adds one instance of a component.
    pub(crate) fn add(&mut self, name: &str, bytes: &[u8]) -> Result<Part, Error> {
        // Two parts may bear the same name; wac-graph wants its packages apart.
        self.parts += 1;
        let unique = format!("{name}#{}", self.parts);
        let package = Package::from_bytes(&unique, None, bytes, self.graph.types_mut()).map_err(|error| {
            Error::NotAComponent {
                component: name.to_owned(),
                reason: format!("{error:#}"),
            }
        })?;
        let package = self
            .graph
            .register_package(package)
            .map_err(|error| unjoinable(name, &error))?;
        let instance = self.graph.instantiate(package);
        Ok(Part {
            name: name.to_owned(),
            package,
            instance,
        })
    }

    /// Names that a part imports.
    pub(crate) fn imports(&self, part: &Part) -> Vec<String> {
        self.graph.types()[self.graph[part.package].ty()]
            .imports
            .keys()
            .cloned()
            .collect()
    }

    /// Names that a part exports.
    pub(crate) fn exports(&self, part: &Part) -> Vec<String> {
        self.graph.types()[self.graph[part.package].ty()]
            .exports
            .keys()
            .cloned()
            .collect()
    }

    /// Satisfies the import `name` of one part by the export of the same name of another.
    pub(crate) fn link(&mut self, importer: &Part, exporter: &Part, name: &str) -> Result<(), Error> {
        self.link_as(importer, name, exporter, name)
    }

    /// Satisfies an import of one part by an export of another, of a different name and the same type.
    pub(crate) fn link_as(
        &mut self,
        importer: &Part,
        import: &str,
        exporter: &Part,
        export: &str,
    ) -> Result<(), Error> {
        let export = self
            .graph
            .alias_instance_export(exporter.instance, export)
            .map_err(|error| unjoinable(&exporter.name, &error))?;
        self.graph
            .set_instantiation_argument(importer.instance, import, export)
            .map_err(|error| unjoinable(&importer.name, &error))
    }

    /// The joined component: exports what `main` exports, imports what was left open.
    pub(crate) fn finish(self, main: &Part) -> Result<Vec<u8>, Error> {
        self.finish_all(&[main])
    }

    /// The joined component: exports what any of `parts` exports, the first's where several export the same.
    pub(crate) fn finish_all(mut self, parts: &[&Part]) -> Result<Vec<u8>, Error> {
        let mut exported = BTreeSet::new();
        for part in parts {
            let failed = |error: &dyn std::error::Error| unjoinable(&part.name, error);
            for name in self.exports(part) {
                if !exported.insert(name.clone()) {
                    continue;
                }
                let export = self
                    .graph
                    .alias_instance_export(part.instance, &name)
                    .map_err(|error| failed(&error))?;
                self.graph.export(export, &name).map_err(|error| failed(&error))?;
            }
        }
        let names = parts
            .iter()
            .map(|part| part.name.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        self.graph
            .encode(EncodeOptions::default())
            .map_err(|error| unjoinable(&names, &error))
    }
}

/// The whole chain of causes: wac-graph keeps the type that differs in the source of its errors.
fn unjoinable(component: &str, error: &dyn std::error::Error) -> Error {
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        reason.push_str(": ");
        reason.push_str(&cause.to_string());
        source = cause.source();
    }
    Error::Unjoinable {
        component: component.to_owned(),
        reason,
    }
}
