//! Volumes: directories that the components of a workload share.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use tempfile::TempDir;
use wasmtime_wasi::FsPerms;

use super::spec::{Mount, Volume, VolumeSource};

/// The volumes of one workload. Dropping it removes the ephemeral ones.
pub(super) struct Volumes {
    directories: HashMap<String, PathBuf>,
    _ephemeral: Vec<TempDir>,
}

/// A directory as one guest sees it.
#[derive(Debug, Clone)]
pub(super) struct Preopen {
    pub(super) directory: PathBuf,
    pub(super) path: String,
    pub(super) permissions: FsPerms,
}

impl Volumes {
    pub(super) fn open(volumes: &[Volume]) -> anyhow::Result<Self> {
        let mut opened = Self {
            directories: HashMap::new(),
            _ephemeral: Vec::new(),
        };
        for volume in volumes {
            let directory = match &volume.source {
                VolumeSource::HostPath(path) => existing_directory(path)?,
                VolumeSource::Ephemeral => {
                    let directory = tempfile::Builder::new()
                        .prefix("host-test-")
                        .tempdir()
                        .with_context(|| format!("making a directory for volume \"{}\"", volume.name))?;
                    let path = directory.path().to_owned();
                    opened._ephemeral.push(directory);
                    path
                }
            };
            if opened.directories.insert(volume.name.clone(), directory).is_some() {
                bail!(
                    "volume \"{}\" is defined twice: give each a name of its own",
                    volume.name
                );
            }
        }
        Ok(opened)
    }

    /// The directories that `mounts` refer to.
    pub(super) fn preopens(&self, mounts: &[Mount]) -> anyhow::Result<Vec<Preopen>> {
        let preopen = |mount: &Mount| {
            let directory = self
                .directories
                .get(&mount.volume)
                .ok_or_else(|| self.unknown(&mount.volume))?;
            let permissions = if mount.read_only {
                FsPerms::ReadOnly
            } else {
                FsPerms::ReadWrite
            };
            Ok(Preopen {
                directory: directory.clone(),
                path: mount.path.clone(),
                permissions,
            })
        };
        mounts.iter().map(preopen).collect()
    }

    fn unknown(&self, name: &str) -> anyhow::Error {
        let mut defined: Vec<&str> = self.directories.keys().map(String::as_str).collect();
        defined.sort_unstable();
        anyhow!(
            "volume \"{name}\" is mounted but not defined: the workload's volumes are [{}]",
            defined.join(", ")
        )
    }
}

fn existing_directory(path: &Path) -> anyhow::Result<PathBuf> {
    let directory = std::fs::canonicalize(path).with_context(|| {
        format!(
            "volume directory {}: it must exist before the workload starts",
            path.display()
        )
    })?;
    if !directory.is_dir() {
        bail!("volume directory {} is a file: a volume is a directory", path.display());
    }
    Ok(directory)
}
