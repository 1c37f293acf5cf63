//! Manifests and documents name artefacts, and nothing compiles them: here each name is held against what is built.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::workspace::Workspace;

/// The folders that are looked through, and the files beside them.
const PLACES: [&str; 5] = ["README.md", "deploy", "docs", "examples", "services"];

/// Images are called so in manifests; the test host takes the last part for the artefact.
const IMAGES: &str = "ghcr.io/mainstay-services/";
const FILES: &str = "target/components/";

/// Looks through every manifest and document; the error lists each name that no crate makes, with its place.
pub(crate) fn check(workspace: &Workspace) -> Result<usize> {
    let known: Vec<(&str, &str)> = workspace
        .guests()
        .flat_map(|(package, component)| component.artefacts().map(|name| (name, package.version.as_str())))
        .chain(
            workspace
                .scripts
                .iter()
                .map(|script| (script.component.as_str(), env!("CARGO_PKG_VERSION"))),
        )
        .collect();
    let mut files = Vec::new();
    for place in PLACES {
        collect(&workspace.root.join(place), &mut files)?;
    }
    let mut wrong = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        for (number, line) in text.lines().enumerate() {
            let place = format!("{}:{}", workspace.relative(file).display(), number + 1);
            wrong.extend(problems(line, &known).map(|problem| format!("{place}: {problem}")));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(files.len())
}

/// What is wrong with the names in one line.
fn problems<'a>(line: &'a str, known: &'a [(&str, &str)]) -> impl Iterator<Item = String> + 'a {
    let files = names(line, FILES)
        .filter_map(|rest| rest.split_once(".wasm"))
        .map(|(name, _)| (name, None));
    let images = names(line, IMAGES)
        .filter_map(|rest| rest.split_once(':'))
        .map(|(name, tag)| {
            let tag = tag
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-')
                .next();
            (name, tag)
        });
    // A place to fill in, as in `target/components/NAME.wasm` or `<name>.wasm`.
    let is_name = |name: &str| {
        name.chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-/".contains(c))
    };
    files
        .chain(images)
        .filter(move |(name, _)| is_name(name))
        .filter_map(
            |(name, tag)| match (known.iter().find(|(known, _)| *known == name), tag) {
                (None, _) => Some(format!("no crate makes the artefact {name:?}")),
                (Some((_, version)), Some(tag)) if tag != *version => {
                    Some(format!("{name} is tagged {tag:?}, but its crate has version {version}"))
                }
                _ => None,
            },
        )
}

/// What follows each `prefix` in `line`.
fn names<'a>(line: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    line.match_indices(prefix)
        .filter_map(move |(start, _)| line.get(start + prefix.len()..))
}

/// Manifests and documents below `path`, or the file itself.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path).with_context(|| format!("{} cannot be read", path.display()))? {
            collect(&entry?.path(), files)?;
        }
    } else if path
        .extension()
        .is_some_and(|extension| extension == "md" || extension == "yaml")
    {
        files.push(path.to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[(&str, &str)] = &[("cron", "0.1.0"), ("test/probe", "0.1.0")];

    fn problems_of(line: &str) -> Vec<String> {
        problems(line, KNOWN).collect()
    }

    #[test]
    fn what_is_built_may_be_named() {
        for line in [
            "file: ../../../target/components/cron.wasm",
            "image: \"ghcr.io/mainstay-services/cron:0.1.0\" # comment",
            "target/components/test/probe.wasm and target/components/NAME.wasm and target/components/*.wasm",
            "newName: ghcr.io/mainstay-services/cron",
        ] {
            assert!(problems_of(line).is_empty(), "{line}");
        }
    }

    #[test]
    fn what_nothing_builds_is_told() {
        assert_eq!(
            problems_of("target/components/corn.wasm"),
            ["no crate makes the artefact \"corn\""]
        );
        assert_eq!(
            problems_of("- image: ghcr.io/mainstay-services/corn:1"),
            ["no crate makes the artefact \"corn\""]
        );
    }

    #[test]
    fn a_tag_of_another_version_is_told() {
        let expected = "cron is tagged \"0.2.0\", but its crate has version 0.1.0";
        assert_eq!(problems_of("image: ghcr.io/mainstay-services/cron:0.2.0"), [expected]);
    }
}
