//! What the adapters for components of wasmCP share: its words in ours, and ours in its.
//!
//! - [`calling`]: what a component is told with each call
//! - [`content`]: what it brings
//! - [`list`]: pages to their end, and what is said of the things that are listed
//! - [`data`]: text and bytes, from streams too
//! - [`adapter!`]: the bindings of an adapter
//! - [`wasmcp`], [`mcp`]: the types of both, as generated

pub mod calling;
pub mod content;
pub mod data;
pub mod list;

/// Everything that is generated: the adapters' own bindings refer to it.
pub mod bindings {
    #![allow(
        missing_docs,
        unsafe_code,
        unreachable_pub,
        clippy::unreachable,
        clippy::missing_safety_doc
    )] // Generated.
    wit_bindgen::generate!({
        path: ["../../../../wit/mcp", "../../../../wit/wasmcp", "../wit"],
        world: "mainstay:wasmcp-adapter/shared",
        generate_all,
    });
}

/// The bindings of an adapter, as its module `bindings`. They export the caller's `Adapter`, and share the types of this crate.
#[macro_export]
macro_rules! adapter {
    ($world:literal) => {
        mod bindings {
            #![allow(missing_docs, unsafe_code, clippy::unreachable)] // Generated.
            wit_bindgen::generate!({
                path: ["../../../../wit/mcp", "../../../../wit/wasmcp", "../wit"],
                world: $world,
                with: {
                    "mainstay:mcp/types@0.1.0": mainstay_wasmcp::bindings::mainstay::mcp::types,
                    "wasi:io/error@0.2.8": mainstay_wasmcp::bindings::wasi::io::error,
                    "wasi:io/poll@0.2.8": mainstay_wasmcp::bindings::wasi::io::poll,
                    "wasi:io/streams@0.2.8": mainstay_wasmcp::bindings::wasi::io::streams,
                    "wasmcp:auth/types@0.1.1": mainstay_wasmcp::bindings::wasmcp::auth::types,
                    "wasmcp:mcp-v20251125/mcp@0.1.1": mainstay_wasmcp::bindings::wasmcp::mcp_v20251125::mcp,
                    "wasmcp:mcp-v20251125/server-auth@0.1.1": mainstay_wasmcp::bindings::wasmcp::mcp_v20251125::server_auth,
                    "wasmcp:mcp-v20251125/server-handler@0.1.1": mainstay_wasmcp::bindings::wasmcp::mcp_v20251125::server_handler,
                    "wasmcp:mcp-v20251125/server-io@0.1.1": mainstay_wasmcp::bindings::wasmcp::mcp_v20251125::server_io,
                },
                generate_all,
            });
            use super::Adapter;
            export!(Adapter);
        }
    };
}

pub use bindings::mainstay::mcp::types as mcp;
pub use bindings::wasmcp::mcp_v20251125::mcp as wasmcp;

use mcp::Failure;
use wasmcp::ErrorCode;

/// Why a component did not do what it was asked for.
#[must_use]
pub fn failure(code: ErrorCode) -> Failure {
    match code {
        ErrorCode::InvalidParams(error) => Failure::Invalid(error.message),
        ErrorCode::ParseError(error)
        | ErrorCode::InvalidRequest(error)
        | ErrorCode::MethodNotFound(error)
        | ErrorCode::InternalError(error)
        | ErrorCode::Server(error)
        | ErrorCode::JsonRpc(error)
        | ErrorCode::Mcp(error) => Failure::Broken(error.message),
    }
}
