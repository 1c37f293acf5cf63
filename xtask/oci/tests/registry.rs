//! Images pushed to a real registry, Debian's `docker-registry`, and pulled back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};

use mainstay_oci::{Error, layout, registry};
use mainstay_peers::Registry;
use oci_client::Reference;
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::secrets::RegistryAuth;
use serde_json::Value;
use tempfile::TempDir;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

/// A component that imports one interface and exports another.
fn component() -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve
        .push_str(
            "test.wit",
            "package test:parts@0.1.0;
             interface needed { ask: func() -> u32; }
             interface given { tell: func() -> u32; }
             world part { import needed; export given; }",
        )
        .unwrap();
    let world = resolve.select_world(&[package], Some("part")).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

fn annotations() -> BTreeMap<String, String> {
    let of = |(key, value): (&str, &str)| (format!("org.opencontainers.image.{key}"), value.to_owned());
    [
        ("title", "part"),
        ("version", "0.1.0"),
        ("created", "2026-11-22T18:00:00Z"),
    ]
    .map(of)
    .into()
}

fn client() -> Client {
    install_tls();
    Client::new(ClientConfig {
        protocol: ClientProtocol::Http,
        ..ClientConfig::default()
    })
}

fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn a_pushed_component_is_pulled_back_as_it_was() {
    let registry = Registry::start().unwrap();
    let folder = TempDir::new().unwrap();
    let component = component();
    let digest = layout::write(folder.path(), &component, annotations()).unwrap();
    let name = format!("{}/mainstay/part:0.1.0", registry.address());
    let client = client();
    let pulled = block_on(async {
        registry::push(layout::read(folder.path()).unwrap(), &name, false)
            .await
            .unwrap();
        let reference: Reference = name.parse().unwrap();
        client
            .pull(&reference, &RegistryAuth::Anonymous, vec!["application/wasm"])
            .await
            .unwrap()
    });
    assert_eq!(pulled.digest.as_deref(), Some(digest.as_str()));
    assert_eq!(pulled.layers.len(), 1);
    assert_eq!(pulled.layers[0].data, component);
    assert_eq!(pulled.config.media_type, "application/vnd.wasm.config.v0+json");
    let config: Value = serde_json::from_slice(&pulled.config.data).unwrap();
    assert_eq!(config["architecture"], "wasm");
    assert_eq!(config["os"], "wasip2");
    assert_eq!(config["created"], "2026-11-22T18:00:00Z");
    assert_eq!(config["layerDigests"][0], layout::digest(&component));
    assert_eq!(config["component"]["imports"][0], "test:parts/needed@0.1.0");
    assert_eq!(config["component"]["exports"][0], "test:parts/given@0.1.0");
    let manifest = pulled.manifest.unwrap();
    assert_eq!(manifest.annotations.unwrap()["org.opencontainers.image.title"], "part");
}

#[test]
fn pushing_the_same_image_twice_is_no_error() {
    let registry = Registry::start().unwrap();
    let folder = TempDir::new().unwrap();
    layout::write(folder.path(), &component(), annotations()).unwrap();
    let name = format!("{}/mainstay/part:0.1.0", registry.address());
    install_tls();
    for _ in 0..2 {
        block_on(registry::push(layout::read(folder.path()).unwrap(), &name, false)).unwrap();
    }
}

#[test]
fn a_registry_that_is_not_there_is_named() {
    let folder = TempDir::new().unwrap();
    layout::write(folder.path(), &component(), annotations()).unwrap();
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let name = format!("{free}/mainstay/part:0.1.0");
    install_tls();
    let error = block_on(registry::push(layout::read(folder.path()).unwrap(), &name, false)).unwrap_err();
    assert!(error.to_string().starts_with(&format!("{name}: ")), "{error}");
}

#[test]
fn the_same_component_gives_the_same_digest() {
    let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let component = component();
    let first = layout::write(one.path(), &component, annotations()).unwrap();
    assert_eq!(first, layout::write(other.path(), &component, annotations()).unwrap());
    // Written again in place of the first.
    assert_eq!(first, layout::write(one.path(), &component, annotations()).unwrap());
}

#[test]
fn a_damaged_blob_is_not_pushed() {
    let folder = TempDir::new().unwrap();
    let component = component();
    layout::write(folder.path(), &component, annotations()).unwrap();
    let name = layout::digest(&component).replace("sha256:", "blobs/sha256/");
    std::fs::write(folder.path().join(name), b"damaged").unwrap();
    let error = layout::read(folder.path()).unwrap_err();
    assert!(
        error.to_string().contains("its content is not what its name says"),
        "{error}"
    );
}

#[test]
fn a_core_module_is_refused() {
    let folder = TempDir::new().unwrap();
    let error = layout::write(folder.path(), b"\0asm\x01\0\0\0", annotations()).unwrap_err();
    assert!(matches!(error, Error::NotAComponent(_)), "{error}");
}
