//! Resources that one component defines and another one holds, within a store.
//!
//! The holder's handles are handles of the host, to a [`Foreign`] entry in the store's table; the entry is the owner's.
//! On the way into the owner a handle is exchanged for what it stands for, and on the way out the other way round.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentExportIndex, Instance, LinkerInstance, Resource, ResourceAny, ResourceType, Val};

use super::handles;
use super::state::State;

/// A resource of another component.
#[derive(Clone, Copy)]
struct Foreign {
    resource: ResourceAny,
    /// The owner's number in its workload.
    owner: u32,
}

/// What the holder's handles are to Wasmtime, whatever they stand for.
fn foreign_type() -> ResourceType {
    ResourceType::host::<Foreign>()
}

/// Defines an imported resource of another component. Dropped by its holder, it is dropped by its owner.
pub(super) fn define(linker: &mut LinkerInstance<'_, State>, name: &str) -> wasmtime::Result<()> {
    linker.resource_async(name, foreign_type(), |mut store, entry| {
        Box::new(async move {
            let entry = Resource::<Foreign>::new_own(entry);
            let Foreign { resource, owner } = store.data_mut().table.delete(entry)?;
            store.data_mut().exchange_context(owner)?;
            resource.resource_drop_async(&mut store).await?;
            store.data_mut().exchange_context(owner)?;
            Ok(())
        })
    })
}

/// The handles among parameters that are lent for the call, to resources of the host itself such as its streams.
pub(super) fn lent_of_the_host(parameters: &mut [Val]) -> wasmtime::Result<Vec<ResourceAny>> {
    let mut lent = Vec::new();
    handles::each(parameters, &mut |value| {
        if let Val::Resource(handle) = value
            && !handle.owned()
            && handle.ty() != foreign_type()
        {
            lent.push(*handle);
        }
        Ok(())
    })?;
    Ok(lent)
}

/// The resources that a component in a store defines.
pub(super) struct Defined {
    owner: u32,
    types: Vec<ResourceType>,
}

impl Defined {
    pub(super) fn by(
        store: &mut StoreContextMut<'_, State>,
        owner: u32,
        instance: &Instance,
        exports: &[ComponentExportIndex],
    ) -> Self {
        let types = exports
            .iter()
            .filter_map(|export| instance.get_resource(&mut *store, export))
            .collect();
        Self { owner, types }
    }

    /// Parameters on their way into the owner.
    pub(super) fn unwrap(&self, store: &mut StoreContextMut<'_, State>, values: &mut [Val]) -> wasmtime::Result<()> {
        handles::each(values, &mut |value| {
            if let Val::Resource(handle) = value
                && handle.ty() == foreign_type()
            {
                *value = Val::Resource(self.behind(store, *handle)?);
            }
            Ok(())
        })
    }

    /// What a handle stands for; the handle, if the callee does not own that but holds it as its caller does.
    fn behind(&self, store: &mut StoreContextMut<'_, State>, handle: ResourceAny) -> wasmtime::Result<ResourceAny> {
        let owned = handle.owned();
        let entry: Resource<Foreign> = handle.try_into_resource(&mut *store)?;
        let table = &mut store.data_mut().table;
        let Foreign { resource, owner } = *table.get(&entry)?;
        if owner != self.owner {
            return entry.try_into_resource_any(&mut *store);
        }
        if owned {
            table.delete(entry)?;
        }
        Ok(resource)
    }

    /// Results on their way out.
    pub(super) fn wrap(&self, store: &mut StoreContextMut<'_, State>, values: &mut [Val]) -> wasmtime::Result<()> {
        handles::each(values, &mut |value| {
            if let Val::Resource(resource) = value
                && self.types.contains(&resource.ty())
            {
                let foreign = Foreign {
                    resource: *resource,
                    owner: self.owner,
                };
                let entry = store.data_mut().table.push(foreign)?;
                *value = Val::Resource(entry.try_into_resource_any(&mut *store)?);
            }
            Ok(())
        })
    }
}
