//! Imports linked to exports.
//!
//! As in wash, a name must match byte for byte, version included; what a component of the workload exports goes before
//! what the host offers; nothing can import what the service exports; no import is optional. Unlike wash, types are
//! compared here and not at the first call.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use wasmtime::component::types::{ComponentFunc, ComponentInstance, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker, ResourceType};

use super::Host;
use super::call::{Caller, Target};
use super::explain::{self, Part};
use super::pool::{self, Pool};
use super::resources;
use super::signature::{self, Handles};
use super::state::State;
use super::unit::{Recipe, Unit};

/// A component before it is linked.
pub(super) struct Unlinked {
    pub(super) name: String,
    pub(super) image: PathBuf,
    pub(super) component: Component,
    pub(super) recipe: Recipe,
    /// `None`: a fresh instance for every call.
    pub(super) pool: Option<pool::Limits>,
    pub(super) is_service: bool,
}

/// A component that can be instantiated, and called if others import what it exports.
#[derive(Clone)]
pub(super) struct Linked {
    pub(super) unit: Arc<Unit>,
    pub(super) pool: Option<Arc<Pool>>,
}

/// Links all components of a workload, in the order given.
pub(super) fn link(host: &Host, caller: &Arc<Caller>, unlinked: Vec<Unlinked>) -> anyhow::Result<Vec<Linked>> {
    let part = |each: &Unlinked| Part {
        name: each.name.clone(),
        image: each.image.clone(),
        is_service: each.is_service,
    };
    let parts: Vec<_> = unlinked.iter().map(part).collect();
    let component = |each: &Unlinked| (each.name.clone(), each.component.clone());
    let mut links = Links {
        host,
        caller,
        exporters: exporters(&unlinked),
        components: unlinked.iter().map(component).collect(),
        service: unlinked.iter().position(|each| each.is_service),
        rest: unlinked.into_iter().map(Some).collect(),
        linked: BTreeMap::new(),
        path: Vec::new(),
        uncompared: false,
    };
    let linked: anyhow::Result<_> = (0..links.rest.len()).map(|index| links.resolve(index)).collect();
    let linked = linked.map_err(|error| explain::link_errors(&parts).map_or(error, anyhow::Error::msg))?;
    match links.uncompared.then(|| explain::differences(&parts)).flatten() {
        Some(differences) => Err(anyhow::Error::msg(differences)),
        None => Ok(linked),
    }
}

/// Which components export an interface, by its name.
fn exporters(unlinked: &[Unlinked]) -> BTreeMap<String, Vec<usize>> {
    let mut exporters = BTreeMap::<String, Vec<usize>>::new();
    for (index, each) in unlinked.iter().enumerate().filter(|(_, each)| !each.is_service) {
        for (name, export) in each.component.component_type().exports(each.component.engine()) {
            if matches!(export.ty, ComponentItem::ComponentInstance(_)) {
                exporters.entry(name.to_owned()).or_default().push(index);
            }
        }
    }
    exporters
}

struct Links<'a> {
    host: &'a Host,
    caller: &'a Arc<Caller>,
    exporters: BTreeMap<String, Vec<usize>>,
    components: Vec<(String, Component)>,
    service: Option<usize>,
    /// What is not linked yet.
    rest: Vec<Option<Unlinked>>,
    linked: BTreeMap<usize, Linked>,
    /// The components being linked, each because the one before it imports from it.
    path: Vec<usize>,
    /// Whether functions were linked whose types Wasmtime cannot compare.
    uncompared: bool,
}

