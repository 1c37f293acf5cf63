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

mod deployment;
mod field;
mod host_interface;
mod image;
mod objects;
pub mod problem;
mod resources;
mod workload;
mod yaml;

use std::fs;
use std::path::Path;

use crate::workload::Spec;

pub use problem::{ManifestError, Problem};

/// What a manifest says, and what of it this host does not honour.
#[derive(Debug)]
pub struct Loaded {
    /// The workload.
    pub spec: Spec,
    /// Fields that have no effect here, each with its place.
    pub warnings: Vec<Problem>,
}

/// Reads a manifest. Image references are looked up in `components`, paths beside the manifest.
///
/// # Errors
/// Everything that is wrong with it at once, in the order of the file.
pub fn load(manifest: &Path, components: &Path) -> Result<Loaded, ManifestError> {
    let file = manifest.display().to_string();
    match fs::read_to_string(manifest) {
        Ok(text) => parse(&text, &file, manifest.parent().unwrap_or(Path::new("")), components),
        Err(error) => Err(ManifestError {
            file,
            problems: vec![Problem::of_the_file(format!("cannot be read: {error}"))],
        }),
    }
}

/// Reads a manifest's text; `file` is what messages call it, `folder` what its paths start from.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, file: &str, folder: &Path, components: &Path) -> Result<Loaded, ManifestError> {
    let problems = problem::Problems::default();
    let images = image::Images { folder, components };
    let spec = yaml::documents(text)
        .map_err(|problem| problems.add_error(problem))
        .ok()
        .and_then(|documents| objects::Objects::sort(&documents, &problems)?.spec(&images));
    let (errors, warnings) = problems.into_sorted();
    match spec {
        Some(spec) if errors.is_empty() => Ok(Loaded { spec, warnings }),
        _ => Err(ManifestError {
            file: file.to_owned(),
            problems: errors,
        }),
    }
}
