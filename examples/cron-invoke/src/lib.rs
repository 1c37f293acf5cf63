//! A component of the one-function cron interface of wash's example. It knows nothing of Mainstay: the adapter
//! `cron-invoke-adapter` stands between it and the service.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "wit", world: "invoked" });
    use super::Invoked;
    export!(Invoked);
}

use bindings::exports::wasmcloud::example::cron::Guest;

struct Invoked;

impl Guest for Invoked {
    fn invoke() -> Result<(), String> {
        println!("invoked");
        Ok(())
    }
}
