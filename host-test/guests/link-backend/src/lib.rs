//! The end of a chain of components.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../link-callee/wit", world: "behind" });
    use super::Backend;
    export!(Backend);
}

use std::cell::Cell;

struct Backend;

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

fn count() -> u32 {
    CALLS.set(CALLS.get() + 1);
    CALLS.get()
}

impl bindings::exports::test::link::backend::Guest for Backend {
    async fn count() -> u32 {
        count()
    }

    fn blocking_count() -> u32 {
        count()
    }
}
