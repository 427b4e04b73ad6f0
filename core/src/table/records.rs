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
    pub(crate) fn new(mut slots: S, empty: T) -> Self {
        slots.as_mut_slice().fill(empty);
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
    use crate::exercise::{Random, Step, depth, every_sequence, long_run};

    /// The same records in an array and behind a slice, an array to compare with, and an index.
    struct State<const N: usize> {
        inline: Records<u16, [u16; N]>,
        model: [u16; N],
    }

    #[derive(Clone, Copy, Debug)]
    enum Operation {
        Write(u32, u16),
        WriteBounded(u32, u16),
    }

    const EMPTY: u16 = 9;

    impl<const N: usize> State<N> {
        fn new() -> Self {
            Self { inline: Records::new([0; N], EMPTY), model: [EMPTY; N] }
        }

        fn step(&mut self, operation: Operation) -> Step {
            let (index, value) = match operation {
                Operation::Write(index, value) => {
                    *self.inline.at_mut(index) = value;
                    (index, value)
                }
                Operation::WriteBounded(index, value) => {
                    let record = self.inline.at_bounded_mut(index);
                    assert_eq!(record.is_some(), (index as usize) < N);
                    let Some(record) = record else { return Step::Nothing };
                    *record = value;
                    (index, value)
                }
            };
            self.model[index as usize] = value;
            assert_eq!(self.inline.count() as usize, N);
            for index in 0..N as u32 + 2 {
                let expected = self.model.get(index as usize);
                assert_eq!(self.inline.at_bounded(index), expected);
                if let Some(expected) = expected {
                    assert_eq!(self.inline.at(index), expected);
                }
            }
            Step::Changed
        }
    }

    #[test]
    fn every_short_sequence_on_three_records_equals_an_array() {
        let mut operations = std::vec::Vec::new();
        for index in 0..3 {
            operations.extend([Operation::Write(index, 1), Operation::Write(index, 2)]);
        }
        operations.extend([3, NIL, 2].map(|index| Operation::WriteBounded(index, 3)));
        let run = every_sequence(&operations, depth(5), State::<3>::new, State::step);
        assert!(run > 1_000 || cfg!(miri), "{run} sequences");
    }

    #[test]
    fn a_long_random_run_on_forty_records_equals_an_array() {
        let mut state = State::<40>::new();
        long_run("records", |random: &mut Random| {
            let value = random.next() as u16;
            state.step(match random.below(2) {
                0 => Operation::Write(random.below(40) as u32, value),
                _ => Operation::WriteBounded(random.below(44) as u32, value),
            });
        });
    }

    #[test]
    fn what_the_memory_held_before_is_gone() {
        let mut memory = [7u8; 4];
        let mut records = Records::new(&mut memory[..], 1);
        assert!((0..4).all(|index| *records.at(index) == 1));
        *records.at_mut(2) = 5;
        assert_eq!(memory, [1, 1, 5, 1]);
    }

    // Debug builds say that the engine has a bug; release builds lose the record and go on.

    #[test]
    #[cfg_attr(debug_assertions, should_panic(expected = "does not exist was written"))]
    fn a_record_that_does_not_exist_is_written_to_the_spare_one() {
        let mut records = Records::new([0u8; 4], 0);
        *records.at_mut(4) = 3;
        assert!((0..4).all(|index| *records.at(index) == 0));
        assert_eq!((*records.at(NIL), records.count()), (3, 4));
    }

    #[test]
    #[cfg_attr(debug_assertions, should_panic(expected = "does not exist was read"))]
    fn a_record_that_does_not_exist_reads_as_empty() {
        let mut records = Records::new([0u8; 4], 9);
        *records.at_mut(0) = 1;
        assert_eq!((*records.at(4), *records.at(NIL)), (9, 9));
    }
}
