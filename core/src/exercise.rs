//! How the tables are tested: every short sequence of operations on a tiny instance, then a random
//! long one, both through the same step function, which compares with a model after each operation.
//!
//! The step function says whether the operation did anything. One that did nothing (it does not
//! apply, or was refused without a trace, which the step has checked) ends its sequence: what could
//! follow is tried without it. That keeps "every sequence" affordable.
//!
//! The seed of a random run is printed when the run fails; `RINGZERO_SEED=0x..` chooses another
//! one. Under Miri the runs are short.
//!
//! # Safety
//! [`TestMemory`] owns its words behind a raw pointer from construction to drop, so moving it moves
//! no byte, and hands out no reference to them.
#![allow(unsafe_code)]

use core::{fmt::Debug, ptr::NonNull};
use std::{boxed::Box, vec, vec::Vec};

use crate::{Piece, StableMemory};

/// Operations in a random run.
pub(crate) const LONG: u32 = if cfg!(miri) { 300 } else { 100_000 };

/// The depth of an exhaustive run: `full`, and less where every step is slow.
pub(crate) const fn depth(full: usize) -> usize {
    if cfg!(miri) && full > 3 { 3 } else { full }
}

/// What a step did to the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Changed,
    Nothing,
}

/// Runs every sequence of up to `depth` operations, each from a new state, and returns how many
/// were run to their full length.
pub(crate) fn every_sequence<O: Copy + Debug, S>(
    operations: &[O],
    depth: usize,
    new: impl Fn() -> S,
    step: impl Fn(&mut S, O) -> Step,
) -> u64 {
    let mut digits = vec![0; depth];
    let mut complete = 0;
    loop {
        let mut state = new();
        let mut trail = Trail { operations: Vec::with_capacity(depth) };
        for &digit in &digits {
            trail.operations.push(operations[digit]);
            if step(&mut state, operations[digit]) == Step::Nothing {
                break;
            }
        }
        let reached = trail.operations.len();
        complete += u64::from(reached == depth);
        let Some(last) = digits[..reached].iter().rposition(|d| d + 1 < operations.len()) else {
            return complete;
        };
        digits[last] += 1;
        // Not `fill(0)` in place: LLVM 22 drops it, because it takes the zeros of the first
        // allocation to be still there, and the run would end early.
        digits.truncate(last + 1);
        digits.resize(depth, 0);
    }
}

/// The sequence that runs; told when its check fails.
struct Trail<O: Debug> {
    operations: Vec<O>,
}

impl<O: Debug> Drop for Trail<O> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::eprintln!("the sequence that failed: {:?}", self.operations);
        }
    }
}

/// Runs [`LONG`] random steps.
pub(crate) fn long_run(name: &str, mut step: impl FnMut(&mut Random)) {
    let mut random = Random::new(seed());
    std::println!("{name}: RINGZERO_SEED={:#x}", random.seed);
    for _ in 0..LONG {
        step(&mut random);
    }
}

/// The seed from the environment, or always the same one: what a run reaches is asserted too.
fn seed() -> u64 {
    let given = std::env::var("RINGZERO_SEED").ok();
    let given = given.and_then(|text| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok());
    given.unwrap_or(0x5EED)
}

/// A small random generator: xorshift64*, Vigna, ACM TOMS 42 (2016), 30.
pub(crate) struct Random {
    seed: u64,
    state: u64,
    phase_left: u32,
    phase_eighths: u64,
}

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        // The state must not be zero; the constant spreads seeds that differ in few bits.
        let state = (seed ^ 0x9E37_79B9_7F4A_7C15) | 1;
        Self { seed, state, phase_left: 0, phase_eighths: 0 }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number from 0 to `end`, exclusive.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (((self.next() >> 32) * end as u64) >> 32) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Whether to add rather than take away: nearly always, half the time or rarely, in phases of
    /// random length, so that what is tested is full for a while and empty for a while.
    pub(crate) fn adds(&mut self) -> bool {
        if self.phase_left == 0 {
            self.phase_left = 1 + self.below(256) as u32;
            self.phase_eighths = self.pick(&[1, 4, 7]);
        }
        self.phase_left -= 1;
        self.next() >> 61 < self.phase_eighths
    }
}

/// Memory that is given back when dropped, so that tests with a million instances leak nothing.
#[derive(Debug)]
pub(crate) struct TestMemory {
    words: NonNull<[u64]>,
    byte_count: usize,
}

/// What a byte of [`TestMemory`] is until it is written.
pub(crate) const UNTOUCHED: u8 = 0xA5;

impl TestMemory {
    pub(crate) fn new(byte_count: usize) -> Self {
        let words = vec![u64::from_ne_bytes([UNTOUCHED; 8]); byte_count.div_ceil(8)];
        let words = NonNull::from(Box::leak(words.into_boxed_slice()));
        Self { words, byte_count }
    }

    /// A copy of all bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut copy = vec![0; self.byte_count];
        // SAFETY: `byte_count` initialised bytes of live memory into a vector of that length.
        unsafe { copy.as_mut_ptr().copy_from_nonoverlapping(self.base().as_ptr(), copy.len()) };
        copy
    }

    /// How far into the memory an address is.
    pub(crate) fn offset_of<T>(&self, address: *const T) -> usize {
        address as usize - self.base().as_ptr() as usize
    }
}

impl Drop for TestMemory {
    fn drop(&mut self) {
        // SAFETY: `new` leaked the box; nothing uses the memory after its owner.
        drop(unsafe { Box::from_raw(self.words.as_ptr()) });
    }
}

// SAFETY: the words stay where they are until drop and are aligned to 8.
unsafe impl StableMemory for TestMemory {
    fn base(&self) -> NonNull<u8> {
        self.words.cast()
    }

    fn byte_count(&self) -> usize {
        self.byte_count
    }
}

static_assertions::const_assert!(align_of::<u64>() >= align_of::<Piece>());

#[test]
fn every_sequence_means_every_sequence() {
    use core::cell::RefCell;
    let seen = RefCell::new(Vec::new());
    let step = |state: &mut Vec<u8>, operation: u8| {
        state.push(operation);
        seen.borrow_mut().push(state.clone());
        if operation == 2 { Step::Nothing } else { Step::Changed }
    };
    let complete = every_sequence(&[0, 1, 2], 3, Vec::new, step);
    let mut seen = seen.into_inner();
    seen.sort_unstable();
    seen.dedup();
    // 0 and 1 go on, 2 ends its sequence: 3 of length 1, 2 × 3 of length 2, 4 × 3 of length 3.
    assert_eq!((seen.len(), complete), (3 + 6 + 12, 12));
}

#[test]
fn a_seed_repeats_its_run_and_phases_fill_and_drain() {
    let run = |seed| {
        let mut random = Random::new(seed);
        let mut level = 0i64;
        (0..2_000).fold((0, 0), |(low, high), _| {
            level += if random.adds() { 1 } else { -1 };
            (level.min(low), level.max(high))
        })
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
    let mut random = Random::new(0);
    let mut hits = [0; 5];
    (0..5_000).for_each(|_| hits[random.below(5)] += 1);
    assert!(hits.iter().all(|hit| (800..1_200).contains(hit)), "{hits:?}");
}
