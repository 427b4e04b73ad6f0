//! Mutations of the structure, one at a time; each turned at least one test here red: claim: the
//! chain stays, one too many, fresh stays; release: forget the chain, nothing; element: arrays
//! overlap by one, index not checked, vector not checked; get: longer than an array; new: blocks
//! not skipped, memory not asked.
//!
//! # Safety
//! Each table lives no longer than the memory beside it, which nobody else uses.
#![allow(unsafe_code)]

use std::{vec, vec::Vec};

use super::*;
use crate::{
    NoMemory,
    exercise::{Random, Step, TestMemory, UNTOUCHED, depth, every_sequence, long_run},
};

const ARRAY_BYTES: usize = PIECES_PER_VECTOR * size_of::<Piece>();
/// Bytes of blocks in front of the arrays, and bytes behind them that are too few for an array.
const SKIP: usize = 48;
const BEHIND: usize = ARRAY_BYTES - 1;

/// A table, and what was written to each array that is claimed, in the order of the claims.
struct State {
    table: PieceTable,
    memory: TestMemory,
    count: usize,
    model: Vec<(u16, Vec<Option<usize>>)>,
    next_tag: usize,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Claim,
    /// Gives back the array that was claimed so many claims ago, from the oldest.
    Release(usize),
    /// Writes an element of such an array.
    Set(usize, usize),
}

/// A piece that is no address, only a number.
fn tagged(tag: usize) -> Piece {
    Piece { base: core::ptr::without_provenance(tag << 8), byte_count: tag }
}

impl State {
    fn new(count: usize) -> Self {
        let memory = TestMemory::new(SKIP + count * ARRAY_BYTES + BEHIND);
        // One more than fit is asked for.
        // SAFETY: the memory is dropped with the table, and nothing else uses it.
        let table = unsafe { PieceTable::new(&memory, SKIP, count as u32 + 1) };
        Self { table, memory, count, model: Vec::new(), next_tag: 1 }
    }

    fn step(&mut self, operation: Operation) -> Step {
        let step = match operation {
            Operation::Claim => {
                let claimed = self.table.claim();
                assert_eq!(claimed.is_some(), self.model.len() < self.count);
                match claimed {
                    None => Step::Nothing,
                    Some(vector) => {
                        assert!(self.model.iter().all(|(held, _)| *held != vector), "given twice");
                        self.model.push((vector, vec![None; PIECES_PER_VECTOR]));
                        Step::Changed
                    }
                }
            }
            Operation::Release(position) if position < self.model.len() => {
                self.table.release(self.model.remove(position).0);
                Step::Changed
            }
            Operation::Set(position, index) if position < self.model.len() => {
                let (vector, elements) = &mut self.model[position];
                self.table.set(*vector, index, tagged(self.next_tag));
                elements[index] = Some(self.next_tag);
                self.next_tag += 1;
                Step::Changed
            }
            Operation::Release(_) | Operation::Set(_, _) => Step::Nothing,
        };
        self.check();
        step
    }

    /// Every claimed array says what was written to it, at its own place, and nothing outside the
    /// arrays was touched.
    fn check(&self) {
        for (vector, elements) in &self.model {
            let written = elements.iter().take_while(|element| element.is_some()).count();
            let pieces = self.table.get(*vector, written);
            assert_eq!(pieces.len(), written);
            let at = SKIP + *vector as usize * ARRAY_BYTES;
            assert_eq!(self.memory.offset_of(pieces.as_ptr()), at, "a place of its own");
            for (piece, tag) in pieces.iter().zip(elements.iter().flatten()) {
                let expected = tagged(*tag);
                assert_eq!((piece.base, piece.byte_count), (expected.base, expected.byte_count));
            }
        }
        let bytes = self.memory.bytes();
        let arrays = SKIP..SKIP + self.count * ARRAY_BYTES;
        assert!(bytes[..arrays.start].iter().all(|byte| *byte == UNTOUCHED), "the blocks");
        assert!(bytes[arrays.end..].iter().all(|byte| *byte == UNTOUCHED), "behind the arrays");
    }
}

#[test]
fn every_short_sequence_on_up_to_three_arrays_gives_each_to_one_holder() {
    let mut run = 0;
    for count in 0..=3 {
        let mut operations = vec![Operation::Claim];
        operations.extend((0..count).map(Operation::Release));
        operations.extend((0..count).map(|position| Operation::Set(position, 0)));
        operations.push(Operation::Set(0, 1));
        run += every_sequence(&operations, depth(6), || State::new(count), State::step);
    }
    assert!(run > 1_000 || cfg!(miri), "{run} sequences");
}

#[test]
fn a_long_random_run_on_twelve_arrays_gives_each_to_one_holder() {
    let mut state = State::new(12);
    let (mut full, mut empty) = (0, 0);
    long_run("piece table", |random: &mut Random| {
        let position = random.below(state.model.len().max(1));
        let operation = match (random.below(3), random.adds()) {
            (0, true) => Operation::Claim,
            (0, false) => Operation::Release(position),
            _ => Operation::Set(position, low_element(random)),
        };
        state.step(operation);
        full += usize::from(state.model.len() == 12);
        empty += usize::from(state.model.is_empty());
    });
    assert!(cfg!(miri) || full.min(empty) > 20, "{full} {empty}");
}

/// Low elements more often than high ones, so that arrays fill from the front.
fn low_element(random: &mut Random) -> usize {
    let end = 1 + random.below(PIECES_PER_VECTOR);
    random.below(end)
}

#[test]
fn an_element_outside_the_arrays_is_neither_written_nor_read() {
    let mut state = State::new(2);
    (0..2).for_each(|_| assert_eq!(state.step(Operation::Claim), Step::Changed));
    let before = state.memory.bytes();
    for (vector, index) in [(0, PIECES_PER_VECTOR), (1, usize::MAX), (2, 0), (NO_VECTOR, 0)] {
        state.table.set(vector, index, Piece::EMPTY);
    }
    state.table.release(NO_VECTOR);
    assert_eq!(state.memory.bytes(), before);
    assert!(state.table.get(2, 1).is_empty());
    assert!(state.table.get(NO_VECTOR, 1).is_empty());
    assert_eq!(state.table.get(1, usize::MAX).len(), PIECES_PER_VECTOR);
    assert_eq!(state.step(Operation::Claim), Step::Nothing, "and nothing became free by it");
}

#[test]
fn memory_too_small_for_an_array_gives_none() {
    for (byte_count, skip) in
        [(0, 0), (ARRAY_BYTES - 1, 0), (SKIP + ARRAY_BYTES - 1, SKIP), (8, 64)]
    {
        let memory = TestMemory::new(byte_count);
        // SAFETY: the memory outlives the table, and nothing else uses it.
        let mut table = unsafe { PieceTable::new(&memory, skip, 9) };
        assert_eq!(table.claim(), None, "{byte_count} bytes behind {skip}");
    }
    // SAFETY: no memory, no use.
    let mut table = unsafe { PieceTable::new(&NoMemory, 4_096, 9) };
    assert_eq!(table.claim(), None);
}

#[test]
fn an_array_stays_where_it_is_when_its_owner_moves() {
    let mut state = State::new(1);
    state.step(Operation::Claim);
    state.step(Operation::Set(0, 0));
    let before = state.table.get(0, 1).as_ptr();
    let state = std::boxed::Box::new(state);
    assert_eq!(state.table.get(0, 1).as_ptr(), before);
    state.check();
}
