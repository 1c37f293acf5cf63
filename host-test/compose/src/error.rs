//! Everything that can go wrong, in words.

/// Why components could not be read or joined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not a component that the component model's rules allow.
    #[error("{component}: not a WebAssembly component: {reason}")]
    NotAComponent {
        /// Name of the component.
        component: String,
        /// What the parser says.
        reason: String,
    },
    /// Nothing that `exporter` exports is imported by `importer`.
    #[error("{importer} imports nothing that {exporter} exports (it exports {exports})")]
    NothingToJoin {
        /// The component with open imports.
        importer: String,
        /// The component meant to close them.
        exporter: String,
        /// What it exports, separated by commas.
        exports: String,
    },
    /// The composition breaks a rule of the component model.
    #[error("{component}: cannot be joined: {reason}")]
    Unjoinable {
        /// The component that could not be joined.
        component: String,
        /// What wac-graph says.
        reason: String,
    },
    /// Imports that nobody satisfies as they need.
    #[error(transparent)]
    Links(#[from] crate::LinkErrors),
}
