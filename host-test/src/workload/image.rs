//! Compiled components, kept between runs.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Reads a component and compiles it, or finds it compiled in `cache`.
pub(super) fn load(engine: &Engine, cache: Option<&Path>, image: &Path) -> anyhow::Result<Component> {
    let kept = cache.map(|directory| Kept::of(engine, directory, image));
    let kept = kept
        .transpose()
        .with_context(|| format!("reading {}", image.display()))?;
    if let Some(component) = kept.as_ref().and_then(|kept| kept.load(engine)) {
        return Ok(component);
    }
    let bytes = fs::read(image).with_context(|| format!("reading {}", image.display()))?;
    let component = Component::from_binary(engine, &bytes)
        .map_err(anyhow::Error::from)
        .with_context(|| format!("{} is not a component that can run", image.display()))?;
    if let Some(kept) = kept {
        // A cache that cannot be written costs time at the next start and nothing else.
        if let Err(error) = kept.store(&component) {
            tracing::debug!(file = %kept.file.display(), "not kept compiled: {error:#}");
        }
    }
    Ok(component)
}

/// The compiled form of one image. It has the image's time of change, and so is out of date as soon as that has another.
struct Kept {
    file: PathBuf,
    changed: SystemTime,
}

impl Kept {
    /// Named after the image's path, and the engine's version and configuration.
    fn of(engine: &Engine, directory: &Path, image: &Path) -> std::io::Result<Self> {
        let source = fs::canonicalize(image)?;
        let changed = source.metadata()?.modified()?;
        let mut hasher = DefaultHasher::new();
        source.hash(&mut hasher);
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let stem = image.file_stem().unwrap_or_default().to_string_lossy();
        let file = directory.join(format!("{stem}-{:016x}.cwasm", hasher.finish()));
        Ok(Self { file, changed })
    }

    fn load(&self, engine: &Engine) -> Option<Component> {
        if self.file.metadata().and_then(|metadata| metadata.modified()).ok()? != self.changed {
            return None;
        }
        // SAFETY: the file was written by `store` below, into a directory of the user's own: who can write there can have
        // code run, as with any compiler's output. What another version of Wasmtime wrote, or another configuration, is
        // refused.
        #[allow(unsafe_code)]
        let component = unsafe { Component::deserialize_file(engine, &self.file) };
        component.ok()
    }

    /// Written aside and renamed, so that a reader never sees half a file.
    fn store(&self, component: &Component) -> anyhow::Result<()> {
        let directory = self.file.parent().context("a cache directory")?;
        fs::create_dir_all(directory)?;
        let aside = directory.join(format!(".{}-{:?}", std::process::id(), std::thread::current().id()));
        let mut file = File::create(&aside)?;
        file.write_all(&component.serialize()?)?;
        file.set_modified(self.changed)?;
        fs::rename(&aside, &self.file)?;
        Ok(())
    }
}
