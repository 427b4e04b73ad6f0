//! [`Records`]: records in slots, read and written by index without a panic.
//!
//! Every table of the core keeps its links as `u32` indices. Rust checks an index at each access
//! and panics when it is out of range; the hot path must not be able to panic. So a record that is
//! out of range reads as, and is written to, one spare record that belongs to nobody. It is
//! unreachable unless the engine has a bug (debug builds assert), costs the same compare and branch
//! as the check it replaces, and turns a bug's worst case from a dead process into a lost record.

use core::{hint::black_box, marker::PhantomData};

use crate::Slots;

/// The index that means "no record".
pub(crate) const NIL: u32 = u32::MAX;

/// Records of type `T` in storage `S`.
#[derive(Debug)]
pub(crate) struct Records<T, S> {
    slots: S,
    spare: T,
    record: PhantomData<T>,
}

impl<T: Copy, S: Slots<T>> Records<T, S> {
    /// All records set to `empty`.
    pub(crate) fn new(slots: S, empty: T) -> Self {
        Self { slots, spare: empty, record: PhantomData }
    }

    #[inline]
    pub(crate) fn count(&self) -> u32 {
        self.slots.as_slice().len() as u32
    }

    #[inline]
    pub(crate) fn at(&self, index: u32) -> &T {
        match self.slots.as_slice().get(index as usize) {
            Some(record) => record,
            None => spare(&self.spare),
        }
    }

    /// For an index from outside, which may name no record.
    #[inline]
    pub(crate) fn at_bounded(&self, index: u32) -> Option<&T> {
        self.slots.as_slice().get(index as usize)
    }

    /// As [`Records::at_bounded`], to change.
    #[inline]
    pub(crate) fn at_bounded_mut(&mut self, index: u32) -> Option<&mut T> {
        self.slots.as_mut_slice().get_mut(index as usize)
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, index: u32) -> &mut T {
        match self.slots.as_mut_slice().get_mut(index as usize) {
            Some(record) => record,
            None => spare_mut(&mut self.spare),
        }
    }
}

// Opaque calls, so that the compiler branches: choosing between two addresses by conditional moves
// cost up to four instructions per field of the record.
#[cold]
#[inline(never)]
fn spare<T>(record: &T) -> &T {
    debug_assert!(false, "a record that does not exist was read");
    black_box(record)
}

#[cold]
#[inline(never)]
fn spare_mut<T>(record: &mut T) -> &mut T {
    debug_assert!(false, "a record that does not exist was written");
    black_box(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_keeps_what_was_written() {
        let mut inline = Records::new([0u8; 4], 0);
        let mut memory = [0u8; 4];
        let mut borrowed = Records::new(&mut memory[..], 0);
        for i in 0..4 {
            *inline.at_mut(i) = i as u8 + 1;
            *borrowed.at_mut(i) = i as u8 + 1;
        }
        for i in 0..4 {
            assert_eq!(*inline.at(i), i as u8 + 1);
            assert_eq!(*borrowed.at(i), i as u8 + 1);
        }
        assert_eq!((inline.count(), borrowed.count()), (4, 4));
    }
}
