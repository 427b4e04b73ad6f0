//! [`Tally`]: how much the programs over a file that is altered met.

/// How much was met.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) cuts: u64,
    /// Cuts that took something away.
    pub(crate) losses: u64,
    /// Alterations that succeeded: truncations, holes, allocations, closes.
    pub(crate) truncated: u64,
    pub(crate) punched: u64,
    pub(crate) allocated: u64,
    pub(crate) closed: u64,
    /// Alterations that failed.
    pub(crate) refused: u64,
    /// Cuts with a truncation that no datasync covers; of them, those that left the file longer
    /// than that, and those that did not.
    pub(crate) undone: u64,
    pub(crate) done: u64,
    /// Cuts after which the file had exactly the size that it was to have.
    pub(crate) exact: u64,
    pub(crate) claimed: u64,
    pub(crate) dropped: u64,
    pub(crate) gathered: u64,
    pub(crate) read: u64,
    pub(crate) read_failed_file: u64,
    /// Bytes below the durable tail that were looked at.
    pub(crate) durable_bytes: u64,
}

impl Tally {
    /// Each by its name.
    pub(crate) fn all(&self) -> [(&'static str, u64); 16] {
        [
            ("cuts", self.cuts),
            ("losses", self.losses),
            ("truncated", self.truncated),
            ("punched", self.punched),
            ("allocated", self.allocated),
            ("closed", self.closed),
            ("refused", self.refused),
            ("undone", self.undone),
            ("done", self.done),
            ("exact", self.exact),
            ("claimed", self.claimed),
            ("dropped", self.dropped),
            ("gathered", self.gathered),
            ("read", self.read),
            ("read_failed_file", self.read_failed_file),
            ("durable_bytes", self.durable_bytes),
        ]
    }
}
