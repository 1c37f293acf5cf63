//! Components that only have an interface, and what links them.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use std::fs;

use mainstay_compose::{Component, Host, Workload};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

use crate::common;

/// A component that imports and exports what is said, and does nothing. `wit` are the packages that it names.
pub fn component(items: &str, wit: &str) -> Component {
    let wit = format!("package local:user;\nworld user {{ {items} }}\n{wit}");
    let mut resolve = Resolve {
        all_features: true,
        ..Resolve::default()
    };
    let package = resolve.push_str("in.wit", &wit).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::AsyncCallback));
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    let bytes = ComponentEncoder::default().module(&module).unwrap().encode().unwrap();
    Component::decode("user", &bytes).unwrap()
}

/// An artefact of this repository.
pub fn ours(name: &str) -> Component {
    Component::decode(name, &fs::read(common::component_path(name)).unwrap()).unwrap()
}

/// Which interface of which component is called by whom.
pub fn links(service: Option<&Component>, components: &[Component]) -> Vec<String> {
    let workload = Workload {
        service,
        components,
        host: &Host::new(["wasi"]),
    };
    let links = workload.links().unwrap_or_else(|errors| panic!("{errors}"));
    let link = |link: &mainstay_compose::Link| format!("{} of {}", link.interface, components[link.exporter].name());
    links.iter().map(link).collect()
}
