//! A set of totals: calls by kind, and bytes.
//!
//! It is a plain value that can be copied, compared and subtracted. It is not a live counter: those
//! are a thread's meter and the process totals, which hand out values of this type.
//!
//! Worked example: a block of 64 bytes is allocated, grown to 96 and freed. That is one allocation,
//! one reallocation, one deallocation, 64 + 96 = 160 bytes obtained and 64 + 96 = 160 returned.

use crate::call::{Call, Kind};
use std::fmt;

/// Totals of calls to the global allocator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Calls of `alloc` and `alloc_zeroed`, refused ones included.
    pub allocations: u64,
    /// Of those, the calls of `alloc_zeroed`.
    pub zeroed_allocations: u64,
    /// Calls of `realloc`, refused ones included.
    pub reallocations: u64,
    /// Calls of `dealloc`.
    pub deallocations: u64,
    /// Bytes obtained by granted allocations, and by granted reallocations at their new size.
    pub obtained_bytes: u64,
    /// Bytes returned by deallocations, and by granted reallocations at their old size.
    pub returned_bytes: u64,
}

impl Counts {
    pub(crate) const ZERO: Self = Self {
        allocations: 0,
        zeroed_allocations: 0,
        reallocations: 0,
        deallocations: 0,
        obtained_bytes: 0,
        returned_bytes: 0,
    };

    /// What happened between `earlier` and `self`, two readings of the same totals.
    #[must_use]
    pub const fn since(&self, earlier: &Self) -> Self {
        Self {
            allocations: self.allocations.wrapping_sub(earlier.allocations),
            zeroed_allocations: self.zeroed_allocations.wrapping_sub(earlier.zeroed_allocations),
            reallocations: self.reallocations.wrapping_sub(earlier.reallocations),
            deallocations: self.deallocations.wrapping_sub(earlier.deallocations),
            obtained_bytes: self.obtained_bytes.wrapping_sub(earlier.obtained_bytes),
            returned_bytes: self.returned_bytes.wrapping_sub(earlier.returned_bytes),
        }
    }

    /// True if no call was made: no allocation, no reallocation and no deallocation.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.allocations == 0 && self.reallocations == 0 && self.deallocations == 0
    }

    /// These totals with `call` added. Wraps rather than panics: the allocator calls this.
    #[inline]
    pub(crate) fn with(mut self, call: &Call) -> Self {
        match call.kind {
            Kind::Allocation => self.allocations = self.allocations.wrapping_add(1),
            Kind::ZeroedAllocation => {
                self.allocations = self.allocations.wrapping_add(1);
                self.zeroed_allocations = self.zeroed_allocations.wrapping_add(1);
            }
            Kind::Reallocation => self.reallocations = self.reallocations.wrapping_add(1),
            Kind::Deallocation => self.deallocations = self.deallocations.wrapping_add(1),
        }
        self.obtained_bytes = self.obtained_bytes.wrapping_add(call.obtained_bytes());
        self.returned_bytes = self.returned_bytes.wrapping_add(call.returned_bytes());
        self
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} allocations ({} zeroed), {} reallocations, {} deallocations, \
             {} bytes obtained, {} bytes returned",
            self.allocations,
            self.zeroed_allocations,
            self.reallocations,
            self.deallocations,
            self.obtained_bytes,
            self.returned_bytes,
        )
    }
}
