//! A call that was made inside a zone, and where it came from.
//!
//! Recorded by the meter into the zones open on the thread, read through the report.

use crate::call::{Call, Kind};
use crate::trace::{Place, Trace};
use std::fmt;

/// A call of the global allocator inside a zone: what was asked for, and the stack at that moment.
///
/// `Display` prints kind and sizes without resolving the stack.
#[derive(Debug, Clone)]
pub struct Offence {
    call: Call,
    trace: Trace,
}

impl Offence {
    pub(crate) fn new(call: Call, trace: Trace) -> Self {
        Self { call, trace }
    }

    /// Which of the allocator's methods was called.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.call.kind
    }

    /// The size asked for; of a reallocation the new size, of a deallocation the size given back.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.call.size_bytes
    }

    /// The size before a reallocation; none for the other kinds.
    #[must_use]
    pub fn old_size_bytes(&self) -> Option<usize> {
        (self.call.kind == Kind::Reallocation).then_some(self.call.old_size_bytes)
    }

    /// The alignment asked for.
    #[must_use]
    pub fn align_bytes(&self) -> usize {
        self.call.align_bytes
    }

    /// The code to blame: the innermost place outside of this crate and the standard library.
    ///
    /// None if the program carries no symbols. Resolving allocates; do it outside of any zone.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        self.trace.culprit()
    }

    /// The stack at the moment of the call.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.trace
    }
}

impl fmt::Display for Offence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.call.fmt(formatter)
    }
}
