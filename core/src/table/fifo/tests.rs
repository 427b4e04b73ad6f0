//! Mutations of the structure, one at a time; each turned at least one test here red: push: value
//! not stored, full is Ok; pop: slot 0; count of capacity.

use std::{boxed::Box, collections::VecDeque, vec, vec::Vec};

use super::*;
use crate::exercise::{Random, Step, depth, every_sequence, long_run};

/// Storage sized at run time; the tests run without the feature `alloc` too.
#[derive(Debug)]
struct Memory(Box<[u16]>);

impl crate::slots::sealed::Sealed for Memory {}

impl Slots<u16> for Memory {
    fn as_slice(&self) -> &[u16] {
        &self.0
    }

    fn as_mut_slice(&mut self) -> &mut [u16] {
        &mut self.0
    }
}

struct State {
    fifo: Fifo<u16, Memory>,
    capacity: usize,
    model: VecDeque<u16>,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Push(u16),
    Pop,
}

impl State {
    fn new(slot_count: u32, capacity: usize, position: u32) -> Self {
        let memory = Memory(vec![u16::MAX; slot_count as usize].into());
        let mut fifo = Fifo::new(memory, u16::MAX);
        if position != 0 {
            fifo.cursor = Cursor::starting_at(slot_count, position);
        }
        Self { fifo, capacity, model: VecDeque::new() }
    }

    fn step(&mut self, operation: Operation) -> Step {
        let did = match operation {
            Operation::Push(value) if self.model.len() == self.capacity => {
                assert_eq!(self.fifo.push(value), Err(value), "a full queue gives the value back");
                false
            }
            Operation::Push(value) => {
                assert_eq!(self.fifo.push(value), Ok(()));
                self.model.push_back(value);
                true
            }
            Operation::Pop => {
                let popped = self.fifo.pop();
                assert_eq!(popped, self.model.pop_front());
                popped.is_some()
            }
        };
        assert_eq!(self.fifo.count() as usize, self.model.len());
        if did { Step::Changed } else { Step::Nothing }
    }
}

#[test]
fn every_short_sequence_on_up_to_five_slots_equals_a_deque() {
    let operations = [Operation::Push(1), Operation::Push(2), Operation::Pop];
    let mut run = 0;
    for (slot_count, capacity) in [(0, 0), (1, 1), (2, 2), (3, 2), (4, 4), (5, 4)] {
        for position in [0, u32::MAX - 1] {
            let new = || State::new(slot_count, capacity, position);
            run += every_sequence(&operations, depth(8), new, State::step);
        }
    }
    assert!(run > 1_000 || cfg!(miri), "{run} sequences");
}

#[test]
fn a_long_random_run_equals_a_deque() {
    for (slot_count, capacity) in [(1, 1), (64, 64), (100, 64)] {
        let mut state = State::new(slot_count, capacity, u32::MAX - 100);
        let (mut full, mut empty) = (0, 0);
        long_run("fifo", |random: &mut Random| {
            let value = random.next() as u16;
            state.step(if random.adds() { Operation::Push(value) } else { Operation::Pop });
            full += usize::from(state.model.len() == capacity);
            empty += usize::from(state.model.is_empty());
        });
        assert!(cfg!(miri) || full.min(empty) > 100, "{full} {empty}");
        let rest: Vec<u16> = core::iter::from_fn(|| state.fifo.pop()).collect();
        assert_eq!(state.model, rest);
    }
}
