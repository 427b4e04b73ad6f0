//! Mutations of the structure, one at a time; each turned at least one test here red: mask is the
//! capacity, capacity rounded up, one more than full, count saturates across the wrap; no slots:
//! capacity 1; read: no check for empty, slot of the newest; write: position stays.

use std::collections::VecDeque;

use super::*;
use crate::exercise::{Step, depth, every_sequence, long_run};

/// A cursor, and the positions between `read` and `written` as numbers that never wrap.
struct State {
    cursor: Cursor,
    capacity: u64,
    model: VecDeque<u64>,
    next: u64,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Write,
    Read,
}

impl State {
    fn new(slot_count: u32, position: u32) -> Self {
        // The largest power of two that fits, found the slow way.
        let powers = (0..32).map(|shift| 1u64 << shift);
        let capacity = powers.filter(|power| *power <= slot_count as u64).max().unwrap_or(0);
        let cursor = Cursor::starting_at(slot_count, position);
        Self { cursor, capacity, model: VecDeque::new(), next: position as u64 }
    }

    fn step(&mut self, operation: Operation) -> Step {
        let slot = |position: u64| (position % self.capacity) as u32;
        let expected = match operation {
            Operation::Write if self.model.len() as u64 == self.capacity => None,
            Operation::Write => {
                self.model.push_back(self.next);
                self.next += 1;
                self.model.back().map(|position| slot(*position))
            }
            Operation::Read => self.model.pop_front().map(slot),
        };
        let got = match operation {
            Operation::Write => self.cursor.advance_write(),
            Operation::Read => self.cursor.advance_read(),
        };
        assert_eq!(got, expected);
        assert_eq!(self.cursor.count() as usize, self.model.len());
        assert_eq!(self.cursor.capacity() as u64, self.capacity);
        if got.is_some() { Step::Changed } else { Step::Nothing }
    }
}

const OPERATIONS: [Operation; 2] = [Operation::Write, Operation::Read];

#[test]
fn every_short_sequence_from_anywhere_equals_positions_that_never_wrap() {
    let mut run = 0;
    for slot_count in 0..=9 {
        for position in [0, 1, 2, 3, 5, u32::MAX - 3, u32::MAX - 1, u32::MAX] {
            let new = || State::new(slot_count, position);
            run += every_sequence(&OPERATIONS, depth(10), new, State::step);
        }
    }
    assert!(run > 1_000 || cfg!(miri), "{run} sequences");
}

#[test]
fn a_long_random_run_across_the_wrap_equals_positions_that_never_wrap() {
    for slot_count in [1, 2, 16, 20] {
        let mut state = State::new(slot_count, u32::MAX - 1_000);
        let (mut full, mut empty) = (0, 0);
        long_run("cursor", |random| {
            let operation = if random.adds() { Operation::Write } else { Operation::Read };
            state.step(operation);
            full += usize::from(state.model.len() as u64 == state.capacity);
            empty += usize::from(state.model.is_empty());
        });
        assert!(cfg!(miri) || state.next > u32::MAX as u64 + 1_000, "the run crossed the wrap");
        assert!(cfg!(miri) || full.min(empty) > 100, "{full} {empty}");
    }
}

#[test]
fn the_worked_examples_of_the_header_are_true() {
    let mut cursor = Cursor { written: 6, read: 3, mask: 3 };
    assert_eq!((cursor.count(), cursor.capacity()), (3, 4));
    assert_eq!(cursor.advance_write(), Some(2));
    assert_eq!(cursor.advance_write(), None);
    let slots = [(); 4].map(|()| cursor.advance_read());
    assert_eq!(slots, [Some(3), Some(0), Some(1), Some(2)]);
    assert_eq!(Cursor { written: 1, read: u32::MAX - 1, mask: 3 }.count(), 3);
}

#[test]
fn the_largest_tables_have_a_capacity_and_no_table_has_none() {
    assert_eq!(Cursor::new(u32::MAX).capacity(), 1 << 31);
    assert_eq!(Cursor::new(1 << 31).capacity(), 1 << 31);
    let mut none = Cursor::new(0);
    assert_eq!((none.capacity(), none.advance_write(), none.advance_read()), (0, None, None));
}
