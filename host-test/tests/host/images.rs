//! Compiled components are kept, and never mistaken for others.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mainstay_host_test::workload::{Host, Workload};

use crate::common;

fn kept(cache: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(cache)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn a_component_is_compiled_once() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    let host = Host::new(Some(&cache)).unwrap();
    let image = common::component_path("test/link-callee");
    host.compile(&image).unwrap();
    let first = kept(&cache);
    assert_eq!(first.len(), 1);
    assert!(
        first[0]
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("link-callee-")
    );
    let written = first[0].metadata().unwrap().modified().unwrap();
    host.compile(&image).unwrap();
    assert_eq!(kept(&cache), first);
    assert_eq!(first[0].metadata().unwrap().modified().unwrap(), written);
}

#[test]
fn a_component_that_changed_is_compiled_anew() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, image) = (directory.path().join("cache"), directory.path().join("x.wasm"));
    let host = Host::new(Some(&cache)).unwrap();
    for (name, interface) in [
        ("test/link-backend", "test:link/backend@0.1.0"),
        ("test/link-callee", "test:link/blocking@0.1.0"),
    ] {
        std::fs::copy(common::component_path(name), &image).unwrap();
        for _ in 0..2 {
            let component = host.compile(&image).unwrap();
            assert!(component.get_export_index(None, interface).is_some(), "{name}");
        }
    }
    assert_eq!(kept(&cache).len(), 1, "the old one is gone");
}

#[test]
fn a_damaged_compiled_file_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::new(Some(directory.path())).unwrap();
    let image = common::component_path("test/link-backend");
    host.compile(&image).unwrap();
    let file = kept(directory.path()).remove(0);
    let written = file.metadata().unwrap().modified().unwrap();
    std::fs::write(&file, "damaged").unwrap();
    std::fs::File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_modified(written)
        .unwrap();
    host.compile(&image).unwrap();
    assert_ne!(std::fs::read(&file).unwrap(), b"damaged");
}

#[test]
fn a_cache_that_cannot_be_written_is_done_without() {
    let host = Host::new(Some(Path::new("/proc/nowhere"))).unwrap();
    host.compile(&common::component_path("test/link-backend")).unwrap();
}

/// The goal is 5 ms on a quiet machine; this one may be busy.
#[test]
fn a_workload_of_compiled_components_starts_in_milliseconds() {
    let builder = common::service("test/link-caller").component("test/link-callee");
    builder.start();
    let fastest = (0..10).map(|_| {
        let started = Instant::now();
        let workload = Workload::start(&common::HOST, &builder.spec, &builder.options).unwrap();
        let took = started.elapsed();
        drop(workload);
        took
    });
    assert!(fastest.min().unwrap() < Duration::from_millis(50));
}
