//! Which writes wait, of an engine whose executor answers in any order, beside a list that
//! everything is compared with; and how many records are looked at for it.
//!
//! # Mutations
//! Each turned at least one test here red: the gap does not restart behind a single write, does not
//! begin behind the newest, ends where the highest of the others begins, ends in front of writes
//! that are not behind the new one; the others are taken for gone though they are not, `since` is
//! not kept; a crossing write keeps its bucket; the granule before, the one behind is not looked
//! at; wide writes are not compared; of the index: only the head is removed, the rest of a chain is
//! lost, a record is taken for the only one though another is in front. Not seen, because they cost
//! time only: never refitted, not refitted for a longer write.

use core::cell::Cell;
use std::{format, rc::Rc, vec, vec::Vec};

use super::*;
use crate::{
    Block, Engine, Executor, FileSlot, IoCompletion, IoFd, Limits, OpenFile, Outcome, Parts,
    Pieces, Registration, RequestId, Storage, SyncKind, WriteKind,
    engine::operation::BLOCKED,
    exercise::{Random, Step, TestMemory, depth, every_sequence, long_run},
};

/// Operations that count how often one of them is looked at.
#[derive(Debug)]
struct Watched {
    operations: Vec<Operation>,
    looks: Rc<Cell<u64>>,
}

impl crate::slots::sealed::Sealed for Watched {}

impl Slots<Operation> for Watched {
    fn as_slice(&self) -> &[Operation] {
        self.looks.set(self.looks.get() + 1);
        &self.operations
    }

    fn as_mut_slice(&mut self) -> &mut [Operation] {
        self.looks.set(self.looks.get() + 1);
        &mut self.operations
    }
}

#[derive(Debug)]
struct Tested;

impl Storage for Tested {
    type Operations = Watched;
    type Files = Vec<OpenFile>;
    type Blocks = Vec<Block>;
    type Ranges = Vec<u32>;
    type Queue = Vec<u16>;
    type Memory = TestMemory;
}

impl<T> crate::slots::sealed::Sealed for Vec<T> {}

impl<T> Slots<T> for Vec<T> {
    fn as_slice(&self) -> &[T] {
        self
    }

    fn as_mut_slice(&mut self) -> &mut [T] {
        self
    }
}

/// Answers nothing by itself.
#[derive(Default)]
struct Held(Vec<(RequestId, u32)>);

impl Executor for Held {
    fn room(&self) -> usize {
        usize::MAX
    }

    fn write(
        &mut self,
        id: RequestId,
        _: FileSlot,
        data: Pieces<'_>,
        _: u64,
        _: WriteKind,
    ) -> Option<Outcome> {
        self.0.push((id, data.byte_count()));
        None
    }

    fn sync(&mut self, _: RequestId, _: FileSlot, _: SyncKind) -> Option<Outcome> {
        Some(Ok(0))
    }
}

/// An unfinished write.
#[derive(Clone, Copy, Debug)]
struct Unfinished {
    token: u64,
    file: usize,
    range: (u64, u64),
}

/// An engine with two files, and the writes that are unfinished.
struct State {
    engine: Engine<Tested>,
    fds: [IoFd; 2],
    executor: Held,
    unfinished: Vec<Unfinished>,
    /// How many waited so far.
    blocked: u64,
    looks: Rc<Cell<u64>>,
}

#[derive(Clone, Copy, Debug)]
enum Action {
    /// File, offset and length of a write.
    Write(usize, u64, usize),
    /// Answers the request that was handed over so many requests ago, from the oldest.
    Answer(usize),
}

impl State {
    /// With room for so many operations, in so many blocks of so many bytes.
    fn new(operations: u32, (blocks, block_bytes): (u32, u32)) -> Self {
        let limits = Limits {
            files: 2,
            operations_per_file: 1,
            operations_common: operations,
            blocks_per_file: 1,
            blocks_common: blocks,
            block_bytes,
        };
        let operations = vec![Operation::EMPTY; limits.operation_count() as usize];
        let looks = Rc::new(Cell::new(0));
        let parts = Parts::<Tested> {
            operations: Watched { operations, looks: looks.clone() },
            files: vec![OpenFile::EMPTY; 2],
            blocks: vec![Block::EMPTY; limits.block_count() as usize],
            ranges: vec![0; limits.range_count() as usize],
            ready: vec![0; limits.queue_count() as usize],
            urgent: vec![0; limits.queue_count() as usize],
            memory: TestMemory::new(limits.memory_bytes()),
        };
        let mut engine = Engine::new(&limits, parts).unwrap();
        let fds = [0, 1].map(|_| engine.register(Registration::file(0)).unwrap().0);
        let (executor, unfinished) = (Held::default(), Vec::new());
        Self { engine, fds, executor, unfinished, blocked: 0, looks }
    }

