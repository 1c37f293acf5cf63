//! What a component is, needs and gives.
//!
//! - `table`: the same for people

mod table;

use serde::Serialize;
use wasmparser::{Parser, Payload};

use crate::{Component, Error, Host, Interface};

/// A component's interface, sorted by who has to satisfy it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// What it was called.
    pub name: String,
    /// How a host runs it.
    pub kind: Kind,
    /// The releases of WASI that it speaks, for example `0.2` and `0.3`.
    pub wasi: Vec<String>,
    /// Sizes of the file and its parts.
    pub size: Size,
    /// Imports that a component of the workload has to export.
    pub required: Vec<Item>,
    /// Imports that it can do without.
    pub optional: Vec<Item>,
    /// Imports that the host serves.
    pub host: Vec<Item>,
    /// Imports that only name types, so that nobody has to satisfy them.
    pub types: Vec<String>,
    /// What it exports.
    pub exports: Vec<Item>,
    /// What will go wrong with it on a host, whatever it is joined with.
    pub warnings: Vec<String>,
}

/// How a host runs a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Exports `wasi:cli/run`: runs for as long as its workload does.
    Service,
    /// Exports a handler of `wasi:http`: called by the host for each request.
    Http,
    /// Exports something else: called by other components.
    Reactive,
    /// Exports nothing: nobody can call it.
    Inert,
}

/// Sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Size {
    /// The whole file.
    pub file: usize,
    /// Its core modules, nested ones included.
    pub modules: usize,
    /// How many core modules there are.
    pub module_count: usize,
    /// The no-op callbacks that it carries.
    pub callbacks: usize,
}

/// An interface and its functions, in WIT syntax.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The whole name, version included.
    pub name: String,
    /// Its functions; none if it only names types.
    pub functions: Vec<String>,
}

impl Inspection {
    /// Takes a component apart.
    ///
    /// # Errors
    /// When the callbacks that it carries are not a component.
    pub fn of(component: &Component) -> Result<Self, Error> {
        let wasi = Host::new(["wasi"]);
        let optional_names = component.optional_imports()?;
        let (mut host, mut optional, mut required) = (Vec::new(), Vec::new(), Vec::new());
        let mut types = Vec::new();
        for import in component.imports() {
            if import.is_types_only() && !wasi.serves(import.name()) {
                types.push(import.name().to_owned());
                continue;
            }
            let group = if wasi.serves(import.name()) {
                &mut host
            } else if optional_names.iter().any(|name| name == import.name()) {
                &mut optional
            } else {
                &mut required
            };
            group.push(Item::of(&import));
        }
        let releases = releases(component);
        Ok(Self {
            name: component.name().to_owned(),
            kind: Kind::of(component),
            warnings: warnings(component, &releases),
            wasi: releases,
            size: Size::of(component),
            required,
            optional,
            host,
            types,
            exports: component.exports().iter().map(Item::of).collect(),
        })
    }
}

impl Kind {
    /// Told by the exports, as wash does.
    #[must_use]
    pub fn of(component: &Component) -> Self {
        let exports = component.exports();
        let has = |names: &[&str]| exports.iter().any(|export| names.contains(&export.unversioned()));
        if has(&["wasi:cli/run"]) {
            Self::Service
        } else if has(&["wasi:http/incoming-handler", "wasi:http/handler"]) {
            Self::Http
        } else if exports.is_empty() {
            Self::Inert
        } else {
            Self::Reactive
        }
    }
}

impl Size {
    fn of(component: &Component) -> Self {
        let modules = Parser::new(0)
            .parse_all(component.bytes())
            .filter_map(|payload| match payload {
                Ok(Payload::ModuleSection {
                    unchecked_range: range, ..
                }) => usize::try_from(range.end - range.start).ok(),
                _ => None,
            });
        let (module_count, modules) = modules.fold((0, 0), |(count, sum), size| (count + 1, sum + size));
        let callbacks = component.callbacks().map_or(0, <[u8]>::len);
        Self {
            file: component.bytes().len() + callbacks,
            modules,
            module_count,
            callbacks,
        }
    }
}

impl Item {
    fn of(interface: &Interface<'_>) -> Self {
        Self {
            name: interface.name().to_owned(),
            functions: interface.signatures(),
        }
    }
}

/// `0.2` for any 0.2.x, as hosts link them.
fn releases(component: &Component) -> Vec<String> {
    let interfaces = component.imports().into_iter().chain(component.exports());
    let mut releases: Vec<String> = interfaces
        .filter_map(|interface| {
            let (_, version) = interface.name().strip_prefix("wasi:")?.split_once('@')?;
            let mut parts = version.splitn(3, '.');
            Some(format!("{}.{}", parts.next()?, parts.next()?))
        })
        .collect();
    releases.sort();
    releases.dedup();
    releases
}

fn warnings(component: &Component, releases: &[String]) -> Vec<String> {
    let mut warnings = Vec::new();
    let has_p3 = releases.iter().any(|release| release == "0.3");
    if Kind::of(component) == Kind::Service && !has_p3 {
        for import in component.imports() {
            if import.functions().iter().any(|function| function.kind.is_async()) {
                let name = import.name();
                warnings.push(format!(
                    "a service without WASI 0.3 traps when it calls an async func of {name}"
                ));
            }
        }
    }
    for import in component.imports().iter().filter(|import| import.is_bare_function()) {
        warnings.push(format!(
            "{} is imported outside any interface, which hosts do not link",
            import.name()
        ));
    }
    warnings
}
