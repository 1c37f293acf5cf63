//! Imports linked to exports.
//!
//! As in wash, a name must match byte for byte, version included; what a component of the workload exports goes before
//! what the host offers; nothing can import what the service exports; no import is optional. Unlike wash, types are
//! compared here and not at the first call.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use wasmtime::component::types::{ComponentInstance, ComponentItem};
use wasmtime::component::{Component, InstancePre, Linker};

use super::Host;
use super::call::{Caller, Target};
use super::explain::{self, Part};
use super::pool::{self, Pool};
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
    pool: Option<Arc<Pool>>,
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
    };
    let linked: anyhow::Result<_> = (0..links.rest.len()).map(|index| links.resolve(index)).collect();
    linked.map_err(|error| explain::link_errors(&parts).map_or(error, anyhow::Error::msg))
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
        let imported = component.component_type();
        for (interface, import) in imported.imports(component.engine()) {
            if let ComponentItem::ComponentInstance(instance) = import.ty {
                self.define(&mut linker, name, interface, &instance)?;
            }
        }
        linker
            .instantiate_pre(component)
            .map_err(|error| anyhow!("linking component \"{name}\": {error:#}"))
    }

    /// Defines an imported interface by calls into the one component that exports it, if there is one.
    fn define(
        &mut self,
        linker: &mut Linker<State>,
        importer: &str,
        interface: &str,
        imported: &ComponentInstance,
    ) -> anyhow::Result<()> {
        let exporter = match self.exporters.get(interface).map(Vec::as_slice) {
            None | Some([]) => return Ok(()),
            Some([exporter]) => *exporter,
            Some(_) => bail!("component \"{importer}\" imports {interface}, which is ambiguous: several export it"),
        };
        let exporting = self
            .components
            .get(exporter)
            .map(|(_, component)| component.clone())
            .context("an exporter")?;
        let callee = self.resolve(exporter)?;
        let (_, instance) = exporting.get_export(None, interface).context("an exported interface")?;
        let mut definitions = linker.instance(interface).map_err(anyhow::Error::from)?;
        for (function, item) in imported.exports(exporting.engine()) {
            let ComponentItem::ComponentFunc(wanted) = item.ty else {
                continue;
            };
            let export = exporting.get_export(Some(&instance), function);
            let Some((ComponentItem::ComponentFunc(exported), index)) = export else {
                bail!("component \"{importer}\" imports {interface}.{function}, which its exporter lacks");
            };
            if !signature::fits(&wanted, &exported) {
                bail!(
                    "component \"{importer}\" imports {interface}.{function}, which its exporter has with another type"
                );
            }
            let handles = signature::handles(&wanted);
            if handles > Handles::Streams || (handles == Handles::Streams && !wanted.async_()) {
                bail!("{interface}.{function} passes a resource, a future or a stream that this host does not link");
            }
            let target = Arc::new(Target {
                caller: Arc::clone(self.caller),
                callee: Arc::clone(&callee.unit),
                pool: callee.pool.clone(),
                function: index,
                by_service: self.service == self.path.last().copied(),
                has_streams: handles == Handles::Streams,
                name: format!("{interface}.{function}"),
            });
            let defined = if exported.async_() {
                target.define_concurrent(&mut definitions, function)
            } else {
                target.define_blocking(&mut definitions, function)
            };
            defined.map_err(anyhow::Error::from)?;
        }
        Ok(())
    }
}
