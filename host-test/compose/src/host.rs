//! What a host itself serves, so that no component has to.

/// The packages and interfaces that a host links for every component.
#[derive(Debug, Clone)]
pub struct Host {
    served: Vec<Served>,
}

#[derive(Debug, Clone)]
struct Served {
    /// `wasi`, `wasi:cli` or `wasi:http/types`.
    name: String,
    /// `0.2`, `0.2.0-rc.1`, or any.
    version: Option<String>,
}

impl Host {
    /// A host that serves these: `wasi`, `wasi:cli`, `wasi:http/types`, each with or without a version. A version that is
    /// not whole stands for every release that begins with it: `wasi:cli@0.2` for `wasi:cli/exit@0.2.12`.
    #[must_use]
    pub fn new<'a>(served: impl IntoIterator<Item = &'a str>) -> Self {
        let served = served.into_iter().map(|entry| match entry.split_once('@') {
            Some((name, version)) => Served {
                name: name.to_owned(),
                version: Some(version.to_owned()),
            },
            None => Served {
                name: entry.to_owned(),
                version: None,
            },
        });
        Self {
            served: served.collect(),
        }
    }

    /// Whether this import is the host's to satisfy.
    #[must_use]
    pub fn serves(&self, import: &str) -> bool {
        let (name, version) = import.split_once('@').unwrap_or((import, ""));
        self.served
            .iter()
            .any(|served| served.covers(name) && served.has(version))
    }

    /// The versions of an interface that this host serves.
    pub(crate) fn versions(&self, import: &str) -> Vec<&str> {
        let name = crate::component::unversioned(import);
        self.served
            .iter()
            .filter(|served| served.covers(name))
            .filter_map(|served| served.version.as_deref())
            .collect()
    }
}

impl Served {
    fn covers(&self, name: &str) -> bool {
        name.strip_prefix(&self.name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    }

    fn has(&self, version: &str) -> bool {
        let Some(served) = &self.version else { return true };
        match version.strip_prefix(served.as_str()) {
            Some("") => true,
            Some(rest) => rest.starts_with('.') && !rest.contains('-'),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Host;

    #[test]
    fn a_version_covers_its_releases_and_no_candidate() {
        let host = Host::new(["wasi:cli@0.2", "wasi:config@0.2.0-rc.1", "wasi:http/types@0.3"]);
        assert!(host.serves("wasi:cli/exit@0.2.12"));
        assert!(host.serves("wasi:config/store@0.2.0-rc.1"));
        assert!(host.serves("wasi:http/types@0.3.0"));
        for other in [
            "wasi:cli/exit@0.20.0",
            "wasi:cli/exit@0.3.0",
            "wasi:cli/exit@0.2.0-rc.1",
            "wasi:client/x@0.2.0",
            "wasi:config/store@0.2.0",
            "wasi:http/handler@0.3.0",
            "wasi:cli/exit",
        ] {
            assert!(!host.serves(other), "{other}");
        }
    }

    #[test]
    fn a_namespace_covers_all_below_it() {
        let host = Host::new(["wasi"]);
        assert!(host.serves("wasi:keyvalue/store@0.2.0-draft"));
        assert!(!host.serves("wasix:cli/run"));
    }
}
