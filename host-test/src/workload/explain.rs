//! Why a workload does not link, in words: importer, interface, candidates, and where types part.
//!
//! Linking itself asks Wasmtime's types, which costs microseconds but can only say no, and cannot compare functions with
//! resources. Decoding the components again, with all their names, takes milliseconds, and is done once there is
//! something to explain or such a function.

use std::path::PathBuf;

use mainstay_compose::{Component, Host, LinkErrors, Problem, Workload};

/// What this host serves to every component, see [`wasi`](super::wasi).
pub(crate) const SERVED: [&str; 14] = [
    "wasi:cli@0.2",
    "wasi:clocks@0.2",
    "wasi:filesystem@0.2",
    "wasi:http@0.2",
    "wasi:io@0.2",
    "wasi:random@0.2",
    "wasi:sockets@0.2",
    "wasi:config/store@0.2.0-rc.1",
    "wasi:cli@0.3.0",
    "wasi:clocks@0.3.0",
    "wasi:filesystem@0.3.0",
    "wasi:http@0.3.0",
    "wasi:random@0.3.0",
    "wasi:sockets@0.3.0",
];

/// A component by name and image.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) image: PathBuf,
    pub(super) is_service: bool,
}

/// All imports of a workload that cannot be linked; `None` if this finds none.
pub(super) fn link_errors(parts: &[Part]) -> Option<String> {
    errors(parts).map(|errors| errors.to_string())
}

/// The functions of a workload that are linked to others of the same name and another type; `None` if there are none.
pub(super) fn differences(parts: &[Part]) -> Option<String> {
    let mut errors = errors(parts)?;
    errors
        .0
        .retain(|error| matches!(error.problem, Problem::FunctionDiffers { .. }));
    (!errors.0.is_empty()).then(|| errors.to_string())
}

fn errors(parts: &[Part]) -> Option<LinkErrors> {
    let mut service = None;
    let mut components = Vec::new();
    for part in parts {
        let decoded = Component::decode(&part.name, &std::fs::read(&part.image).ok()?).ok()?;
        if part.is_service {
            service = Some(decoded);
        } else {
            components.push(decoded);
        }
    }
    let host = Host::new(SERVED);
    let workload = Workload {
        service: service.as_ref(),
        components: &components,
        host: &host,
    };
    workload.links().err()
}
