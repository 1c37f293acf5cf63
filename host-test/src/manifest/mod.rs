//! Manifests: the Kubernetes `WorkloadDeployment` (runtime.wasmcloud.dev/v1alpha1), so that one file serves the test
//! host and the cluster.
//!
//! Every field of the custom resource is known; an unknown one is an error with its place and the nearest known name.
//! What steers a cluster and means nothing on one machine is accepted and named in a warning.
//!
//! - [`problem`]: errors and warnings, each with line and column
//! - `yaml`: text to documents
//! - `field`: typed reading of a document, which collects every problem instead of stopping at the first
//! - `objects`: the objects of one file: the deployment, the ConfigMaps and the Secrets
//! - `deployment`: the deployment's own fields
//! - `workload`: what it runs: service, components, volumes
//! - `resources`: what a part may see and use
//! - `host_interface`: interfaces asked of the host
//! - `image`: image references to files
//! - `wash_project`: the project of `wash dev`, read as the same kind of workload

mod deployment;
mod field;
mod host_interface;
mod image;
mod objects;
pub mod problem;
mod resources;
mod wash_project;
mod workload;
mod yaml;

use std::fs;
use std::path::Path;

use crate::workload::Spec;

use image::Images;
use objects::Objects;
use problem::Problems;
pub use problem::{ManifestError, Problem};

/// What a manifest says, and what of it this host does not honour.
#[derive(Debug)]
pub struct Loaded {
    /// The file that was read, as messages call it.
    pub file: String,
    /// The workload.
    pub spec: Spec,
    /// Fields that have no effect here, each with its place.
    pub warnings: Vec<Problem>,
}

/// Reads a manifest, or the project of `wash dev` if it is a folder. Image references are looked up in `components`, paths
/// beside the manifest.
///
/// # Errors
/// Everything that is wrong with it at once, in the order of the file.
pub fn load(manifest: &Path, components: &Path) -> Result<Loaded, ManifestError> {
    let project = wash_project::folder(manifest);
    let file = if manifest.is_dir() {
        manifest.join(wash_project::FILE)
    } else {
        manifest.to_owned()
    };
    let name = file.display().to_string();
    let text = fs::read_to_string(&file).map_err(|error| ManifestError {
        file: name.clone(),
        problems: vec![Problem::of_the_file(format!("cannot be read: {error}"))],
    })?;
    match project {
        Some(folder) => parse_project(&text, &name, &folder, components),
        None => parse(&text, &name, file.parent().unwrap_or(Path::new("")), components),
    }
}

/// Reads a manifest's text; `file` is what messages call it, `folder` what its paths start from.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, file: &str, folder: &Path, components: &Path) -> Result<Loaded, ManifestError> {
    let images = Images { folder, components };
    read(text, file, |documents, problems| {
        Objects::sort(documents, problems)?.spec(&images)
    })
}

/// Reads the text of a project's `.wash/config.yaml`; `folder` is the project's.
///
/// # Errors
/// As [`load`].
pub fn parse_project(text: &str, file: &str, folder: &Path, components: &Path) -> Result<Loaded, ManifestError> {
    let images = Images { folder, components };
    read(text, file, |documents, problems| {
        wash_project::spec(documents.first()?, problems, &images)
    })
}

fn read(
    text: &str,
    file: &str,
    spec: impl FnOnce(&[yaml::Node], &Problems) -> Option<Spec>,
) -> Result<Loaded, ManifestError> {
    let problems = Problems::default();
    let documents = yaml::documents(text).map_err(|problem| problems.add_error(problem));
    let spec = documents.ok().and_then(|documents| spec(&documents, &problems));
    let (errors, warnings) = problems.into_sorted();
    match spec {
        Some(spec) if errors.is_empty() => Ok(Loaded {
            file: file.to_owned(),
            spec,
            warnings,
        }),
        _ => Err(ManifestError {
            file: file.to_owned(),
            problems: errors,
        }),
    }
}
