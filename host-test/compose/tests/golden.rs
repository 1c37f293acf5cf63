#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]
//! Golden folders: `tests/<area>/<case-as-a-sentence>/{in,out.txt}`.
//!
//! `in` holds one WIT file for each component, with one world; `service.wit` is the service, `callbacks.wit` the no-op
//! callbacks that it carries, every other file a component of the workload. Adding a case is adding a folder; `BLESS=1`
//! writes what came out to `out.txt`.

mod common;

use std::fs;
use std::path::Path;

use mainstay_compose::{Component, Error, Host, Importer, Inspection, Link, Workload, attach, fit, join};

/// The components of one case.
struct Case {
    service: Option<Component>,
    components: Vec<Component>,
}

impl Case {
    fn read(folder: &Path) -> Result<Self, Error> {
        let mut files: Vec<_> = fs::read_dir(folder.join("in"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let mut case = Self {
            service: None,
            components: Vec::new(),
        };
        let bytes = |name: &str| {
            let file = folder.join("in").join(format!("{name}.wit"));
            file.exists()
                .then(|| common::component(&fs::read_to_string(file).unwrap()))
        };
        for file in files {
            let name = file.file_stem().unwrap().to_str().unwrap();
            let component = bytes(name).unwrap();
            match (name, bytes("callbacks")) {
                ("callbacks", _) => {}
                ("service", Some(callbacks)) => {
                    case.service = Some(Component::decode(name, &attach(&component, &callbacks)?)?);
                }
                ("service", None) => case.service = Some(Component::decode(name, &component)?),
                _ => case.components.push(Component::decode(name, &component)?),
            }
        }
        Ok(case)
    }

    fn service(&self) -> &Component {
        self.service.as_ref().expect("the case has a service.wit")
    }

    fn describe(&self, link: &Link) -> String {
        let importer = match link.importer {
            Importer::Service => self.service().name(),
            Importer::Component(index) => self.components[index].name(),
        };
        format!(
            "{importer} -> {}: {}\n",
            self.components[link.exporter].name(),
            link.interface
        )
    }
}

/// What the host of these cases serves.
fn host() -> Host {
    Host::new(["wasi:cli@0.2", "wasi:cli@0.3", "wasi:clocks@0.2", "wasi:http@0.2"])
}

fn check(case: &Case) -> Result<String, Error> {
    let host = host();
    let workload = Workload {
        service: case.service.as_ref(),
        components: &case.components,
        host: &host,
    };
    Ok(workload.links()?.iter().map(|link| case.describe(link)).collect())
}

fn fitted(case: &Case) -> Result<String, Error> {
    let fitted = fit(case.service(), &case.components, &host())?;
    let mut out: String = fitted
        .closed
        .iter()
        .map(|import| format!("closed: {import}\n"))
        .collect();
    out.extend(fitted.links.iter().map(|link| case.describe(link)));
    wasmparser::validate(&fitted.bytes).expect("what was fitted is valid");
    Ok(out + "\n" + &table("fitted", &fitted.bytes)?)
}

fn joined(case: &Case) -> Result<String, Error> {
    let bytes = join(case.service(), &case.components, &host())?;
    wasmparser::validate(&bytes).expect("what was joined is valid");
    table("joined", &bytes)
}

fn inspect(case: &Case) -> Result<String, Error> {
    let mut tables = Vec::new();
    for component in case.service.iter().chain(&case.components) {
        tables.push(without_size(&Inspection::of(component)?.to_string()));
    }
    Ok(tables.join("\n"))
}

fn table(name: &str, bytes: &[u8]) -> Result<String, Error> {
    Ok(without_size(
        &Inspection::of(&Component::decode(name, bytes)?)?.to_string(),
    ))
}

/// Sizes are the encoder's business and change with its version.
fn without_size(table: &str) -> String {
    let (title, rest) = table.split_once('\n').unwrap();
    format!("{}\n{rest}", title.rsplit_once(", ").unwrap().0)
}

fn run(area: &str, what: fn(&Case) -> Result<String, Error>) {
    let area = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(area);
    let mut failed = Vec::new();
    let mut cases = 0;
    for folder in fs::read_dir(&area).unwrap().map(|entry| entry.unwrap().path()) {
        cases += 1;
        let came_out = Case::read(&folder)
            .and_then(|case| what(&case))
            .unwrap_or_else(|error| format!("error: {error}\n"));
        let file = folder.join("out.txt");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&file, &came_out).unwrap();
        }
        let wanted = fs::read_to_string(&file).unwrap_or_default();
        if came_out != wanted {
            failed.push(format!(
                "{}\n--- wanted\n{wanted}\n--- came out\n{came_out}",
                folder.display()
            ));
        }
    }
    assert!(cases > 0, "{} holds no cases", area.display());
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn links_are_checked_as_the_folders_say() {
    run("check", check);
}

#[test]
fn services_are_fitted_as_the_folders_say() {
    run("fit", fitted);
}

#[test]
fn services_are_joined_as_the_folders_say() {
    run("join", joined);
}

#[test]
fn components_are_inspected_as_the_folders_say() {
    run("inspect", inspect);
}
