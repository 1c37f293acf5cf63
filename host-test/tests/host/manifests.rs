//! Golden folders of manifests: `tests/manifests/<case-as-a-sentence>/manifest.yaml`, beside it `error.txt` with every
//! message if it is refused, or `spec.txt` with what it means if it is not. A case with `.wash/config.yaml` is a project of
//! `wash dev`. `BLESS=1` writes what came out.

use std::fs;
use std::path::{Path, PathBuf};

use mainstay_host_test::manifest;
use tempfile::TempDir;

/// Stand-ins for what `cargo xtask build` leaves: a manifest is read without looking into the images.
fn components() -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in ["cron", "cron-open", "example-cron", "health"] {
        fs::write(folder.path().join(format!("{name}.wasm")), "").unwrap();
    }
    folder
}

/// What came out, and the file that says what should have.
fn outcome(folder: &Path, components: &Path) -> (PathBuf, String) {
    let read = |name: &str| fs::read_to_string(folder.join(name));
    let loaded = match read(".wash/config.yaml") {
        Ok(text) => manifest::parse_project(&text, ".wash/config.yaml", folder, components),
        Err(_) => manifest::parse(&read("manifest.yaml").unwrap(), "manifest.yaml", folder, components),
    };
    let (file, text) = match loaded {
        Ok(loaded) => {
            let warnings: String = loaded
                .warnings
                .iter()
                .map(|warning| format!("warning: {warning}\n"))
                .collect();
            ("spec.txt", format!("{warnings}{:#?}\n", loaded.spec))
        }
        Err(error) => ("error.txt", format!("{error}\n")),
    };
    // Where the project and its temporary folders lie is not part of the message.
    let text = text
        .replace(&components.display().to_string(), "COMPONENTS")
        .replace(&folder.display().to_string(), ".");
    (folder.join(file), text)
}

#[test]
fn manifests_are_read_and_refused_as_the_folders_say() {
    let components = components();
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests");
    let mut failed = Vec::new();
    let mut refused = 0;
    for folder in fs::read_dir(folders).unwrap().map(|entry| entry.unwrap().path()) {
        let (file, came_out) = outcome(&folder, components.path());
        if std::env::var_os("BLESS").is_some() {
            for name in ["error.txt", "spec.txt"] {
                _ = fs::remove_file(folder.join(name));
            }
            fs::write(&file, &came_out).unwrap();
        }
        refused += usize::from(file.ends_with("error.txt"));
        let wanted = fs::read_to_string(&file).unwrap_or_default();
        if came_out != wanted {
            failed.push(format!(
                "{}\n--- wanted\n{wanted}\n--- came out\n{came_out}",
                folder.display()
            ));
        }
    }
    assert!(refused >= 30, "only {refused} bad manifests");
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// Reads a manifest as if every image that it names were built.
fn read_with_all_images(file: &str, text: &str) -> manifest::Loaded {
    let components = TempDir::new().unwrap();
    for image in text
        .lines()
        .filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("image: "))
    {
        let name = image.rsplit('/').next().unwrap().split(':').next().unwrap();
        fs::write(components.path().join(format!("{name}.wasm")), "").unwrap();
    }
    manifest::parse(text, file, Path::new(""), components.path()).unwrap_or_else(|error| panic!("{error}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn every_example_s_manifest_is_valid_and_all_of_it_has_an_effect() {
    let mut found = 0;
    for folder in fs::read_dir(root().join("examples"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        let Ok(text) = fs::read_to_string(folder.join("workload.yaml")) else {
            continue;
        };
        assert_eq!(
            read_with_all_images(&folder.display().to_string(), &text).warnings,
            [],
            "{}",
            folder.display()
        );
        found += 1;
    }
    assert!(found > 0, "no examples/*/workload.yaml");
}

#[test]
fn the_cluster_s_manifests_run_here_too() {
    for (folder, name, setting, components) in [
        ("base", "cron", "CRON_SCHEDULE", &["health"][..]),
        ("elected", "cron", "CRON_SCHEDULE", &["health"]),
        ("nats", "nats", "NATS_SUBJECTS", &["nats-client", "health"]),
        ("mcp", "mcp", "MCP_HOSTS", &["mcp-client"]),
    ] {
        let file = format!("deploy/kubernetes/{folder}/workload.yaml");
        let text = fs::read_to_string(root().join(&file)).unwrap();
        // Kustomize makes this one in the cluster.
        let config =
            format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{{setting}: x}}\n");
        let loaded = read_with_all_images(&file, &format!("{text}{config}"));
        let service = loaded.spec.service.unwrap();
        assert_eq!(service.resources.environment[setting], "x");
        let names: Vec<&str> = loaded
            .spec
            .components
            .iter()
            .map(|component| &*component.name)
            .collect();
        assert_eq!(names, components);
    }
}

#[test]
fn the_wash_projects_are_read_from_their_folders_and_from_their_files() {
    let read = |path: &Path| match manifest::load(path, &root().join("target/components")) {
        Ok(loaded) => format!("{:?}", loaded.spec),
        // Its components may not be built yet; anything else is wrong.
        Err(error) => {
            assert!(
                error
                    .problems
                    .iter()
                    .all(|problem| problem.message.contains("there is no file")),
                "{error}"
            );
            "unbuilt".to_owned()
        }
    };
    for name in ["cron", "nats", "otel", "pool", "mcp"] {
        let folder = root().join("deploy/wash").join(name);
        assert_eq!(read(&folder), read(&folder.join(".wash/config.yaml")));
    }
}

/// One character after the other is replaced by each of those that mean something to YAML.
#[test]
fn a_damaged_manifest_is_read_or_refused_with_a_place_in_the_file() {
    let components = components();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests/every-field-that-has-a-meaning-here");
    let whole = fs::read_to_string(folder.join("manifest.yaml")).unwrap();
    let lines = whole.lines().count() + 1;
    for (at, old) in whole.char_indices() {
        for new in [' ', '\n', ':', '-', '[', '{', '&', '*', '!', '|', '"', '#', '\t', 'é'] {
            let mut text = whole.clone();
            text.replace_range(at..at + old.len_utf8(), new.encode_utf8(&mut [0; 4]));
            if let Err(error) = manifest::parse(&text, "manifest.yaml", &folder, components.path()) {
                assert!(!error.problems.is_empty());
                assert!(
                    error.problems.iter().all(|problem| problem.line <= lines + 1),
                    "{error}"
                );
            }
        }
    }
}