    fn step(&mut self, action: Action) -> Step {
        match action {
            Action::Write(file, offset, len) => self.write(file, offset, len),
            Action::Answer(turn) if turn < self.executor.0.len() => {
                let (id, byte_count) = self.executor.0.remove(turn);
                self.engine.complete(id, Ok(byte_count));
                self.settle();
                Step::Changed
            }
            Action::Answer(_) => Step::Nothing,
        }
    }

    /// Starts what may run, and forgets what has ended.
    fn settle(&mut self) {
        self.engine.start(0, &mut self.executor);
        for IoCompletion { token, result } in self.deliver() {
            let at = self.unfinished.iter().position(|write| write.token == token).unwrap();
            let (offset, end) = self.unfinished.remove(at).range;
            assert_eq!(result as u64, end - offset, "the result is the length");
        }
        if self.unfinished.is_empty() {
            assert_eq!(self.engine.ranges.check(), 0, "ranges of writes that have ended");
            for slot in 0..2 {
                let file = self.engine.files.records.at(slot);
                assert_eq!((file.crossing, file.wide, file.is_indexed), (0, 0, false));
            }
        }
    }

    /// What has ended; after every answer, so that it is little.
    fn deliver(&mut self) -> heapless::Vec<IoCompletion, 64> {
        let mut ended = heapless::Vec::new();
        self.engine.deliver(&mut ended);
        ended
    }

    /// A write waits exactly if it overlaps an unfinished one of its file.
    fn write(&mut self, file: usize, offset: u64, len: usize) -> Step {
        let Ok(token) = self.engine.submit_write(self.fds[file], &vec![7; len], offset) else {
            return Step::Nothing;
        };
        let end = offset + len as u64;
        let overlaps = self
            .unfinished
            .iter()
            .any(|write| write.file == file && write.range.0 < end && offset < write.range.1);
        let newest = self.engine.files.records.at(file as u32).writes.tail;
        let waits = self.engine.operations.records.at(newest).has(BLOCKED);
        assert_eq!(waits, overlaps, "{offset}..{end} beside {:?}", self.unfinished);
        self.blocked += u64::from(waits);
        self.unfinished.push(Unfinished { token, file, range: (offset, end) });
        self.engine.start(0, &mut self.executor);
        Step::Changed
    }

    /// Looks at records per write: this many writes of this length, at places that `place` gives,
    /// `window` of them unfinished while a new one is accepted. Every fourth write ends before the
    /// three that are older than it.
    fn looks_per_write(window: usize, count: u64, len: usize, place: impl Fn(u64) -> u64) -> f64 {
        let block_bytes = len.next_power_of_two().max(1024) as u32;
        let mut state = Self::new(window as u32 + 8, (window as u32 + 8, block_bytes));
        let mut looked = 0;
        for turn in 0..count {
            let fd = state.fds[0];
            let before = state.looks.get();
            state.engine.submit_write(fd, &vec![7; len], place(turn)).unwrap();
            state.engine.start(0, &mut state.executor);
            while state.executor.0.len() >= window {
                let at = if turn % 4 == 0 { 3.min(window - 1) } else { 0 };
                let (id, byte_count) = state.executor.0.remove(at);
                state.engine.complete(id, Ok(byte_count));
                state.deliver();
            }
            looked += state.looks.get() - before;
        }
        looked as f64 / count as f64
    }
}

/// Writes of one to three bytes within the first six, one of another file, and answers.
fn small_actions() -> Vec<Action> {
    let mut actions = Vec::new();
    for offset in [0, 1, 2, 4] {
        for len in [1, 2] {
            actions.push(Action::Write(0, offset, len));
        }
    }
    actions.extend([Action::Write(0, 1, 3), Action::Write(1, 1, 1)]);
    actions.extend((0..2).map(Action::Answer));
    actions
}

#[test]
fn in_every_short_sequence_exactly_those_wait_that_overlap() {
    let run = every_sequence(&small_actions(), depth(5), || State::new(8, (16, 1024)), State::step);
    assert!(run > 10_000 || cfg!(miri), "{run} sequences");
}

#[test]
fn the_same_of_writes_around_the_ends_of_granules() {
    let mut actions = Vec::new();
    for (offset, len) in [(0, 64), (64, 64), (100, 40), (127, 2), (500, 600), (1024, 512)] {
        actions.push(Action::Write(0, offset, len));
    }
    actions.extend([(60_000, 70_000), (65_536, 10)].map(|(at, len)| Action::Write(0, at, len)));
    actions.extend((0..2).map(Action::Answer));
    let run = every_sequence(&actions, depth(5), || State::new(8, (512, 1024)), State::step);
    assert!(run > 10_000 || cfg!(miri), "{run} sequences");
}

