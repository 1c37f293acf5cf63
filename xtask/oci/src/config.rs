//! What an image says of its component.

use serde::Serialize;
use wit_component::DecodedWasm;

use crate::Error;

/// The media type of [`WasmConfig`].
pub const MEDIA_TYPE: &str = "application/vnd.wasm.config.v0+json";

/// The config of an image, with the fields of the Wasm OCI artifact in their order there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WasmConfig {
    /// When the image was made, RFC 3339.
    created: String,
    author: Option<String>,
    architecture: &'static str,
    /// `wasip2` means: a component, of whatever WASI version.
    os: &'static str,
    layer_digests: Vec<String>,
    component: Interfaces,
}

/// What the component needs and gives, so that a registry can be searched by it.
#[derive(Debug, Serialize)]
struct Interfaces {
    exports: Vec<String>,
    imports: Vec<String>,
    target: Option<String>,
}

impl WasmConfig {
    /// The config of an image whose one layer is `component`, with this digest.
    ///
    /// # Errors
    /// When the bytes are not a component.
    pub fn of(component: &[u8], layer_digest: String, created: &str) -> Result<Self, Error> {
        Ok(Self {
            created: created.to_owned(),
            author: None,
            architecture: "wasm",
            os: "wasip2",
            layer_digests: vec![layer_digest],
            component: interfaces(component)?,
        })
    }
}

fn interfaces(component: &[u8]) -> Result<Interfaces, Error> {
    // `decode` takes a core module too, and would find no interfaces in it.
    if !wasmparser::Parser::is_component(component) {
        return Err(Error::NotAComponent("it does not begin as one does".to_owned()));
    }
    let decoded = wit_component::decode(component).map_err(|error| Error::NotAComponent(format!("{error:#}")))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err(Error::NotAComponent("it is a WIT package".to_owned()));
    };
    let Some(world) = resolve.worlds.get(world) else {
        return Err(Error::NotAComponent("its world is missing".to_owned()));
    };
    Ok(Interfaces {
        exports: world.exports.keys().map(|key| resolve.name_world_key(key)).collect(),
        imports: world.imports.keys().map(|key| resolve.name_world_key(key)).collect(),
        target: None,
    })
}
