//! The link check: whether each import of a workload has exactly one exporter of the same name, version and types.
//!
//! The rules are wash's: names match byte for byte, what a component exports goes before what the host serves, only
//! components are called (never the service), one callee for each interface, no circles. wash compares no types before it
//! links, and finds out at the first call; here they are compared.

use crate::component::unversioned;
use crate::link_error::{Candidate, LinkError, LinkErrors, Problem};
use crate::{Component, Host, Interface, difference, signature};

/// A workload, as far as linking goes.
#[derive(Debug, Clone, Copy)]
pub struct Workload<'a> {
    /// The long-lived component, which calls and is never called.
    pub service: Option<&'a Component>,
    /// The components that may be called.
    pub components: &'a [Component],
    /// What needs no component.
    pub host: &'a Host,
}

/// Who imports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Importer {
    /// The service.
    Service,
    /// The component at this place in [`Workload::components`].
    Component(usize),
}

/// An import and the component that satisfies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Who imports.
    pub importer: Importer,
    /// Place of the exporter in [`Workload::components`].
    pub exporter: usize,
    /// The interface's whole name, version included.
    pub interface: String,
}

impl Workload<'_> {
    /// Links every import that is neither the host's nor a mere naming of types.
    ///
    /// # Errors
    /// All imports that have not exactly one fitting exporter, and circles.
    pub fn links(&self) -> Result<Vec<Link>, LinkErrors> {
        let mut links = Vec::new();
        let mut errors = Vec::new();
        for (importer, component) in self.importers() {
            for import in &component.imports() {
                match self.exporter(importer, import) {
                    Ok(Some(exporter)) => links.push(Link {
                        importer,
                        exporter,
                        interface: import.name().to_owned(),
                    }),
                    Ok(None) => {}
                    Err(problem) => errors.push(error(component, import, problem)),
                }
            }
        }
        if errors.is_empty() {
            errors.extend(self.circle(&links));
        }
        if errors.is_empty() {
            Ok(links)
        } else {
            Err(LinkErrors(errors))
        }
    }

    /// The one component that can satisfy an import; `None` if the host serves it or it only names types.
    ///
    /// # Errors
    /// Why there is none.
    pub fn exporter(&self, importer: Importer, import: &Interface<'_>) -> Result<Option<usize>, Problem> {
        if import.is_types_only() {
            return Ok(None);
        }
        if import.is_bare_function() {
            return Err(Problem::NotAnInterface);
        }
        let exporting: Vec<_> = self
            .others(importer)
            .filter_map(|(index, component)| Some((index, component, component.export(import.name())?)))
            .collect();
        match exporting.as_slice() {
            [] if self.host.serves(import.name()) => Ok(None),
            [] => Err(self.nobody_exports(importer, import)),
            [(index, component, export)] => compare(import, component, export).map(|()| Some(*index)),
            several => Err(Problem::Ambiguous {
                candidates: several
                    .iter()
                    .map(|(_, component, _)| component.name().to_owned())
                    .collect(),
            }),
        }
    }

    fn importers(&self) -> impl Iterator<Item = (Importer, &Component)> {
        let service = self.service.into_iter().map(|service| (Importer::Service, service));
        service.chain(
            self.components
                .iter()
                .enumerate()
                .map(|(index, one)| (Importer::Component(index), one)),
        )
    }

    fn importer(&self, importer: Importer) -> Option<&Component> {
        match importer {
            Importer::Service => self.service,
            Importer::Component(index) => self.components.get(index),
        }
    }

    /// A component does not satisfy its own imports.
    fn others(&self, importer: Importer) -> impl Iterator<Item = (usize, &Component)> {
        self.components
            .iter()
            .enumerate()
            .filter(move |(index, _)| importer != Importer::Component(*index))
    }

    fn nobody_exports(&self, importer: Importer, import: &Interface<'_>) -> Problem {
        let exporting = |fits: &dyn Fn(&str) -> bool| -> Vec<Candidate> {
            let candidate = |(_, component): (usize, &Component)| Candidate {
                component: component.name().to_owned(),
                exports: component
                    .exports()
                    .iter()
                    .map(|export| export.name().to_owned())
                    .filter(|name| fits(name))
                    .collect(),
            };
            self.others(importer).map(candidate).collect()
        };
        let mut other_versions = exporting(&|name| unversioned(name) == import.unversioned());
        other_versions.retain(|candidate| !candidate.exports.is_empty());
        if !other_versions.is_empty() {
            return Problem::OtherVersion {
                candidates: other_versions,
            };
        }
        if let Some(service) = self.service.filter(|service| service.export(import.name()).is_some()) {
            return Problem::OnlyTheService {
                service: service.name().to_owned(),
            };
        }
        let versions: Vec<String> = self
            .host
            .versions(import.name())
            .into_iter()
            .map(str::to_owned)
            .collect();
        if versions.is_empty() {
            let optional = self.importer(importer).and_then(|one| one.optional_imports().ok());
            Problem::Missing {
                optional: optional.is_some_and(|names| names.iter().any(|name| name == import.name())),
                components: exporting(&|_| true),
            }
        } else {
            Problem::OtherHostVersion { versions }
        }
    }

    /// wash links a component after those that it imports from, so a circle has no beginning.
    fn circle(&self, links: &[Link]) -> Option<LinkError> {
        let count = self.components.len();
        let path = (0..count).find_map(|start| path_back(links, start, start, &mut vec![false; count]))?;
        let (from, to) = (*path.first()?, *path.get(1)?);
        let link = links
            .iter()
            .find(|link| link.importer == Importer::Component(from) && link.exporter == to)?;
        let circle = path
            .iter()
            .filter_map(|index| self.components.get(*index))
            .map(|one| one.name().to_owned());
        Some(LinkError {
            importer: self.components.get(from)?.name().to_owned(),
            interface: link.interface.clone(),
            problem: Problem::Circle {
                circle: circle.collect(),
            },
        })
    }
}

/// A way along the links from `from` to `to`, both included.
fn path_back(links: &[Link], from: usize, to: usize, seen: &mut [bool]) -> Option<Vec<usize>> {
    for link in links.iter().filter(|link| link.importer == Importer::Component(from)) {
        if link.exporter == to {
            return Some(vec![from, to]);
        }
        match seen.get_mut(link.exporter) {
            Some(seen) if !*seen => *seen = true,
            _ => continue,
        }
        if let Some(mut path) = path_back(links, link.exporter, to, seen) {
            path.insert(0, from);
            return Some(path);
        }
    }
    None
}

/// Every function that is imported has to be there, with the same type.
fn compare(import: &Interface<'_>, exporter: &Component, export: &Interface<'_>) -> Result<(), Problem> {
    for function in import.functions() {
        let imported = signature::of(import.resolve, function);
        let Some(given) = export.functions().iter().find(|given| given.name == function.name) else {
            return Err(Problem::FunctionMissing {
                candidate: exporter.name().to_owned(),
                function: function.name.clone(),
                imported,
                exported: export.signatures(),
            });
        };
        if let Some(difference) = difference::between((import.resolve, function), (export.resolve, given)) {
            return Err(Problem::FunctionDiffers {
                candidate: exporter.name().to_owned(),
                function: function.name.clone(),
                imported,
                exported: signature::of(export.resolve, given),
                difference: Box::new(difference),
            });
        }
    }
    Ok(())
}

fn error(component: &Component, import: &Interface<'_>, problem: Problem) -> LinkError {
    LinkError {
        importer: component.name().to_owned(),
        interface: import.name().to_owned(),
        problem,
    }
}
