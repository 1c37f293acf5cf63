//! A component and its interface: what it imports and what it exports, by name and type.

#![expect(
    clippy::indexing_slicing,
    reason = "an id of a Resolve is only used with the Resolve that made it"
)]

use wit_component::DecodedWasm;
use wit_parser::{Function, Resolve, WorldId, WorldItem, WorldKey};

use crate::Error;

/// A component, decoded.
#[derive(Debug)]
pub struct Component {
    name: String,
    bytes: Vec<u8>,
    callbacks: Option<Vec<u8>>,
    resolve: Resolve,
    world: WorldId,
}

impl Component {
    /// Reads a component; `name` is what messages call it.
    ///
    /// # Errors
    /// When the bytes are not a component.
    pub fn decode(name: impl Into<String>, bytes: &[u8]) -> Result<Self, Error> {
        let name = name.into();
        let not_a_component = |reason: String| Error::NotAComponent {
            component: name.clone(),
            reason,
        };
        let (bytes, callbacks) = crate::callbacks::detach(bytes).map_err(|error| match error {
            Error::NotAComponent { reason, .. } => not_a_component(reason),
            other => other,
        })?;
        match wit_component::decode(&bytes) {
            Ok(DecodedWasm::Component(resolve, world)) => Ok(Self {
                name,
                bytes,
                callbacks,
                resolve,
                world,
            }),
            Ok(DecodedWasm::WitPackage(..)) => {
                Err(not_a_component("it is a WIT package, which has no code".to_owned()))
            }
            Err(error) => Err(not_a_component(format!("{error:#}"))),
        }
    }

    /// What messages call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The component without the callbacks that it carries.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The no-op callbacks that it carries, a component themselves; see [`callbacks`](crate::callbacks).
    #[must_use]
    pub fn callbacks(&self) -> Option<&[u8]> {
        self.callbacks.as_deref()
    }

    /// What it imports, in the order of the file.
    #[must_use]
    pub fn imports(&self) -> Vec<Interface<'_>> {
        self.resolve.worlds[self.world]
            .imports
            .iter()
            .filter_map(|item| self.interface(item))
            .collect()
    }

    /// What it exports, in the order of the file.
    #[must_use]
    pub fn exports(&self) -> Vec<Interface<'_>> {
        self.resolve.worlds[self.world]
            .exports
            .iter()
            .filter_map(|item| self.interface(item))
            .collect()
    }

    /// The export of exactly this name.
    #[must_use]
    pub fn export(&self, name: &str) -> Option<Interface<'_>> {
        self.exports().into_iter().find(|interface| interface.name == name)
    }

    /// Types that a world imports or exports on its own say nothing about who calls whom.
    fn interface<'a>(&'a self, (key, item): (&WorldKey, &'a WorldItem)) -> Option<Interface<'a>> {
        let name = self.resolve.name_world_key(key);
        let (functions, bare) = match item {
            WorldItem::Interface { id, .. } => (self.resolve.interfaces[*id].functions.values().collect(), false),
            WorldItem::Function(function) => (vec![function], true),
            WorldItem::Type { .. } => return None,
        };
        Some(Interface {
            name,
            bare,
            functions,
            resolve: &self.resolve,
        })
    }
}

/// An interface that a component imports or exports.
#[derive(Debug, Clone)]
pub struct Interface<'a> {
    name: String,
    bare: bool,
    functions: Vec<&'a Function>,
    pub(crate) resolve: &'a Resolve,
}

impl<'a> Interface<'a> {
    /// The whole name, version included: `mainstay:cron/job@0.1.0`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name without its version: `mainstay:cron/job`.
    #[must_use]
    pub fn unversioned(&self) -> &str {
        unversioned(&self.name)
    }

    /// Whether it is a function of the world itself, in no interface; hosts link only interfaces.
    #[must_use]
    pub fn is_bare_function(&self) -> bool {
        self.bare
    }

    /// Whether it only names types, so that there is nothing to link.
    #[must_use]
    pub fn is_types_only(&self) -> bool {
        self.functions.is_empty()
    }

    /// Its functions in WIT syntax: `run: async func(tick: tick) -> result<_, job-error>`.
    #[must_use]
    pub fn signatures(&self) -> Vec<String> {
        self.functions
            .iter()
            .map(|function| crate::signature::of(self.resolve, function))
            .collect()
    }

    pub(crate) fn functions(&self) -> &[&'a Function] {
        &self.functions
    }
}

/// `a:b/c@1.0.0` without `@1.0.0`.
pub(crate) fn unversioned(name: &str) -> &str {
    name.split_once('@').map_or(name, |(unversioned, _)| unversioned)
}