impl Links<'_> {
    /// Links a component after those that it imports from.
    fn resolve(&mut self, index: usize) -> anyhow::Result<Linked> {
        if let Some(linked) = self.linked.get(&index) {
            return Ok(linked.clone());
        }
        if self.path.contains(&index) {
            bail!("components import from each other in a circle");
        }
        self.path.push(index);
        let (name, component) = self
            .components
            .get(index)
            .cloned()
            .context("a component of the workload")?;
        let pre = self.pre(&name, &component)?;
        self.path.pop();
        let Unlinked { recipe, pool, .. } = self
            .rest
            .get_mut(index)
            .and_then(Option::take)
            .context("a component of the workload")?;
        let unit = Arc::new(Unit {
            id: u32::try_from(index)?,
            name: name.into(),
            pre,
            recipe,
        });
        let pool = pool.map(|limits| Arc::new(Pool::new(&unit, limits)));
        let linked = Linked { unit, pool };
        self.linked.insert(index, linked.clone());
        Ok(linked)
    }

    fn pre(&mut self, name: &str, component: &Component) -> anyhow::Result<InstancePre<State>> {
        let mut linker = self.host.interfaces().clone();
        linker.allow_shadowing(true);
        let imports = signature::imports(component);
        let of_the_host = imports
            .iter()
            .filter(|(interface, _)| !self.exporters.contains_key(interface));
        let of_the_host: Vec<_> = of_the_host
            .flat_map(|(_, import)| signature::resources(component, import))
            .collect();
        for (interface, import) in &imports {
            if let Some(exporter) = self.exporter(name, interface, import)? {
                self.define(
                    &mut linker,
                    (name, component),
                    interface,
                    import,
                    exporter,
                    &of_the_host,
                )?;
            }
        }
        linker
            .instantiate_pre(component)
            .map_err(|error| anyhow!("linking component \"{name}\": {error:#}"))
    }

    /// The one other component that exports an interface, if there is one.
    fn exporter(&self, importer: &str, interface: &str, import: &ComponentInstance) -> anyhow::Result<Option<usize>> {
        let exporters = self.exporters.get(interface).into_iter().flatten().copied();
        let mut others = exporters.filter(|index| self.path.last() != Some(index));
        let first = others.next();
        // Who names the types of an interface without functions does not matter.
        if others.next().is_some() && !signature::is_types_only(self.host.engine(), import) {
            bail!("component \"{importer}\" imports {interface}, which is ambiguous: several export it");
        }
        Ok(first)
    }

    /// Defines an imported interface by calls into the component that exports it.
    fn define(
        &mut self,
        linker: &mut Linker<State>,
        (importer, importing): (&str, &Component),
        interface: &str,
        imported: &ComponentInstance,
        exporter: usize,
        of_the_host: &[ResourceType],
    ) -> anyhow::Result<()> {
        let callee = self.resolve(exporter)?;
        let exporting = callee.unit.pre.component();
        let (_, instance) = exporting.get_export(None, interface).context("an exported interface")?;
        let resources: Arc<[_]> = signature::resource_exports(exporting).into();
        let mut definitions = linker.instance(interface).map_err(anyhow::Error::from)?;
        for (name, item) in imported.exports(importing.engine()) {
            let defined = match item.ty {
                ComponentItem::ComponentFunc(wanted) => {
                    let (function, handles) = linkable(exporting, &instance, name, &wanted)
                        .with_context(|| format!("component \"{importer}\" imports {interface}.{name}"))?;
                    self.uncompared |= handles >= Handles::Resources;
                    let target = Arc::new(Target {
                        caller: Arc::clone(self.caller),
                        callee: Arc::clone(&callee.unit),
                        pool: callee.pool.clone(),
                        function,
                        by_service: self.service == self.path.last().copied(),
                        handles,
                        resources: Arc::clone(&resources),
                        name: format!("{interface}.{name}"),
                    });
                    match wanted.async_() {
                        true => target.define_concurrent(&mut definitions, name),
                        false => target.define_blocking(&mut definitions, name),
                    }
                }
                ComponentItem::Resource(resource) if !of_the_host.contains(&resource) => {
                    resources::define(&mut definitions, name)
                }
                _ => Ok(()),
            };
            defined.map_err(anyhow::Error::from)?;
        }
        Ok(())
    }
}

/// The exported function that satisfies an imported one, and what it carries.
fn linkable(
    exporting: &Component,
    instance: &ComponentExportIndex,
    name: &str,
    wanted: &ComponentFunc,
) -> anyhow::Result<(ComponentExportIndex, Handles)> {
    let Some((ComponentItem::ComponentFunc(exported), function)) = exporting.get_export(Some(instance), name) else {
        bail!("its exporter lacks that function");
    };
    if !signature::fits(wanted, &exported) {
        bail!("its exporter has that function with another type");
    }
    let handles = signature::handles(wanted);
    if wanted.async_() && handles > Handles::Streams {
        bail!(
            "an async function may pass plain values and streams of bytes here, no resources, futures or other streams"
        );
    }
    Ok((function, handles))
}
