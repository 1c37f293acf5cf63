//! `mainstay-oci`: what `cargo xtask package` and `cargo xtask push` call. Apart from them, so that they start without
//! an HTTPS client having been built.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use mainstay_oci::{layout, registry};

#[derive(Parser)]
#[command(name = "mainstay-oci", about = "Components as OCI images")]
enum Arguments {
    /// Write a component as an OCI image layout, and print its digest
    Layout {
        component: PathBuf,
        folder: PathBuf,
        /// An annotation of the manifest; may be repeated
        #[arg(long, value_name = "KEY=VALUE", value_parser = annotation)]
        annotation: Vec<(String, String)>,
    },
    /// Push an OCI image layout, and print its digest
    Push {
        folder: PathBuf,
        reference: String,
        /// Plain HTTP, as always with a registry on loopback
        #[arg(long)]
        insecure: bool,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(digest) => {
            println!("{digest}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<String> {
    match arguments {
        Arguments::Layout {
            component,
            folder,
            annotation,
        } => {
            let bytes = fs::read(&component).with_context(|| format!("{} cannot be read", component.display()))?;
            let written = layout::write(&folder, &bytes, annotation.into_iter().collect());
            written.with_context(|| component.display().to_string())
        }
        Arguments::Push {
            folder,
            reference,
            insecure,
        } => {
            let image = layout::read(&folder)?;
            let digest = image.digest.clone();
            // An error means that a provider was installed before, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(registry::push(image, &reference, insecure))?;
            Ok(digest)
        }
    }
}

fn annotation(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} is not KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}
