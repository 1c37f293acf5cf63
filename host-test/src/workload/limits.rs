//! How much memory a store may have.

use wasmtime::ResourceLimiter;

/// Bytes of tables that a store may have, at eight bytes an element.
const MAX_TABLE_ELEMENTS: usize = 1 << 20;

/// Counts the linear memory of a store and refuses what goes over the limit.
#[derive(Debug)]
pub(super) struct Limits {
    limit: u64,
    used: u64,
    refused: bool,
}

impl Limits {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            used: 0,
            refused: false,
        }
    }

    /// Why the guest probably trapped, if it was refused memory.
    pub(super) fn refusal(&self) -> Option<String> {
        self.refused
            .then(|| format!("it was refused more than its memory limit of {} MiB", self.limit >> 20))
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let after = self.used + desired.saturating_sub(current) as u64;
        if after > self.limit {
            self.refused = true;
            return Ok(false);
        }
        self.used = after;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
    }
}
