//! What can go wrong.

use std::path::PathBuf;

/// Why an image could not be made, read or pushed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not a component.
    #[error("not a WebAssembly component: {0}")]
    NotAComponent(String),
    /// A file of a layout cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A folder is not a layout that [`crate::layout::write`] made.
    #[error("{}: {rule}; `cargo xtask package` writes it anew", path.display())]
    Layout {
        /// The file that breaks the rule.
        path: PathBuf,
        /// The rule.
        rule: String,
    },
    /// A reference that no registry takes.
    #[error("reference {reference:?}: {rule}, for example localhost:5000/mainstay/cron:0.1.0")]
    Reference {
        /// What was given.
        reference: String,
        /// The rule it breaks.
        rule: String,
    },
    /// The credentials of `docker login` exist and do not read.
    #[error("the credentials for {registry} do not read: {reason}; `docker login {registry}` writes them anew")]
    Credentials {
        /// The registry.
        registry: String,
        /// What is wrong with them.
        reason: String,
    },
    /// The registry refused, or was not reached.
    #[error("{reference}: {source}")]
    Registry {
        /// What was pushed.
        reference: String,
        /// What the registry or the connection says.
        source: oci_client::errors::OciDistributionError,
    },
}
