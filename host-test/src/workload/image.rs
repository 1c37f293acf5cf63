//! Compiled components, kept between runs.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Reads a component and compiles it, or finds it compiled in `cache`.
pub(super) fn load(engine: &Engine, cache: Option<&Path>, image: &Path) -> anyhow::Result<Component> {
    let compiled = match cache {
        Some(directory) => Some(compiled_name(engine, directory, image)?),
        None => None,
    };
    if let Some(file) = compiled.as_deref().filter(|file| file.exists()) {
        // SAFETY: the file was written by `keep` below, into a directory of the user's own; a file that another
        // version of Wasmtime or another configuration wrote is refused, and compiled anew.
        #[allow(unsafe_code)]
        let component = unsafe { Component::deserialize_file(engine, file) };
        if let Ok(component) = component {
            return Ok(component);
        }
    }
    let bytes = std::fs::read(image).with_context(|| format!("reading {}", image.display()))?;
    let component = Component::from_binary(engine, &bytes)
        .map_err(anyhow::Error::from)
        .with_context(|| format!("{} is not a component that can run", image.display()))?;
    if let Some(file) = compiled {
        // A cache that cannot be written costs time at the next start and nothing else.
        if let Err(error) = keep(&component, &file) {
            tracing::debug!(file = %file.display(), "not kept compiled: {error:#}");
        }
    }
    Ok(component)
}

/// Named after what makes a compiled file stale: the source's path, length and time of change, and the engine.
fn compiled_name(engine: &Engine, directory: &Path, image: &Path) -> anyhow::Result<PathBuf> {
    let file = std::fs::canonicalize(image).with_context(|| format!("reading {}", image.display()))?;
    let metadata = file
        .metadata()
        .with_context(|| format!("reading {}", image.display()))?;
    let mut hasher = DefaultHasher::new();
    file.hash(&mut hasher);
    metadata.len().hash(&mut hasher);
    metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH).hash(&mut hasher);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let stem = image.file_stem().unwrap_or_default().to_string_lossy();
    Ok(directory.join(format!("{stem}-{:016x}.cwasm", hasher.finish())))
}

/// Written aside and renamed, so that a reader never sees half a file.
fn keep(component: &Component, file: &Path) -> anyhow::Result<()> {
    let directory = file.parent().context("a cache directory")?;
    std::fs::create_dir_all(directory)?;
    let aside = directory.join(format!(".{}-{:?}", std::process::id(), std::thread::current().id()));
    std::fs::write(&aside, component.serialize()?)?;
    std::fs::rename(&aside, file)?;
    Ok(())
}
