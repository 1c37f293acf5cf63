//! The revisions of the specification, and what sets them apart.

use std::fmt;

/// A revision of the Model Context Protocol, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revision {
    /// `2024-11-05`
    V2024_11_05,
    /// `2025-03-26`: audio, tool annotations, batches, Streamable HTTP.
    V2025_03_26,
    /// `2025-06-18`: structured output, elicitation, resource links, titles; no batches.
    V2025_06_18,
    /// `2025-11-25`: icons, elicitation by URL, polling of streams.
    V2025_11_25,
    /// `2026-07-28`: stateless.
    V2026_07_28,
}

impl Revision {
    /// All of them, oldest first.
    pub const ALL: [Self; 5] = [
        Self::V2024_11_05,
        Self::V2025_03_26,
        Self::V2025_06_18,
        Self::V2025_11_25,
        Self::V2026_07_28,
    ];

    /// The newest that begins with `initialize`.
    pub const LATEST_LEGACY: Self = Self::V2025_11_25;

    /// The newest that carries its metadata in each request.
    pub const LATEST: Self = Self::V2026_07_28;

    /// The name by which both sides know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The revision of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|revision| revision.name() == name)
    }

    /// Whether each request carries its own metadata, and there is neither handshake nor session.
    pub fn is_stateless(self) -> bool {
        self >= Self::V2026_07_28
    }

    /// Those that are served without a handshake, newest first.
    pub fn stateless() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().rev().filter(|revision| revision.is_stateless())
    }

    /// Whether several messages may come in one array. JSON-RPC 2.0 has batches; 2025-03-26 asks for them by name, and
    /// 2025-06-18 takes them out.
    pub fn has_batches(self) -> bool {
        self <= Self::V2025_03_26
    }

    /// Whether content may be sound.
    pub fn has_audio(self) -> bool {
        self >= Self::V2025_03_26
    }

    /// Whether content may be a link to a resource, and results may be structured.
    pub fn has_structured_content(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Whether an error response without a known request leaves its id out. Before it is null, as in JSON-RPC 2.0.
    pub fn leaves_out_unknown_id(self) -> bool {
        self >= Self::V2025_11_25
    }

    /// Whether a stream may be closed before its answer is there, for the client to ask again (SEP-1699).
    pub fn has_polling(self) -> bool {
        self == Self::V2025_11_25
    }

    /// Whether HTTP requests after the handshake name the revision in a header.
    pub fn has_version_header(self) -> bool {
        self >= Self::V2025_06_18
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_revision_is_found_by_its_name() {
        for revision in Revision::ALL {
            assert_eq!(Revision::named(&revision.to_string()), Some(revision));
        }
        assert_eq!(Revision::named("2025-11-26"), None);
        assert!(Revision::ALL.is_sorted());
    }
}
