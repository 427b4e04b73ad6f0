//! Corners of the engine that only a particular caller or executor reaches: a sink that panics, an
//! executor with room for one, a caller that never flushes, files that sit on what others need.
//!
//! Each was red before its mechanism existed; the mechanism stands in the test's own comment.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use ringzero::{Config, StorageIo as _, UringBackend};
use ringzero_core::{
    Boxed, CompletionSink, Engine, Executor, FileSlot, IoCompletion, IoFd, Limits, Outcome, Parts,
    Pieces, Registration, RequestId, StaticMemory, StorageIoError, SyncKind, WriteKind,
};

type TestEngine = Engine<Boxed<StaticMemory>>;

fn engine(limits: Limits) -> TestEngine {
    let memory = StaticMemory::new(Box::leak(vec![0; limits.memory_bytes() + 7].into()));
    Engine::new(&limits, Parts::boxed(&limits, memory).unwrap()).unwrap()
}

fn register(engine: &mut TestEngine) -> IoFd {
    engine.register(Registration::file(0)).unwrap().0
}

fn delivered(engine: &mut TestEngine) -> Vec<IoCompletion> {
    let mut completions = Vec::new();
    engine.deliver(&mut completions);
    completions
}

/// Does everything at once, as long as it has room.
struct AtOnce {
    room: usize,
    written_to: Vec<usize>,
}

impl AtOnce {
    fn with_room(room: usize) -> Self {
        Self { room, written_to: Vec::new() }
    }
}

impl Executor for AtOnce {
    fn room(&self) -> usize {
        self.room
    }

    fn write(
        &mut self,
        _: RequestId,
        file: FileSlot,
        pieces: Pieces<'_>,
        _: u64,
        _: WriteKind,
    ) -> Option<Outcome> {
        self.room -= 1;
        self.written_to.push(file.index());
        Some(Ok(pieces.byte_count()))
    }

    fn sync(&mut self, _: RequestId, _: FileSlot, _: SyncKind) -> Option<Outcome> {
        self.room -= 1;
        Some(Ok(0))
    }
}

/// `Stats::completed` grows with each batch, not behind the loop.
#[test]
fn a_sink_that_panics_leaves_the_counts_right() {
    struct PanicsAtTheSecondBatch(u32);
    impl CompletionSink for PanicsAtTheSecondBatch {
        fn take(&mut self, batch: &[IoCompletion]) -> usize {
            self.0 += 1;
            assert_ne!(self.0, 2, "on purpose");
            batch.len()
        }
    }
    let mut engine = engine(Limits::default());
    let file = register(&mut engine);
    for _ in 0..64 {
        engine.submit_append(file, b"x").unwrap();
    }
    engine.start(0, &mut AtOnce::with_room(100));
    let mut sink = PanicsAtTheSecondBatch(0);
    let outcome = catch_unwind(AssertUnwindSafe(|| engine.deliver(&mut sink)));
    assert!(outcome.is_err());
    let rest = delivered(&mut engine).len();
    assert!(rest > 0 && rest < 64, "{rest} were left");
    assert_eq!(engine.pending_count(), 0);
}

/// An empty open block goes back if it is not of the file's share.
#[test]
fn an_idle_file_does_not_sit_on_common_blocks() {
    let limits = Limits {
        files: 2,
        operations_per_file: 8,
        operations_common: 0,
        blocks_per_file: 1,
        blocks_common: 1,
        block_bytes: 512,
    };
    let mut engine = engine(limits);
    let (idle, busy) = (register(&mut engine), register(&mut engine));
    engine.submit_append(idle, b"x").unwrap();
    engine.submit_write(idle, b"x", 0).unwrap();
    assert_eq!(engine.submit_write(busy, &[1; 1024], 0), Err(StorageIoError::BufferExhausted));
    engine.start(0, &mut AtOnce::with_room(100));
    engine.start(0, &mut AtOnce::with_room(100));
    assert_eq!(delivered(&mut engine).len(), 2);
    assert!(engine.submit_write(busy, &[1; 1024], 0).is_ok(), "nothing is in flight");
}

/// `start` and `proceed` stop where the room ends, so who got none stays ahead.
#[test]
fn a_busy_file_does_not_keep_others_from_a_small_executor() {
    let mut engine = engine(Limits::default());
    let busy = register(&mut engine);
    let (other, slot) = engine.register(Registration::file(0)).unwrap();
    let mut executor = AtOnce::with_room(0);
    for index in 0..4 {
        engine.submit_write(busy, b"x", index * 100).unwrap();
    }
    engine.submit_write(other, b"x", 0).unwrap();
    for index in 4..20 {
        executor.room = 1;
        engine.start(0, &mut executor);
        delivered(&mut engine);
        engine.submit_write(busy, b"x", index * 100).unwrap();
    }
    assert!(executor.written_to.contains(&slot.index()), "{:?}", executor.written_to);
}

/// The inline forms are refused while the file has unfinished operations of the queued ones.
#[test]
fn inline_and_queued_forms_do_not_mix() {
    let mut engine = engine(Limits::default());
    let file = register(&mut engine);
    engine.submit_append(file, &[1; 100]).unwrap();
    let mut executor = AtOnce::with_room(10);
    let refused = Err(StorageIoError::QueueFull);
    assert_eq!(engine.write_inline(file, b"x", 2 << 20, &mut executor), refused);
    assert_eq!(engine.append_inline(file, b"x", &mut executor), refused);
    engine.start(0, &mut executor);
    assert!(engine.write_inline(file, b"x", 2 << 20, &mut executor).is_ok());
}

/// `is_group_due` says yes after a while, although something is deliverable at every poll.
#[test]
fn a_group_starts_although_nobody_flushes_and_every_poll_delivers() {
    let mut engine = engine(Limits::default());
    let (chatty, patient) = (register(&mut engine), register(&mut engine));
    let mut executor = AtOnce::with_room(usize::MAX);
    engine.submit_write(patient, b"x", 0).unwrap();
    for poll in 0.. {
        engine.submit_datasync(chatty).unwrap();
        engine.proceed(0, &mut executor);
        if engine.is_group_due() {
            engine.start(0, &mut executor);
        }
        delivered(&mut engine);
        if !executor.written_to.is_empty() {
            assert!(poll > 0, "a poll that delivers leaves the group to the flush at first");
            return;
        }
        assert!(poll < 1_000, "the write never started");
    }
}

/// The completion queue is sized for `request_count`: one long append occupies both lanes.
#[test]
fn long_appends_on_a_backend_of_few_operations_complete_by_polls_alone() {
    let limits = Limits {
        files: 2,
        operations_per_file: 1,
        operations_common: 0,
        blocks_per_file: 40,
        blocks_common: 0,
        block_bytes: 64 << 10,
    };
    assert!(limits.request_count() > limits.operation_count());
    let mut io = match UringBackend::new(&Config { limits, ..Config::default() }) {
        Ok(io) => io,
        Err(reason) => return ringzero_tests::skip::skip(format!("no io_uring: {reason}")),
    };
    for _ in 0..2 {
        let fd = io.register_fd(tempfile::tempfile().unwrap()).unwrap();
        io.submit_append(fd, &vec![7; 2 << 20]).unwrap();
    }
    io.flush().unwrap();
    let mut completions = Vec::new();
    let begin = Instant::now();
    while io.pending_count() > 0 {
        io.poll_completions(&mut completions);
        assert!(begin.elapsed() < Duration::from_secs(60), "{} are pending", io.pending_count());
    }
    assert!(completions.iter().all(|completion| completion.result == 2 << 20));
}
