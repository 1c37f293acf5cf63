//! `cargo xtask push REF`: images into a registry.

use std::process::Command;

use anyhow::{Result, bail};

use crate::package::{self, Image};
use crate::process;
use crate::progress::Step;
use crate::workspace::Workspace;

/// What a reference on the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Destination<'a> {
    /// `localhost:5000/mainstay/cron:0.1.0`: this artefact under this reference.
    One { name: &'a str, reference: &'a str },
    /// `localhost:5000/mainstay`: every artefact below it, tagged with its version.
    Below(&'a str),
}

/// Packages and pushes: one artefact when `reference` has a tag, else all, or those of `only`, below it.
pub(crate) fn run(workspace: &Workspace, reference: &str, mut only: Vec<String>, insecure: bool) -> Result<()> {
    let destination = destination(reference)?;
    if let Destination::One { name, .. } = destination {
        if !only.is_empty() {
            bail!("{reference:?} has a tag and so names one artefact; leave out --only");
        }
        only.push(name.to_owned());
    }
    let tool = package::tool(workspace)?;
    let images = package::run(workspace, &tool, &only)?;
    let mut step = Step::start("push images");
    for image in &images {
        let reference = destination.reference(image);
        step.at(&reference);
        let mut push = Command::new(&tool);
        push.arg("push")
            .arg(&image.folder)
            .arg(&reference)
            .args(insecure.then_some("--insecure"));
        let digest = process::answer(&mut push)?;
        println!("{reference}@{digest}");
    }
    step.done("");
    Ok(())
}

impl Destination<'_> {
    fn reference(&self, image: &Image) -> String {
        match self {
            Self::One { reference, .. } => (*reference).to_owned(),
            Self::Below(place) => format!("{place}/{}:{}", image.name, image.version),
        }
    }
}

/// Takes a reference apart. The first colon may be that of a port, so only one after the last slash is a tag's.
fn destination(reference: &str) -> Result<Destination<'_>> {
    let Some((place, last)) = reference.rsplit_once('/') else {
        bail!(
            "reference {reference:?}: it names no registry and place, \
             for example localhost:5000/mainstay or localhost:5000/mainstay/cron:0.1.0"
        );
    };
    if place.is_empty() || last.is_empty() {
        bail!("reference {reference:?}: a part is empty, for example localhost:5000/mainstay");
    }
    Ok(match last.split_once(':') {
        Some((name, _)) => Destination::One { name, reference },
        None => Destination::Below(reference),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_makes_it_one_artefact() {
        let reference = "localhost:5000/mainstay/cron:0.1.0";
        assert_eq!(
            destination(reference).unwrap(),
            Destination::One {
                name: "cron",
                reference
            }
        );
    }

    #[test]
    fn the_colon_of_a_port_is_no_tag() {
        let reference = "localhost:5000/mainstay";
        assert_eq!(destination(reference).unwrap(), Destination::Below(reference));
    }

    #[test]
    fn a_reference_without_a_place_is_refused() {
        for reference in ["cron:0.1.0", "mainstay", "localhost:5000/", "/cron"] {
            let error = destination(reference).unwrap_err().to_string();
            assert!(error.starts_with(&format!("reference {reference:?}: ")), "{error}");
            assert!(error.contains("for example localhost:5000/mainstay"), "{error}");
        }
    }
}
