//! One use of the global allocator, as a plain record.
//!
//! It holds no pointer: the meter never looks at blocks, only at what was asked for.
//! Made by the allocator, read by the counters and kept in offences.

use std::alloc::Layout;
use std::fmt;

/// Which of the global allocator's four methods was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `GlobalAlloc::alloc`.
    Allocation,
    /// `GlobalAlloc::alloc_zeroed`.
    ZeroedAllocation,
    /// `GlobalAlloc::realloc`.
    Reallocation,
    /// `GlobalAlloc::dealloc`.
    Deallocation,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Allocation => "allocation",
            Self::ZeroedAllocation => "zeroed allocation",
            Self::Reallocation => "reallocation",
            Self::Deallocation => "deallocation",
        })
    }
}

/// One call: its kind, what was asked for, and whether the inner allocator granted it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) kind: Kind,
    /// Size asked for; of a deallocation, the size given back.
    pub(crate) size_bytes: usize,
    /// Size before a reallocation; 0 for every other kind.
    pub(crate) old_size_bytes: usize,
    pub(crate) align_bytes: usize,
    /// False when the inner allocator returned null.
    granted: bool,
}

impl Call {
    #[inline]
    pub(crate) fn new(kind: Kind, layout: Layout, granted: bool) -> Self {
        let (size_bytes, align_bytes) = (layout.size(), layout.align());
        Self { kind, size_bytes, old_size_bytes: 0, align_bytes, granted }
    }

    #[inline]
    pub(crate) fn reallocation(old: Layout, new_size_bytes: usize, granted: bool) -> Self {
        Self {
            kind: Kind::Reallocation,
            size_bytes: new_size_bytes,
            old_size_bytes: old.size(),
            align_bytes: old.align(),
            granted,
        }
    }

    /// Bytes this call obtained: a granted reallocation from 64 to 96 obtains 96 and returns 64.
    #[inline]
    pub(crate) fn obtained_bytes(&self) -> u64 {
        match self.kind {
            Kind::Deallocation => 0,
            _ if !self.granted => 0,
            _ => self.size_bytes as u64,
        }
    }

    /// Bytes this call gave back; see [`Call::obtained_bytes`] for a reallocation.
    #[inline]
    pub(crate) fn returned_bytes(&self) -> u64 {
        match self.kind {
            Kind::Deallocation => self.size_bytes as u64,
            Kind::Reallocation if self.granted => self.old_size_bytes as u64,
            _ => 0,
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, size_bytes, old_size_bytes, align_bytes, .. } = self;
        match kind {
            Kind::Reallocation => {
                write!(formatter, "{kind} from {old_size_bytes} to {size_bytes} bytes")?;
            }
            _ => write!(formatter, "{kind} of {size_bytes} bytes")?,
        }
        write!(formatter, ", align {align_bytes}")
    }
}
