//! Optional callbacks of the pool that do nothing: no hook is wanted.
//!
//! Composed into `pool.wasm`, so that it is a pool for any workload, whatever its components export. They are asked once
//! for each pool of mode `tcp`, when the service starts, and cost nothing after that.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../../wit/socket-pool", world: "callbacks" });
    use super::Callbacks;
    export!(Callbacks);
}

use bindings::exports::mainstay::socket_pool::hooks::{Connection, Failure, Guest, Kinds, Reason, Step, Usage};

struct Callbacks;

impl Guest for Callbacks {
    async fn wanted(_pool: String) -> Kinds {
        Kinds::empty()
    }

    async fn on_connect(_connection: Connection, _heard: Vec<Vec<u8>>) -> Result<Step, Failure> {
        Ok(Step::Done)
    }

    async fn validate(_connection: Connection, _heard: Vec<Vec<u8>>) -> Result<Step, String> {
        Ok(Step::Done)
    }

    async fn on_release(_connection: Connection, _usage: Usage, _heard: Vec<Vec<u8>>) -> Result<Step, String> {
        Ok(Step::Done)
    }

    async fn on_evict(_connection: Connection, _reason: Reason) -> Vec<u8> {
        Vec::new()
    }
}