#[test]
fn a_write_that_reaches_into_the_next_granule_is_met_there() {
    let mut state = State::new(8, (64, 1024));
    // Backward twice, with the first two unfinished: indexed, with granules of 64 bytes.
    for offset in [1_000, 500, 0] {
        assert_eq!(state.write(0, offset, 10), Step::Changed);
    }
    let file = state.engine.files.records.at(0);
    assert_eq!((file.is_indexed, file.granule_shift, file.crossing), (true, 6, 0));
    for (offset, len) in [(60, 10), (64, 4), (70, 4)] {
        assert_eq!(state.write(0, offset, len), Step::Changed);
    }
    assert_eq!(state.blocked, 1, "the second of them, which is in the next granule");
}

#[test]
fn in_a_long_random_run_exactly_those_wait_that_overlap() {
    let mut state = State::new(60, (2_000, 1024));
    let (mut crowded, mut none, mut indexed, mut split) = (0, 0, 0, 0);
    let mut next = 0;
    long_run("order", |random: &mut Random| {
        let file = random.below(8) / 7;
        let len = 1 + random.pick(&[63, 63, 63, 600, 9_000, 200_000]) / (1 + random.below(3));
        let action = match (random.adds(), random.below(4)) {
            (false, _) => Action::Answer(random.below(state.executor.0.len().max(1))),
            (_, 0) => Action::Write(file, random.below(200_000) as u64, len),
            (_, 1) => Action::Write(file, random.below(3_000) as u64 * 64, 64),
            // A circular log.
            _ => {
                next = if next > 4_000 { 0 } else { next + 64 };
                Action::Write(file, next, 64)
            }
        };
        state.step(action);
        crowded += u32::from(state.unfinished.len() > 50);
        none += u32::from(state.unfinished.is_empty());
        let file = state.engine.files.records.at(0);
        indexed += u32::from(file.is_indexed);
        split += u32::from(!file.is_indexed && file.gap.end != u64::MAX);
    });
    let seen = format!("{crowded} {none} {indexed} {split} {}", state.blocked);
    let least = crowded.min(none).min(indexed).min(split);
    assert!(cfg!(miri) || least > 20 && state.blocked > 1_000, "{seen}");
    while state.step(Action::Answer(0)) == Step::Changed {}
    assert!(state.unfinished.is_empty());
}

const WINDOWS: [usize; 3] = [8, 64, 1_024];
const COUNT: u64 = if cfg!(miri) { 100 } else { 20_000 };

/// Looks at records per write do not grow with the window.
fn stays_flat(name: &str, len: usize, place: impl Fn(u64) -> u64) {
    let looks = WINDOWS.map(|window| State::looks_per_write(window, COUNT, len, &place));
    std::println!("{name}: {looks:.1?}");
    assert!(looks[2] < looks[0] + 12.0, "{name}: {looks:?}");
}

/// Multiples of `len` below 8 MiB, in no order and each at most once in 1,024.
fn scattered(turn: u64, len: u64) -> u64 {
    (turn * 40_503 % (8 << 20 >> len.ilog2())) * len
}

#[test]
fn a_circular_writer_looks_at_no_more_for_more_in_flight() {
    stays_flat("circular, strided", 64, |turn| turn % 4_096 * 128);
    stays_flat("circular, adjacent", 64, |turn| turn % 4_096 * 64);
    stays_flat("circular, 100 bytes", 100, |turn| turn % 3_000 * 100);
}

#[test]
fn a_log_with_a_header_looks_at_no_more_for_more_in_flight() {
    // A ring of slots in front, a log behind it.
    stays_flat("log with header", 64, |turn| match turn % 4 {
        0 => turn / 4 % 2_048 * 64,
        _ => (1 << 20) + turn % 16_384 * 64,
    });
}

#[test]
fn a_random_writer_looks_at_no_more_for_more_in_flight() {
    stays_flat("random, 64 bytes", 64, |turn| scattered(turn, 64));
    stays_flat("random, 50 bytes at any place", 50, |turn| scattered(turn, 64) + turn % 15);
    stays_flat("descending", 64, |turn| (COUNT - turn) * 64);
}

#[test]
fn a_walk_for_each_write_would_be_noticed() {
    // Wide writes are compared with all that are in flight, and the counter sees it.
    let place = |turn: u64| (turn * 37 % 64) << 17;
    let looks = [8, 32].map(|window| State::looks_per_write(window, 300, 70_000, place));
    assert!(looks[1] > looks[0] + 12.0, "{looks:?}");
}
