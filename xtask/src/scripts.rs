//! Components that are written in JavaScript or Python, so that no crate becomes them.
//!
//! `[[workspace.metadata.mainstay.scripts]]` lists them. Their compilers come from npm and PyPI into `target/tools`, and are
//! fetched only when such a component is built. Each remembers what it was made of: made of the same, it is not made again.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::process;
use crate::progress::Step;
use crate::workspace::Workspace;

/// One component.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Script {
    /// The artefact.
    pub(crate) component: String,
    /// The one file that it is written in, from the root; its ending tells the language.
    source: PathBuf,
    /// The folder of the WIT package that the world is of.
    wit: PathBuf,
    /// What it exports and imports.
    world: String,
}

/// What compiles JavaScript, on npm.
const QJS: (&str, &str) = ("componentize-qjs", "0.4.5");
/// What compiles Python, on PyPI.
const PY: (&str, &str) = ("componentize-py", "0.25.1");

const DOWNLOAD_LIMIT: Duration = Duration::from_secs(300);
const BUILD_LIMIT: Duration = Duration::from_secs(300);

impl Script {
    /// The component, made anew where something of what it is made of has changed.
    pub(crate) fn build(&self, workspace: &Workspace) -> Result<Vec<u8>> {
        let kept = workspace.target("scripts").join(&self.component);
        let (made, inputs) = (kept.with_extension("wasm"), kept.with_extension("inputs"));
        let key = self.key(workspace)?;
        if fs::read_to_string(&inputs).is_ok_and(|found| found == key)
            && let Ok(bytes) = fs::read(&made)
        {
            return Ok(bytes);
        }
        fs::create_dir_all(workspace.target("scripts"))?;
        // Gone while the component is another one than it says.
        let _ = fs::remove_file(&inputs);
        let mut compiler = self.compiler(workspace, &made)?;
        let mut step = Step::start(format!("build {}", self.component));
        process::watch(&mut step, &mut compiler, Some(BUILD_LIMIT), |_, _| {})?;
        let bytes = fs::read(&made).with_context(|| format!("{} cannot be read", made.display()))?;
        fs::write(&inputs, key)?;
        step.done("");
        Ok(bytes)
    }

    fn compiler(&self, workspace: &Workspace, made: &Path) -> Result<Command> {
        let (source, wit) = (workspace.root.join(&self.source), workspace.root.join(&self.wit));
        match self.language()? {
            Language::JavaScript => {
                let mut command = Command::new("node");
                command.arg(javascript(workspace)?);
                command.arg("--wit").arg(wit).args(["--world", &self.world]);
                command.arg("--js").arg(source).arg("--output").arg(made);
                Ok(command)
            }
            Language::Python => {
                let mut command = Command::new(python(workspace)?);
                command.arg("--wit-path").arg(wit).args(["--world", &self.world]);
                // In a folder of its own, as the compiler leaves things beside what it reads.
                let folder = made.with_extension("");
                let name = source.file_name().context("a source has a name")?;
                fs::create_dir_all(&folder)?;
                fs::copy(&source, folder.join(name)).with_context(|| format!("{} cannot be read", source.display()))?;
                command.arg("componentize").arg(source.file_stem().unwrap_or(name));
                command.args(["--python-path", "."]).arg("--output").arg(made);
                command.current_dir(folder);
                Ok(command)
            }
        }
    }

    /// What it is made of, and by what.
    fn key(&self, workspace: &Workspace) -> Result<String> {
        let mut hasher = DefaultHasher::new();
        let mut files = vec![workspace.root.join(&self.source)];
        let wit = workspace.root.join(&self.wit);
        for entry in fs::read_dir(&wit).with_context(|| format!("{} cannot be read", wit.display()))? {
            files.push(entry?.path());
        }
        files.sort_unstable();
        for file in files.iter().filter(|file| file.is_file()) {
            let text = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
            (file.file_name(), text).hash(&mut hasher);
        }
        let (name, version) = self.language()?.compiler();
        Ok(format!("{name} {version} {} {:016x}\n", self.world, hasher.finish()))
    }

    fn language(&self) -> Result<Language> {
        match self.source.extension().and_then(|extension| extension.to_str()) {
            Some("js") => Ok(Language::JavaScript),
            Some("py") => Ok(Language::Python),
            _ => bail!("{} is in a language that nothing here compiles", self.source.display()),
        }
    }
}

#[derive(Clone, Copy)]
enum Language {
    JavaScript,
    Python,
}

impl Language {
    fn compiler(self) -> (&'static str, &'static str) {
        match self {
            Self::JavaScript => QJS,
            Self::Python => PY,
        }
    }
}

/// The compiler of JavaScript, fetched unless it is there.
fn javascript(workspace: &Workspace) -> Result<PathBuf> {
    let folder = folder(workspace, QJS);
    let program = folder.join("node_modules/componentize-qjs/cli.mjs");
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]);
    npm.arg("--prefix").arg(&folder).arg(format!("{}@{}", QJS.0, QJS.1));
    fetch(&folder, QJS, &mut [npm]).context("`apt-get install nodejs npm` installs Node.js and npm")?;
    Ok(program)
}

/// The compiler of Python, fetched unless it is there.
fn python(workspace: &Workspace) -> Result<PathBuf> {
    let folder = folder(workspace, PY);
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(&folder);
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip.arg("--only-binary=:all:").arg(format!("{}=={}", PY.0, PY.1));
    fetch(&folder, PY, &mut [venv, pip]).context("`apt-get install python3 python3-venv` installs Python and pip")?;
    Ok(folder.join("bin/componentize-py"))
}

fn folder(workspace: &Workspace, (name, version): (&str, &str)) -> PathBuf {
    workspace.target("tools").join(format!("{name}-{version}"))
}

/// Runs what fetches a compiler into `folder`, unless that was done. A run that was stopped is begun again.
fn fetch(folder: &Path, (name, version): (&str, &str), commands: &mut [Command]) -> Result<()> {
    let installed = folder.join("installed");
    if installed.is_file() {
        return Ok(());
    }
    let mut step = Step::start(format!("fetch {name} {version}"));
    fs::create_dir_all(folder)?;
    for command in commands {
        process::watch(&mut step, command, Some(DOWNLOAD_LIMIT), |_, _| {})
            .with_context(|| format!("{name} {version} could not be fetched"))?;
    }
    fs::write(&installed, "")?;
    step.done("");
    Ok(())
}
