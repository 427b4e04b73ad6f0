//! Mutations of the structure, one at a time; each turned at least one test here red: heapless:
//! what is refused counts; slice: what is filled is overwritten, filled_count is the last batch,
//! what is refused counts, clear does nothing; outcome: negation overflows; vec: all but the last,
//! grows although there is room.

use std::{boxed::Box, vec, vec::Vec};

use super::*;
use crate::{
    Errno,
    exercise::{Random, Step, depth, every_sequence, long_run},
};

/// One of the sinks, as its owner keeps it between polls.
enum Sink {
    Heapless3(heapless::Vec<IoCompletion, 3>),
    Heapless40(Box<heapless::Vec<IoCompletion, 40>>),
    Slice {
        memory: Vec<IoCompletion>,
        filled_count: usize,
    },
    #[cfg(feature = "alloc")]
    Std(Vec<IoCompletion>),
}

const UNTOUCHED: IoCompletion = IoCompletion { token: u64::MAX, result: i32::MIN };

impl Sink {
    fn slice(capacity: usize) -> Self {
        Self::Slice { memory: vec![UNTOUCHED; capacity], filled_count: 0 }
    }

    fn capacity(&self) -> usize {
        match self {
            Self::Heapless3(_) => 3,
            Self::Heapless40(_) => 40,
            Self::Slice { memory, .. } => memory.len(),
            #[cfg(feature = "alloc")]
            Self::Std(_) => usize::MAX,
        }
    }

    fn take(&mut self, batch: &[IoCompletion]) -> usize {
        match self {
            Self::Slice { memory, filled_count } => {
                let mut sink = SliceSink { memory, filled_count: *filled_count };
                let taken = CompletionSink::take(&mut sink, batch);
                *filled_count = sink.filled_count;
                taken
            }
            Self::Heapless3(sink) => CompletionSink::take(sink, batch),
            Self::Heapless40(sink) => CompletionSink::take(&mut **sink, batch),
            #[cfg(feature = "alloc")]
            Self::Std(sink) => {
                let had_room = sink.capacity() - sink.len() >= batch.len();
                let before = (sink.as_ptr(), sink.capacity());
                let taken = CompletionSink::take(sink, batch);
                let is_same = (sink.as_ptr(), sink.capacity()) == before;
                assert!(is_same || !had_room, "a vector with room does not allocate");
                taken
            }
        }
    }

    fn filled(&mut self) -> Vec<IoCompletion> {
        match self {
            Self::Heapless3(sink) => sink.to_vec(),
            Self::Heapless40(sink) => sink.to_vec(),
            Self::Slice { memory, filled_count } => {
                let filled_count = *filled_count;
                assert!(memory[filled_count..].iter().all(|entry| *entry == UNTOUCHED));
                SliceSink { memory, filled_count }.filled().to_vec()
            }
            #[cfg(feature = "alloc")]
            Self::Std(sink) => sink.clone(),
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Heapless3(sink) => sink.clear(),
            Self::Heapless40(sink) => sink.clear(),
            Self::Slice { memory, filled_count } => {
                let mut sink = SliceSink { memory, filled_count: *filled_count };
                sink.clear();
                *filled_count = sink.filled_count;
                memory.fill(UNTOUCHED);
            }
            #[cfg(feature = "alloc")]
            Self::Std(sink) => sink.clear(),
        }
    }
}

/// A sink, and a plain vector of what it must hold.
struct State {
    sink: Sink,
    model: Vec<IoCompletion>,
    next_token: u64,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Take(usize),
    Clear,
}

impl State {
    const fn new(sink: Sink) -> Self {
        Self { sink, model: Vec::new(), next_token: 1 }
    }

    fn step(&mut self, operation: Operation) -> Step {
        let step = match operation {
            Operation::Take(count) => {
                let tokens = self.next_token..self.next_token + count as u64;
                let new = |token: u64| IoCompletion { token, result: -(token as i32) };
                let batch: Vec<_> = tokens.map(new).collect();
                let taken = self.sink.take(&batch);
                assert_eq!(taken, count.min(self.sink.capacity() - self.model.len()));
                self.model.extend_from_slice(&batch[..taken]);
                self.next_token += count as u64;
                if taken > 0 { Step::Changed } else { Step::Nothing }
            }
            Operation::Clear => {
                self.sink.clear();
                self.model.clear();
                Step::Changed
            }
        };
        assert_eq!(self.sink.filled(), self.model);
        step
    }
}

fn small_sinks() -> Vec<fn() -> Sink> {
    vec![
        || Sink::Heapless3(heapless::Vec::new()),
        || Sink::slice(0),
        || Sink::slice(1),
        || Sink::slice(3),
        #[cfg(feature = "alloc")]
        || Sink::Std(Vec::new()),
        #[cfg(feature = "alloc")]
        || Sink::Std(Vec::with_capacity(3)),
    ]
}

#[test]
fn every_short_sequence_of_batches_fills_each_sink_from_the_front_of_the_batch() {
    let operations = [0, 1, 2, 4].map(Operation::Take);
    let operations = [&operations[..], &[Operation::Clear]].concat();
    let mut run = 0;
    for sink in small_sinks() {
        run += every_sequence(&operations, depth(5), || State::new(sink()), State::step);
    }
    assert!(run > 1_000 || cfg!(miri), "{run} sequences");
}

#[test]
fn a_long_random_run_of_batches_fills_each_sink_from_the_front_of_the_batch() {
    let mut states = vec![
        State::new(Sink::Heapless40(Box::default())),
        State::new(Sink::slice(50)),
        #[cfg(feature = "alloc")]
        State::new(Sink::Std(Vec::with_capacity(40))),
    ];
    for state in &mut states {
        let (mut refused, mut empty) = (0, 0);
        long_run("sink", |random: &mut Random| {
            let is_unbounded = state.sink.capacity() == usize::MAX;
            let operation = match random.below(if is_unbounded { 12 } else { 24 }) {
                0 => Operation::Clear,
                _ => Operation::Take(random.below(8)),
            };
            let step = state.step(operation);
            refused += usize::from(step == Step::Nothing);
            empty += usize::from(state.model.is_empty());
        });
        assert!(cfg!(miri) || refused.min(empty) > 100, "{refused} {empty}");
    }
}

#[test]
fn a_trait_object_is_a_sink() {
    let mut memory = [UNTOUCHED; 2];
    let mut sink = SliceSink::new(&mut memory);
    let object: &mut dyn CompletionSink = &mut sink;
    assert_eq!(object.take(&[IoCompletion::default()]), 1);
    assert_eq!(sink.filled(), [IoCompletion::default()]);
}

#[test]
fn an_outcome_is_bytes_or_the_error() {
    let outcome = |result| IoCompletion { token: 1, result }.outcome();
    assert_eq!(outcome(0), Ok(0));
    assert_eq!(outcome(i32::MAX), Ok(i32::MAX as u32));
    assert_eq!(outcome(-Errno::NOSPC.number()), Err(Errno::NOSPC));
    assert_eq!(outcome(-i32::MAX), Err(Errno::new(i32::MAX)));
    assert_eq!(outcome(i32::MIN), Err(Errno::IO), "no number, and no panic");
}
