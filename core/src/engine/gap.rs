//! [`Gap`]: a part of a file that no unfinished positional write touches.
//!
//! A writer that moves forward stays in it: each write takes the front of the gap, and nothing is
//! looked at. A circular log leaves it when it wraps; then one walk over the unfinished writes
//! finds the gap it goes on in, which ends where the oldest of them begins.
//!
//! Worked example: 100..200, 200..300 and 300..400 are in flight, the gap is 400.. without end. A
//! write of 0..50 is outside; a walk finds the gap 50..100. When the first three have ended all
//! that is left ends before the gap, so it has no end again.
//!
//! Invariants, while the file is not indexed: every unfinished write ends at or before `begin`, or
//! begins at or after `end`; those accepted at `since` or later end at or before
//! `begin`. While it is indexed, `since` is when the index was begun, and the rest means nothing.

/// The bytes, and since when writes are in front of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) begin: u64,
    pub(crate) end: u64,
    /// A token.
    pub(crate) since: u64,
}

impl Gap {
    /// Of a file without writes.
    pub(crate) const ALL: Self = Self { begin: 0, end: u64::MAX, since: 0 };

    /// Whether a range is in the gap.
    #[inline]
    pub(crate) const fn has(&self, (offset, end): (u64, u64)) -> bool {
        offset >= self.begin && end <= self.end
    }

    /// Whether a new write is in the gap. If it is, the gap begins behind it from now on.
    #[inline]
    pub(crate) fn admits(&mut self, (offset, end): (u64, u64)) -> bool {
        let is_inside = self.has((offset, end));
        if is_inside {
            self.begin = end;
        }
        is_inside
    }

    /// A new write is the only one: the gap is all that is behind it.
    #[inline]
    pub(crate) fn restart_behind(&mut self, end: u64) {
        (self.begin, self.end) = (end, u64::MAX);
    }
}
