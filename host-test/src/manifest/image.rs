//! Image references to files.
//!
//! This host pulls nothing: `ghcr.io/mainstay-services/cron:0.1.0` is the file `cron.wasm` among the built components, so
//! that the manifest of a cluster runs what was just built. A path (`./x.wasm`, `/x.wasm`, `file://...`) starts beside the
//! manifest.

use std::fs;
use std::path::{Path, PathBuf};

use super::field::{Field, nearest};

/// Where images are looked up.
pub(super) struct Images<'a> {
    /// The manifest's folder, or the project's.
    pub(super) folder: &'a Path,
    /// The folder of built components.
    pub(super) components: &'a Path,
}

impl Images<'_> {
    /// The file of an image.
    pub(super) fn file(&self, field: &Field<'_>) -> Option<PathBuf> {
        let image = field.name()?;
        let path = image.strip_prefix("file://").or_else(|| {
            let is_path = ["./", "../", "/"].iter().any(|start| image.starts_with(start));
            is_path.then_some(image)
        });
        if let Some(path) = path {
            return Some(self.path(field, path));
        }
        let Some(name) = repository_name(image) else {
            field.error(format_args!(
                "\"{image}\" is neither an image reference nor a path, for example ghcr.io/mainstay-services/cron:0.1.0 \
                 or ./cron.wasm"
            ));
            return None;
        };
        let file = self.components.join(format!("{name}.wasm"));
        if !file.is_file() {
            let built = self.built();
            let hint = nearest(name, built.iter().map(String::as_str)).map_or_else(
                || "`cargo xtask build` makes it".to_owned(),
                |near| format!("did you mean {near}?"),
            );
            field.error(format_args!(
                "\"{image}\" is {}, which is not there; {hint}",
                file.display()
            ));
        }
        Some(file)
    }

    /// A file by its path.
    pub(super) fn path(&self, field: &Field<'_>, path: &str) -> PathBuf {
        let file = self.folder.join(path.strip_prefix("./").unwrap_or(path));
        if !file.is_file() {
            field.error(format_args!("there is no file {}", file.display()));
        }
        file
    }

    /// Names of the components that were built.
    fn built(&self) -> Vec<String> {
        let entries = fs::read_dir(self.components).into_iter().flatten().flatten();
        let name = |file: PathBuf| Some(file.file_name()?.to_str()?.strip_suffix(".wasm")?.to_owned());
        entries.filter_map(|entry| name(entry.path())).collect()
    }
}

/// The last part of a repository's path: `cron` of `ghcr.io/mainstay-services/cron:0.1.0@sha256:...` (OCI distribution
/// specification §Pull: lower case letters, digits, and `.`, `_`, `-` within).
fn repository_name(image: &str) -> Option<&str> {
    let reference = image.split_once('@').map_or(image, |(reference, _)| reference);
    let (_, last) = reference.rsplit_once('/').unwrap_or(("", reference));
    let name = last.split_once(':').map_or(last, |(name, _)| name);
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fits = |c: char| edge(c) || matches!(c, '.' | '_' | '-');
    (name.starts_with(edge) && name.ends_with(edge) && name.chars().all(fits)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::repository_name;

    #[test]
    fn a_reference_is_called_by_the_last_part_of_its_repository() {
        for image in [
            "cron",
            "cron:0.1.0",
            "ghcr.io/mainstay-services/cron",
            "localhost:5000/cron:0.1.0",
            "ghcr.io/mainstay-services/cron@sha256:0123",
            "ghcr.io/mainstay-services/cron:0.1.0@sha256:0123",
        ] {
            assert_eq!(repository_name(image), Some("cron"), "{image}");
        }
        for image in ["Cron", "ghcr.io/", ":0.1.0", "cron wasm", "-cron"] {
            assert_eq!(repository_name(image), None, "{image}");
        }
    }
}
