//! Why an import cannot be linked, in words that say who, what and why.

use crate::difference::Difference;

/// One import that cannot be linked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{importer} imports {interface}: {problem}")]
pub struct LinkError {
    /// Who imports.
    pub importer: String,
    /// The import's whole name, version included.
    pub interface: String,
    /// What is wrong, and with whom.
    pub problem: Problem,
}

/// What a component exports, as far as it has to do with an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The component.
    pub component: String,
    /// What it exports: names of interfaces.
    pub exports: Vec<String>,
}

/// What is wrong with an import.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Nobody exports it.
    #[error("no component exports it{}{}", exports(.components), way_out(*.optional))]
    Missing {
        /// Whether the importer carries a stand-in for it.
        optional: bool,
        /// What there is instead, component by component.
        components: Vec<Candidate>,
    },
    /// More than one component exports it.
    #[error(
        "{} components export it, and an import has one callee{}\n  leave out all but one of them",
        .candidates.len(), named(.candidates)
    )]
    Ambiguous {
        /// All that export it.
        candidates: Vec<String>,
    },
    /// Only other versions of it are exported.
    #[error("it is exported in another version only, and versions must be the same{}", exports(.candidates))]
    OtherVersion {
        /// Who exports which version.
        candidates: Vec<Candidate>,
    },
    /// The host serves the package, but not this version or interface of it.
    #[error("no component exports it, and the host serves {} only", .versions.join(", "))]
    OtherHostVersion {
        /// The versions that the host serves; `0.2` stands for all of 0.2.x.
        versions: Vec<String>,
    },
    /// Only the service exports it.
    #[error(
        "only the service, {service}, exports it, and nothing can call a service\n  \
         reach it over the workload's loopback, through a client component that exports the interface"
    )]
    OnlyTheService {
        /// The service.
        service: String,
    },
    /// The exporter has the interface without a function that is imported.
    #[error("{candidate} exports it without `{function}`\n  imported  {imported}{}", functions(.exported))]
    FunctionMissing {
        /// The component that exports the interface.
        candidate: String,
        /// The function.
        function: String,
        /// Its type, in WIT.
        imported: String,
        /// The functions that are there, in WIT.
        exported: Vec<String>,
    },
    /// The exporter has the function, with another type.
    #[error(
        "{candidate} exports it with another type of `{function}`\n  imported  {imported}\n  exported  {exported}\n  \
         differ    {difference}{}", adapter(.difference)
    )]
    FunctionDiffers {
        /// The component that exports the interface.
        candidate: String,
        /// The function.
        function: String,
        /// Its type as the importer has it, in WIT.
        imported: String,
        /// Its type as the exporter has it, in WIT.
        exported: String,
        /// Where the two part.
        difference: Box<Difference>,
    },
    /// A function of the world itself: hosts link interfaces.
    #[error("it is a function outside any interface, and only interfaces are linked\n  put it into an interface")]
    NotAnInterface,
    /// The importer is, by way of others, its own callee.
    #[error("the components import each other in a circle: {}", .circle.join(" -> "))]
    Circle {
        /// The components, the first one again at the end.
        circle: Vec<String>,
    },
}

/// All imports of a workload that cannot be linked; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct LinkErrors(pub Vec<LinkError>);

fn exports(candidates: &[Candidate]) -> String {
    let line = |candidate: &Candidate| match candidate.exports.as_slice() {
        [] => format!("\n  {} exports nothing", candidate.component),
        exports => format!("\n  {} exports {}", candidate.component, exports.join(", ")),
    };
    candidates.iter().map(line).collect()
}

fn named(candidates: &[String]) -> String {
    candidates.iter().map(|name| format!("\n  {name} exports it")).collect()
}

fn functions(signatures: &[String]) -> String {
    if signatures.is_empty() {
        return "\n  exported  no function".to_owned();
    }
    signatures
        .iter()
        .map(|signature| format!("\n  exported  {signature}"))
        .collect()
}

fn way_out(optional: bool) -> &'static str {
    if optional {
        "\n  it is optional: `host-test fit` closes it, as it is closed in the service's closed artefact"
    } else {
        ""
    }
}

fn adapter(difference: &Difference) -> &'static str {
    if difference.is_async() {
        "\n  an adapter component can stand between, which exports the one and imports the other"
    } else {
        ""
    }
}
