#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]
//! The section that carries the no-op callbacks.

mod common;

use common::component;
use mainstay_compose::{attach, close, detach};

const INTERFACES: &str = "
package test:clock@0.1.0 {
    interface types { record tick { job: string, at: u64 } variant failure { retry(string) } }
    interface job { use types.{tick, failure}; run: async func(tick: tick) -> result<_, failure>; }
    interface gate { use types.{tick}; allow: async func(tick: tick) -> bool; }
    interface events { use types.{tick}; started: async func(tick: tick); }
}";

fn open() -> Vec<u8> {
    world("import test:clock/job@0.1.0; import test:clock/gate@0.1.0; import test:clock/events@0.1.0;")
}

fn callbacks() -> Vec<u8> {
    world("export test:clock/gate@0.1.0; export test:clock/events@0.1.0;")
}

fn world(items: &str) -> Vec<u8> {
    component(&format!("package local:root; world it {{ {items} }}\n{INTERFACES}"))
}

#[test]
fn what_was_attached_is_detached_byte_for_byte() {
    let (open, callbacks) = (open(), callbacks());
    let carrying = attach(&open, &callbacks).unwrap();
    wasmparser::validate(&carrying).unwrap();
    assert_eq!(detach(&carrying).unwrap(), (open, Some(callbacks)));
}

#[test]
fn attaching_again_replaces_what_was_there() {
    let (open, callbacks) = (open(), callbacks());
    let once = attach(&open, &callbacks).unwrap();
    assert_eq!(attach(&once, &callbacks).unwrap(), once);
}

#[test]
fn a_closed_component_carries_nothing_in_any_part() {
    let callbacks = callbacks();
    let carrying = attach(&open(), &callbacks).unwrap();
    let closed = close(&carrying, &callbacks).unwrap();
    let sections = wasmparser::Parser::new(0)
        .parse_all(&closed)
        .filter_map(|payload| match payload.unwrap() {
            wasmparser::Payload::CustomSection(section) => Some(section.name().to_owned()),
            _ => None,
        });
    assert!(
        sections
            .into_iter()
            .all(|name| name != mainstay_compose::callbacks::SECTION)
    );
}

#[test]
fn callbacks_that_close_nothing_are_refused() {
    let error = attach(&open(), &world("export other: interface { ask: func(); }")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the service imports nothing that its callbacks component exports (it exports other)"
    );
}

#[test]
fn a_core_module_is_refused_with_the_way_out() {
    let error = detach(b"\0asm\x01\0\0\0").unwrap_err().to_string();
    assert!(
        error.ends_with("make a component of it with `wasm-tools component new`"),
        "{error}"
    );
}

#[test]
fn half_a_file_is_refused() {
    let open = open();
    for end in [0, 3, 8, open.len() / 2, open.len() - 1] {
        let (half, _) = open.split_at(end);
        assert!(attach(half, &callbacks()).is_err(), "{end} bytes");
    }
}

/// Whatever a file holds, reading it ends with a component or an error.
#[test]
fn a_damaged_file_is_read_or_refused() {
    let whole = attach(&open(), &callbacks()).unwrap();
    for at in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] ^= flip;
            if let Ok(component) = mainstay_compose::Component::decode("damaged", &damaged) {
                _ = mainstay_compose::Inspection::of(&component);
            }
        }
    }
}
