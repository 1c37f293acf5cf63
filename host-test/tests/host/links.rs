//! Workloads that do not link: found before anything runs, with the reason in words.

use std::path::{Path, PathBuf};

use mainstay_host_test::workload::spec::{Component, Service};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

use crate::common::{Builder, service, without_service};

fn error(builder: &Builder) -> String {
    match builder.try_start() {
        Ok(_) => panic!("it started"),
        Err(error) => format!("{error:#}"),
    }
}

/// A component of a world, whose functions do nothing.
fn component(directory: &Path, name: &str, world: &str) -> PathBuf {
    component_with(directory, name, world, PACKAGES)
}

/// [`component`] with packages of its own.
fn component_with(directory: &Path, name: &str, world: &str, packages: &str) -> PathBuf {
    let mut resolve = Resolve::default();
    let wit = format!("package test:{name};\nworld {name} {{ {world} }}\n{packages}");
    let package = resolve.push_str("in.wit", &wit).unwrap();
    let world = resolve.select_world(&[package], Some(name)).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::AsyncCallback));
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    let bytes = ComponentEncoder::default().module(&module).unwrap().encode().unwrap();
    let path = directory.join(format!("{name}.wasm"));
    std::fs::write(&path, bytes).unwrap();
    path
}

const PACKAGES: &str = "
package a:one@1.0.0 { interface api { call: async func(a: u32) -> string; } }
package b:two@1.0.0 { interface api { call: func(); } }
package c:three@1.0.0 {
    interface names { record name { text: string } }
    interface api { use names.{name}; call: func(name: name); }
}
package a:one@1.1.0 { interface api { call: async func(a: u32) -> string; } }
";

/// The first is the importer.
fn workload(directory: &Path, worlds: &[(&str, &str)]) -> Builder {
    let mut builder = without_service();
    for (name, world) in worlds {
        builder.spec.components.push(Component {
            name: (*name).to_owned(),
            image: component(directory, name, world),
            ..Component::default()
        });
    }
    builder
}

#[test]
fn an_import_that_nobody_exports_is_named() {
    let error = error(&service("test/link-caller").component("test/plain-cli"));
    assert!(
        error.contains("link-caller imports test:link/concurrent@0.1.0: no component exports it"),
        "{error}"
    );
    assert!(error.contains("plain-cli exports wasi:cli/run@0.2"), "{error}");
    assert!(
        error.contains("link-caller imports test:link/blocking@0.1.0"),
        "{error}"
    );
}

#[test]
fn two_exporters_of_an_import_are_ambiguous() {
    let builder = service("test/link-caller")
        .component("test/link-callee")
        .component("test/link-relay")
        .component("test/link-backend");
    let error = error(&builder);
    assert!(
        error.contains("link-caller imports test:link/concurrent@0.1.0: "),
        "{error}"
    );
    assert!(
        error.contains("link-callee exports it") && error.contains("link-relay exports it"),
        "{error}"
    );
}

#[test]
fn two_exporters_of_what_nobody_imports_are_no_problem() {
    let workload = without_service()
        .component("test/link-callee")
        .component_with("test/link-callee", |again| again.name = "again".to_owned());
    workload.start();
}

#[test]
fn two_exporters_of_mere_types_are_no_problem() {
    let directory = tempfile::tempdir().unwrap();
    let worlds = [
        ("importer", "import c:three/names@1.0.0; import c:three/api@1.0.0;"),
        ("exporter", "export c:three/names@1.0.0; export c:three/api@1.0.0;"),
        ("again", "export c:three/names@1.0.0;"),
    ];
    workload(directory.path(), &worlds).start();
}

#[test]
fn a_component_in_the_middle_may_export_what_it_imports() {
    let directory = tempfile::tempdir().unwrap();
    let worlds = [
        ("middle", "import a:one/api@1.0.0; export a:one/api@1.0.0;"),
        ("end", "export a:one/api@1.0.0;"),
    ];
    workload(directory.path(), &worlds).start();
    let alone = error(&workload(directory.path(), &worlds[..1]));
    assert!(
        alone.contains("middle imports a:one/api@1.0.0: no component exports it"),
        "{alone}"
    );
}

