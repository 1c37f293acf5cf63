//! A component that exports what it imports, for chains of components.
//!
//! `concurrent.count` and `blocking.count` are those of the component behind; `concurrent.wait` counts there too, by a
//! blocking call from an async one. Everything else does nothing.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../link-callee/wit", world: "relay" });
    use super::Relay;
    export!(Relay);
}

use bindings::exports::test::link::blocking;
use bindings::exports::test::link::concurrent::{self, Sample};
use bindings::test::link::backend;

struct Relay;

impl concurrent::Guest for Relay {
    async fn echo(sample: Sample) -> Sample {
        sample
    }

    async fn count() -> u32 {
        backend::count().await
    }

    async fn wait(_milliseconds: u32) -> u32 {
        backend::blocking_count();
        backend::blocking_count()
    }

    async fn fail(_how: String) {}

    async fn look(_at: String) -> Result<String, String> {
        Ok(String::new())
    }
}

impl blocking::Guest for Relay {
    fn count() -> u32 {
        backend::blocking_count()
    }

    fn fail(_how: String) {}

    fn variable(_name: String) -> Option<String> {
        None
    }
}
