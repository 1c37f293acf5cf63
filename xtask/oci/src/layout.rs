//! An image as a folder: `oci-layout`, `index.json`, and every blob under its digest.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Error;
use crate::config::{self, WasmConfig};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/wasm";

/// The annotation that names a layout's image; here, its version.
const REFERENCE_NAME: &str = "org.opencontainers.image.ref.name";
const VERSION: &str = "org.opencontainers.image.version";
const CREATED: &str = "org.opencontainers.image.created";

/// A reference to a blob.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    /// In bytes.
    size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    media_type: String,
    config: Descriptor,
    layers: Vec<Descriptor>,
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    media_type: String,
    manifests: Vec<Descriptor>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Marker {
    image_layout_version: &'static str,
}

/// An image read back from its layout, ready to be pushed as it is.
#[derive(Debug)]
pub struct Image {
    /// Bytes of the manifest: pushed unchanged, so that the digest stays.
    pub manifest: Vec<u8>,
    /// Digest of the manifest, as `sha256:<hex>`.
    pub digest: String,
    /// Config and layers: digest and bytes.
    pub blobs: Vec<(String, Vec<u8>)>,
}

impl Image {
    /// The media type of [`Image::manifest`].
    pub const MEDIA_TYPE: &str = MANIFEST;
}

/// Writes the image of `component` into `folder`, in place of what was there, and gives its manifest's digest.
///
/// `annotations` are those of the manifest; `org.opencontainers.image.created` is the config's date too, and the same
/// component with the same annotations gives the same digest.
///
/// # Errors
/// When the bytes are not a component or `folder` cannot be written.
pub fn write(folder: &Path, component: &[u8], annotations: BTreeMap<String, String>) -> Result<String, Error> {
    let blobs = folder.join("blobs/sha256");
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(at(folder))?;
    }
    fs::create_dir_all(&blobs).map_err(at(&blobs))?;

    let created = annotations.get(CREATED).map_or("1970-01-01T00:00:00Z", String::as_str);
    let layer = put(&blobs, LAYER, component)?;
    let config = json(&WasmConfig::of(component, layer.digest.clone(), created)?);
    let config = put(&blobs, config::MEDIA_TYPE, &config)?;
    let version = annotations.get(VERSION).cloned();
    let manifest = Manifest {
        schema_version: 2,
        media_type: MANIFEST.to_owned(),
        config,
        layers: vec![layer],
        annotations,
    };
    let mut manifest = put(&blobs, MANIFEST, &json(&manifest))?;
    let digest = manifest.digest.clone();
    manifest
        .annotations
        .extend(version.map(|version| (REFERENCE_NAME.to_owned(), version)));
    let index = Index {
        schema_version: 2,
        media_type: INDEX.to_owned(),
        manifests: vec![manifest],
    };
    let marker = Marker {
        image_layout_version: "1.0.0",
    };
    for (name, bytes) in [("index.json", json(&index)), ("oci-layout", json(&marker))] {
        let path = folder.join(name);
        fs::write(&path, bytes).map_err(at(&path))?;
    }
    Ok(digest)
}

/// Reads the one image of a layout, and checks every blob against its digest.
///
/// # Errors
/// When a file is missing, does not read, or is not what its digest says.
pub fn read(folder: &Path) -> Result<Image, Error> {
    let index_path = folder.join("index.json");
    let index: Index = parse(&index_path, &fs::read(&index_path).map_err(at(&index_path))?)?;
    let [entry] = index.manifests.as_slice() else {
        let rule = format!("holds {} images, one is expected", index.manifests.len());
        return Err(Error::Layout { path: index_path, rule });
    };
    let manifest = take(folder, &entry.digest)?;
    let parsed: Manifest = parse(&index_path, &manifest)?;
    let blobs = std::iter::once(&parsed.config).chain(&parsed.layers);
    Ok(Image {
        blobs: blobs
            .map(|blob| Ok((blob.digest.clone(), take(folder, &blob.digest)?)))
            .collect::<Result<_, Error>>()?,
        manifest,
        digest: entry.digest.clone(),
    })
}

/// The digest of a blob as OCI writes it.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}

fn put(blobs: &Path, media_type: &str, bytes: &[u8]) -> Result<Descriptor, Error> {
    let digest = digest(bytes);
    let path = blobs.join(hex(&digest));
    fs::write(&path, bytes).map_err(at(&path))?;
    Ok(Descriptor {
        media_type: media_type.to_owned(),
        digest,
        size: bytes.len() as u64,
        annotations: BTreeMap::new(),
    })
}

fn take(folder: &Path, expected: &str) -> Result<Vec<u8>, Error> {
    let path = folder.join("blobs/sha256").join(hex(expected));
    let bytes = fs::read(&path).map_err(at(&path))?;
    if digest(&bytes) == expected {
        return Ok(bytes);
    }
    let rule = "its content is not what its name says".to_owned();
    Err(Error::Layout { path, rule })
}

fn hex(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}

fn parse<T: for<'de> Deserialize<'de>>(path: &Path, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::Layout {
        path: path.to_owned(),
        rule: format!("does not read ({error})"),
    })
}

/// These structures hold strings and numbers only, which always serialise.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { path, source }
}