#[test]
fn another_version_does_not_satisfy_an_import() {
    let directory = tempfile::tempdir().unwrap();
    let worlds = [("old", "import a:one/api@1.0.0;"), ("new", "export a:one/api@1.1.0;")];
    let error = error(&workload(directory.path(), &worlds));
    assert!(error.contains("old imports a:one/api@1.0.0: "), "{error}");
    assert!(error.contains("new exports a:one/api@1.1.0"), "{error}");
}

#[test]
fn a_function_of_another_type_is_found_before_the_first_call() {
    let directory = tempfile::tempdir().unwrap();
    let other = "package a:one@1.0.0 { interface api { call: async func(a: u64) -> string; } }";
    let mut builder = workload(directory.path(), &[("importer", "import a:one/api@1.0.0;")]);
    builder.spec.components.push(Component {
        name: "exporter".to_owned(),
        image: component_with(directory.path(), "exporter", "export a:one/api@1.0.0;", other),
        ..Component::default()
    });
    let error = error(&builder);
    assert!(
        error.contains("importer imports a:one/api@1.0.0: exporter exports it with another type"),
        "{error}"
    );
    assert!(error.contains("u32") && error.contains("u64"), "{error}");
}

#[test]
fn a_function_of_another_type_is_found_beside_a_resource() {
    let package = |number: &str| {
        format!(
            "package d:four@1.0.0 {{ interface api {{ resource thing; call: func(on: borrow<thing>, number: {number}); }} }}"
        )
    };
    let start = |exported: &str| {
        let directory = tempfile::tempdir().unwrap();
        let mut builder = without_service();
        let worlds = [("importer", "import", "u32"), ("exporter", "export", exported)];
        for (name, way, number) in worlds {
            let world = format!("{way} d:four/api@1.0.0;");
            builder.spec.components.push(Component {
                name: name.to_owned(),
                image: component_with(directory.path(), name, &world, &package(number)),
                ..Component::default()
            });
        }
        builder.try_start().map(drop)
    };
    start("u32").unwrap();
    let error = format!("{:#}", start("u64").unwrap_err());
    assert!(
        error.contains("importer imports d:four/api@1.0.0: exporter exports it with another type of `call`"),
        "{error}"
    );
    assert!(error.contains("u32") && error.contains("u64"), "{error}");
}

#[test]
fn components_that_import_each_other_in_a_circle_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let worlds = [
        ("first", "import a:one/api@1.0.0; export b:two/api@1.0.0;"),
        ("second", "import b:two/api@1.0.0; export a:one/api@1.0.0;"),
    ];
    let error = error(&workload(directory.path(), &worlds));
    assert!(error.contains("first -> second -> first"), "{error}");
}

#[test]
fn what_only_the_service_exports_satisfies_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut builder = workload(directory.path(), &[("importer", "import a:one/api@1.0.0;")]);
    let image = component(directory.path(), "provider", "export a:one/api@1.0.0;");
    builder.spec.service = Some(Service {
        image,
        ..Service::default()
    });
    let error = error(&builder);
    assert!(error.contains("importer imports a:one/api@1.0.0: "), "{error}");
    assert!(error.contains("provider"), "{error}");
}

#[test]
fn a_service_without_a_run_function_is_refused() {
    let error = error(&service("test/link-backend"));
    assert!(
        error.contains("service \"link-backend\" does not export wasi:cli/run"),
        "{error}"
    );
}

#[test]
fn an_image_that_is_missing_is_named() {
    let missing = PathBuf::from("/nonexistent/cron.wasm");
    let builder = service("test/plain-cli").with_service(|service| service.image = missing);
    assert!(error(&builder).contains("/nonexistent/cron.wasm"));
}

#[test]
fn an_image_that_is_no_component_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("text.wasm");
    std::fs::write(&image, "not a component").unwrap();
    let error = error(&service("test/plain-cli").with_service(|service| service.image = image));
    assert!(error.contains("text.wasm is not a component"), "{error}");
}

#[test]
fn an_empty_workload_and_a_name_taken_twice_are_refused() {
    assert!(error(&without_service()).contains("needs a service or a component"));
    let twice = without_service()
        .component("test/link-callee")
        .component("test/link-callee");
    assert!(error(&twice).contains("\"link-callee\" is taken"));
}
