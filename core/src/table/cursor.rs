//! [`Cursor`]: index arithmetic of a ring, apart from its memory.
//!
//! Positions count up for ever and wrap at 2³²; the slot is the position modulo the capacity, a
//! power of two, taken by mask. `written − read` is the number of elements, and full and empty are
//! told apart without a spare slot. Worked example with capacity 4: written 6, read 3 → 3 elements,
//! in slots 3, 0, 1; room for one, in slot 2. Across the wrap: written 1, read 2³² − 2 → 3.

#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    written: u32,
    read: u32,
    mask: u32,
}

impl Cursor {
    /// An empty ring over the largest power of two that fits `slot_count` slots.
    pub(crate) const fn new(slot_count: u32) -> Self {
        Self::starting_at(slot_count, 0)
    }

    /// As [`Cursor::new`], with the positions starting anywhere (so that a test reaches the wrap).
    pub(crate) const fn starting_at(slot_count: u32, position: u32) -> Self {
        let capacity = if slot_count == 0 { 0 } else { 1 << slot_count.ilog2() };
        // With no slot at all the mask is 0 and `is_full` must hold at once: see `capacity`.
        Self {
            written: position,
            read: position,
            mask: if capacity == 0 { NONE } else { capacity - 1 },
        }
    }

    #[inline]
    pub(crate) const fn capacity(&self) -> u32 {
        self.mask.wrapping_add(1)
    }

    #[inline]
    pub(crate) const fn count(&self) -> u32 {
        self.written.wrapping_sub(self.read)
    }

    /// The slot for the next element, or `None` when full. The element counts from now on.
    #[inline]
    pub(crate) const fn advance_write(&mut self) -> Option<u32> {
        if self.count() >= self.capacity() {
            return None;
        }
        let slot = self.written & self.mask;
        self.written = self.written.wrapping_add(1);
        Some(slot)
    }

    /// The slot of the oldest element, or `None` when empty. It no longer counts.
    #[inline]
    pub(crate) const fn advance_read(&mut self) -> Option<u32> {
        if self.count() == 0 {
            return None;
        }
        let slot = self.read & self.mask;
        self.read = self.read.wrapping_add(1);
        Some(slot)
    }
}

/// The mask of a ring with no slots: its capacity wraps to 0.
const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests;
