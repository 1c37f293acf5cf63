//! `cargo xtask package`: every shipped artefact as an OCI image layout in `target/oci`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::build::{self, Artefact, Selection};
use crate::progress::Step;
use crate::workspace::Workspace;
use crate::{cargo_build, git, process};

/// One image, as a layout on disk.
pub(crate) struct Image {
    pub(crate) name: String,
    /// The version of the crate that the artefact comes from; also its tag.
    pub(crate) version: String,
    pub(crate) folder: PathBuf,
    digest: String,
}

/// Builds the artefacts, and writes the layouts of those of `only`, or of all where it is empty, by [`tool`].
///
/// All are built either way: cargo unites features, so built alone an artefact could be another one.
pub(crate) fn run(workspace: &Workspace, tool: &Path, only: &[String]) -> Result<Vec<Image>> {
    let mut artefacts = build::components(workspace, &Selection::Shipped)?;
    if let Some(unknown) = only
        .iter()
        .find(|name| artefacts.iter().all(|artefact| artefact.name != **name))
    {
        let known: Vec<&str> = artefacts.iter().map(|artefact| artefact.name.as_str()).collect();
        bail!("there is no artefact {unknown:?}; there are {}", known.join(", "));
    }
    artefacts.retain(|artefact| only.is_empty() || only.contains(&artefact.name));
    let step = Step::start("write images");
    let images: Vec<Image> = artefacts
        .iter()
        .map(|artefact| image(workspace, tool, artefact))
        .collect::<Result<_>>()?;
    step.done(&format!("{} layouts", images.len()));
    Ok(images)
}

/// One line per image.
pub(crate) fn print_table(workspace: &Workspace, images: &[Image]) {
    let width = images.iter().map(|image| image.name.len()).max().unwrap_or_default();
    for image in images {
        let folder = workspace.relative(&image.folder).display();
        println!("{:<width$}  {}  {}  {folder}", image.name, image.version, image.digest);
    }
}

/// The program that writes and pushes images: built only now, since it needs an HTTPS client.
pub(crate) fn tool(workspace: &Workspace) -> Result<PathBuf> {
    cargo_build::binary(workspace, "mainstay-oci", "mainstay-oci")
}

fn image(workspace: &Workspace, tool: &Path, artefact: &Artefact) -> Result<Image> {
    let (package, _) = workspace
        .guests()
        .find(|(_, component)| component.artefacts().any(|name| name == artefact.name))
        .with_context(|| format!("no crate makes {}", artefact.name))?;
    let folder = workspace.target("oci").join(&artefact.name);
    let mut command = Command::new(tool);
    command.arg("layout").arg(&artefact.path).arg(&folder);
    let mut annotate = |key: &str, value: &str| {
        command.arg(format!("--annotation=org.opencontainers.image.{key}={value}"));
    };
    annotate("title", &artefact.name);
    annotate("version", &package.version);
    annotate("description", package.description.as_deref().unwrap_or_default());
    annotate("source", package.repository.as_deref().unwrap_or_default());
    annotate("licenses", package.license.as_deref().unwrap_or_default());
    // The commit's date, not today's: the same source gives the same digest.
    if let Some(commit) = git::commit(workspace) {
        annotate("created", &commit.date);
        annotate("revision", &commit.hash);
    }
    let digest = process::answer(&mut command)?;
    let (name, version) = (artefact.name.clone(), package.version.clone());
    Ok(Image {
        name,
        version,
        folder,
        digest,
    })
}
