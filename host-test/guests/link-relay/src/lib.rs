//! A component that exports what it imports, for chains of components.
//!
//! `concurrent.count` and `blocking.count` are those of the component behind; `concurrent.wait` counts there too, by a
//! blocking call from an async one; `concurrent.upper` gives back the stream it is given. Everything else does nothing.

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

    async fn upper(text: wit_bindgen::StreamReader<u8>) -> Result<wit_bindgen::StreamReader<u8>, String> {
        Ok(text)
    }

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
