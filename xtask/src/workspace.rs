//! The crates of the workspace, and which component each becomes: what `[package.metadata.mainstay]` says.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process;
use crate::scripts::Script;

/// Every crate of the repository.
#[derive(Deserialize)]
pub(crate) struct Workspace {
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    #[serde(rename = "target_directory")]
    target: PathBuf,
    pub(crate) packages: Vec<Package>,
    /// Components that no crate becomes.
    #[serde(default, deserialize_with = "mainstay_scripts", rename = "metadata")]
    pub(crate) scripts: Vec<Script>,
}

/// One crate.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) repository: Option<String>,
    #[serde(deserialize_with = "mainstay_table", rename = "metadata")]
    pub(crate) component: Option<Component>,
    targets: Vec<Target>,
}

/// The `[package.metadata.mainstay]` of a crate that becomes a component.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Component {
    /// The artefact: `target/components/<component>.wasm`. Names below `test/` are for tests only.
    #[serde(rename = "component")]
    pub(crate) name: String,
    /// Further artefacts, with no-op callbacks composed in. The open one carries those of the first.
    #[serde(default)]
    pub(crate) closed: Vec<Closed>,
    /// Another artefact, a service with this component composed in.
    pub(crate) joined: Option<Joined>,
    /// The servers that an example with this component needs beside it, for example `nats-server`.
    #[serde(default)]
    pub(crate) peers: Vec<String>,
    /// The subjects that `cargo xtask run` asks from outside while this component runs.
    #[serde(default)]
    pub(crate) asks: Vec<String>,
    /// The name under which `cargo xtask run` tells MCP clients of this component's tools.
    pub(crate) tools: Option<String>,
    /// The requests by HTTP that `cargo xtask run` sends meanwhile, for example `GET /notes`.
    #[serde(default)]
    pub(crate) visits: Vec<String>,
}

/// A service with its callbacks and one more component composed in.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Joined {
    #[serde(rename = "component")]
    pub(crate) name: String,
    /// The service's open artefact.
    pub(crate) service: String,
}

/// An artefact made of others.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Closed {
    #[serde(rename = "component")]
    pub(crate) name: String,
    /// The artefacts that fill imports of the open one.
    pub(crate) with: Vec<String>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn load() -> Result<Self> {
        let mut command = cargo();
        command.args(["metadata", "--format-version=1", "--no-deps"]);
        let json = process::answer(&mut command)?;
        serde_json::from_str(&json).context("the answer of `cargo metadata` does not read")
    }

    /// Where the components go.
    pub(crate) fn components(&self) -> PathBuf {
        self.target.join("components")
    }

    /// A folder below `target`.
    pub(crate) fn target(&self, name: &str) -> PathBuf {
        self.target.join(name)
    }

    /// `path` as one would type it from the root.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }

    /// Crates that become components.
    pub(crate) fn guests(&self) -> impl Iterator<Item = (&Package, &Component)> {
        self.packages
            .iter()
            .filter_map(|package| Some((package, package.component.as_ref()?)))
    }

    /// Crates that build and test on this machine: all but those that are nothing else than a component.
    pub(crate) fn natives(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| package.component.is_none() || package.has("lib") || package.has("rlib"))
    }

    /// Their names.
    pub(crate) fn native_names(&self) -> Vec<&str> {
        self.natives().map(|package| package.name.as_str()).collect()
    }
}

impl Package {
    /// The names of this crate's targets of one kind, for example `bench`.
    pub(crate) fn targets_of_kind(&self, kind: &str) -> impl Iterator<Item = &str> {
        self.targets
            .iter()
            .filter(move |target| target.kind.iter().any(|k| k == kind))
            .map(|t| t.name.as_str())
    }

    fn has(&self, kind: &str) -> bool {
        self.targets_of_kind(kind).next().is_some()
    }
}

impl Component {
    /// Whether only tests use it.
    pub(crate) fn is_for_tests(&self) -> bool {
        self.name.starts_with("test/")
    }

    /// The artefacts that come of it, those made of several last.
    pub(crate) fn artefacts(&self) -> impl Iterator<Item = &str> {
        let closed = self.closed.iter().map(|closed| closed.name.as_str());
        let joined = self.joined.as_ref().map(|joined| joined.name.as_str());
        std::iter::once(self.name.as_str()).chain(closed).chain(joined)
    }
}

/// The cargo that runs this program, not another one on the path.
///
/// What `cargo run` tells this program of itself is kept from it: build scripts that look at such variables, ring's for one,
/// would run again, and everything above them, whenever cargo was called by hand in between.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let of_this_program = |name: &std::ffi::OsStr| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
    };
    for (name, _) in std::env::vars_os().filter(|(name, _)| of_this_program(name)) {
        command.env_remove(name);
    }
    command
}

/// The arguments that choose packages.
pub(crate) fn packages<'a>(names: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    names.into_iter().flat_map(|name| ["--package", name])
}

fn mainstay_table<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Component>, D::Error> {
    #[derive(Deserialize)]
    struct Metadata {
        mainstay: Option<Component>,
    }
    Ok(Option::<Metadata>::deserialize(deserializer)?.and_then(|metadata| metadata.mainstay))
}

fn mainstay_scripts<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Script>, D::Error> {
    #[derive(Deserialize)]
    struct Metadata {
        mainstay: Option<Mainstay>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Mainstay {
        scripts: Vec<Script>,
    }
    let metadata = Option::<Metadata>::deserialize(deserializer)?;
    let mainstay = metadata.and_then(|metadata| metadata.mainstay);
    Ok(mainstay.map(|mainstay| mainstay.scripts).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(metadata: &str, kind: &str) -> Package {
        let json = format!(
            r#"{{"id": "x", "name": "x", "version": "0.1.0", "metadata": {metadata},
                "targets": [{{"name": "x", "kind": {kind}}}]}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    fn workspace(packages: Vec<Package>) -> Workspace {
        Workspace {
            root: "/m".into(),
            target: "/m/target".into(),
            packages,
            scripts: Vec::new(),
        }
    }

    const CRON: &str =
        r#"{"mainstay": {"component": "cron-open", "closed": [{"component": "cron", "with": ["cron-callbacks"]}]}}"#;

    #[test]
    fn a_crate_names_its_artefacts() {
        let cron = package(CRON, r#"["cdylib", "rlib"]"#).component.unwrap();
        assert_eq!(cron.artefacts().collect::<Vec<_>>(), ["cron-open", "cron"]);
        assert!(!cron.is_for_tests());
    }

    #[test]
    fn a_crate_without_metadata_is_native_only() {
        let workspace = workspace(vec![package("null", r#"["lib"]"#)]);
        assert_eq!(workspace.natives().count(), 1);
        assert_eq!(workspace.guests().count(), 0);
    }

    #[test]
    fn a_component_is_tested_natively_only_if_it_is_a_library_too() {
        let only = workspace(vec![package(CRON, r#"["cdylib"]"#)]);
        assert_eq!(only.natives().count(), 0);
        let both = workspace(vec![package(CRON, r#"["cdylib", "rlib"]"#)]);
        assert_eq!(both.natives().count(), 1);
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let json = r#"{"component": "x", "close": 1}"#;
        let error = serde_json::from_str::<Component>(json).unwrap_err();
        assert!(error.to_string().contains("unknown field `close`"), "{error}");
    }
}
