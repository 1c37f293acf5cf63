//! What can be told from the types of components and their functions.

use wasmtime::Engine;
use wasmtime::component::types::{ComponentExtern, ComponentFunc, ComponentInstance, ComponentItem, Type};
use wasmtime::component::{Component, ComponentExportIndex, ResourceType};

/// The interfaces that a component imports.
pub(super) fn imports(component: &Component) -> Vec<(String, ComponentInstance)> {
    interfaces(component.component_type().imports(component.engine()))
}

fn interfaces<'a>(items: impl Iterator<Item = (&'a str, ComponentExtern<'a>)>) -> Vec<(String, ComponentInstance)> {
    let instances = items.filter_map(|(name, item)| match item.ty {
        ComponentItem::ComponentInstance(instance) => Some((name.to_owned(), instance)),
        _ => None,
    });
    instances.collect()
}

/// Whether an interface has nothing that could be called or held.
pub(super) fn is_types_only(engine: &Engine, interface: &ComponentInstance) -> bool {
    let mut items = interface.exports(engine);
    !items.any(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_) | ComponentItem::Resource(_)))
}

/// The resources of an interface.
pub(super) fn resources(component: &Component, interface: &ComponentInstance) -> Vec<ResourceType> {
    named_resources(component, interface)
        .into_iter()
        .map(|(_, resource)| resource)
        .collect()
}

fn named_resources(component: &Component, interface: &ComponentInstance) -> Vec<(String, ResourceType)> {
    let resources = interface
        .exports(component.engine())
        .filter_map(|(name, item)| match item.ty {
            ComponentItem::Resource(resource) => Some((name.to_owned(), resource)),
            _ => None,
        });
    resources.collect()
}

/// The resources that a component defines and exports, not those that it has from an import.
pub(super) fn resource_exports(component: &Component) -> Vec<ComponentExportIndex> {
    let imports = imports(component);
    let imported: Vec<_> = imports
        .iter()
        .flat_map(|(_, import)| resources(component, import))
        .collect();
    let mut exports = Vec::new();
    for (interface, export) in interfaces(component.component_type().exports(component.engine())) {
        let Some((_, instance)) = component.get_export(None, &interface) else {
            continue;
        };
        let defined = named_resources(component, &export)
            .into_iter()
            .filter(|(_, resource)| !imported.contains(resource));
        exports.extend(defined.filter_map(|(name, _)| component.get_export_index(Some(&instance), &name)));
    }
    exports
}

/// What the parameters and results of a function carry besides plain values. A resource, a stream or a future belongs to
/// the store that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Handles {
    None,
    /// Streams of bytes.
    Streams,
    /// Resources, and perhaps streams.
    Resources,
    /// Futures, error contexts, and streams of anything else.
    Others,
}

/// Whether an import may be satisfied by an export. Types are compared by structure; a resource is another one in every
/// component, so that functions with resources are compared by their async-ness only, and by name
/// [afterwards](super::explain::differences).
pub(super) fn fits(imported: &ComponentFunc, exported: &ComponentFunc) -> bool {
    let same = || {
        imported
            .params()
            .map(|(_, ty)| ty)
            .eq(exported.params().map(|(_, ty)| ty))
            && imported.results().eq(exported.results())
    };
    imported.async_() == exported.async_() && (handles(imported) >= Handles::Resources || same())
}

/// The hardest to pass on of all that a function carries.
pub(super) fn handles(function: &ComponentFunc) -> Handles {
    let types = function.params().map(|(_, ty)| ty).chain(function.results());
    types.map(|ty| carried(&ty)).max().unwrap_or(Handles::None)
}

fn carried(ty: &Type) -> Handles {
    let most = |types: &mut dyn Iterator<Item = Type>| types.map(|ty| carried(&ty)).max().unwrap_or(Handles::None);
    match ty {
        Type::Own(_) | Type::Borrow(_) => Handles::Resources,
        Type::Stream(stream) if matches!(stream.ty(), Some(Type::U8)) => Handles::Streams,
        Type::Stream(_) | Type::Future(_) | Type::ErrorContext => Handles::Others,
        Type::List(list) => carried(&list.ty()),
        Type::FixedLengthList(list) => carried(&list.ty()),
        Type::Map(map) => carried(&map.key()).max(carried(&map.value())),
        Type::Record(record) => most(&mut record.fields().map(|field| field.ty)),
        Type::Tuple(tuple) => most(&mut tuple.types()),
        Type::Variant(variant) => most(&mut variant.cases().filter_map(|case| case.ty)),
        Type::Option(option) => carried(&option.ty()),
        Type::Result(result) => most(&mut result.ok().into_iter().chain(result.err())),
        _ => Handles::None,
    }
}
