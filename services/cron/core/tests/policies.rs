//! The policies, case by case: `policies/<case>/scenario.toml` in, `policies/<case>/trace.txt` out.
//!
//! A case is a folder; adding one is adding a folder. `UPDATE_GOLDEN=1` writes the traces anew: read the difference.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]

#[path = "simulation/scenario.rs"]
mod scenario;
mod simulation;

use std::fs;
use std::path::Path;

#[test]
fn every_scenario_leaves_the_trace_beside_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policies");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut cases: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(cases.len() >= 20, "only {} cases in {}", cases.len(), folder.display());
    let mut wrong = Vec::new();
    for case in cases {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(case.join("scenario.toml")).unwrap();
        let trace = scenario::play(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        if update {
            fs::write(case.join("trace.txt"), &trace).unwrap();
        } else if fs::read_to_string(case.join("trace.txt")).unwrap_or_default() != trace {
            wrong.push(format!("--- {name}, now:\n{trace}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
