//! Components as OCI images, as wash and `wkg` write and pull them: a config of
//! `application/vnd.wasm.config.v0+json` and one layer of `application/wasm`
//! ([CNCF TAG Runtime, Wasm OCI artifact](https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/)).
//!
//! - [`config`]: what an image says of its component
//! - [`layout`]: an image as a folder ([OCI image layout 1.0](https://github.com/opencontainers/image-spec))
//! - [`registry`]: a layout pushed to a registry, byte for byte
//! - [`Error`]: what can go wrong

pub mod config;
mod error;
pub mod layout;
pub mod registry;

pub use error::Error;
