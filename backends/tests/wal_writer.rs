//! The loop of the example `wal` over a backend that refuses, delays, reorders and fails: what it
//! calls committed is what was synced, exactly.
//!
//! # Mutations
//! | removed | red |
//! |---|---|
//! | what is committed before the next segment begins | the test of segments |
//! | the order of asking for room and beginning a batch (its datasync is lost) | the same |
#![allow(clippy::unwrap_used, reason = "what the tests share is test code too")]

#[path = "../examples/wal/failure.rs"]
#[allow(dead_code, reason = "the program uses the rest")]
mod failure;
#[path = "../examples/wal/format/mod.rs"]
#[allow(dead_code, reason = "the program uses the rest")]
mod format;
#[path = "../examples/wal/lines.rs"]
#[allow(dead_code, reason = "the program uses the rest")]
mod lines;
#[path = "../examples/wal/platform.rs"]
#[allow(dead_code, unused_imports, reason = "the program uses the rest")]
mod platform;
#[path = "../examples/wal/progress.rs"]
mod progress;
#[path = "../examples/wal/segments.rs"]
#[allow(dead_code, reason = "the program uses the rest")]
mod segments;
#[path = "../examples/wal/source.rs"]
#[allow(dead_code, reason = "the program uses the rest")]
mod source;
#[path = "../examples/wal/writer.rs"]
#[allow(dead_code, reason = "the program uses the rest")]
mod writer;

use std::{collections::VecDeque, fs, fs::File, time::Duration};

use format::{Scanner, Step};
use lines::{Lines, WINDOW_BYTES};
use progress::Progress;
use ringzero::{
    Claim, CompletionSink, Config, Errno, FileStatus, IoCompletion, IoFd, Limits, Stats,
    StorageIoError, StorageIoExt, SyncBackend,
};
use ringzero_core::StorageIo;
use segments::Segments;
use source::Source;
use tempfile::TempDir;
use writer::{Log, Pace, Stop, Tally, Writer};

const SEGMENT_BYTES: u64 = 128 << 10;

enum Operation {
    Append(Vec<u8>),
    Sync,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// The append with this number finds the device full.
    Full(u64),
    /// The datasync with this number fails.
    Sync(u64),
}

/// Executes in order, some at each wait; answers datasyncs in any order, after what they cover.
struct Scripted {
    random: u64,
    capacity: usize,
    fault: Fault,
    has_failed: bool,
    accepted: VecDeque<(u64, Operation)>,
    late: Vec<IoCompletion>,
    finished: Vec<IoCompletion>,
    tokens: u64,
    appends: u64,
    syncs: u64,
    log: Vec<u8>,
    scanner: Scanner,
    /// Whole records, and bytes, when the last good datasync was executed.
    synced_records: u64,
    synced_bytes: usize,
    /// Of a log of segments: the handle, how many there were, what was accepted for the last one.
    segments: Option<(IoFd, u32, u64)>,
    is_header_next: bool,
}

impl Scripted {
    fn new(seed: u64, fault: Fault) -> Self {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
        Self {
            capacity: 1 + next(&mut random, 40) as usize,
            random,
            fault,
            has_failed: false,
            accepted: VecDeque::new(),
            late: Vec::new(),
            finished: Vec::new(),
            tokens: 0,
            appends: 0,
            syncs: 0,
            log: Vec::new(),
            scanner: Scanner::new(),
            synced_records: 0,
            synced_bytes: 0,
            segments: None,
            is_header_next: false,
        }
    }

    fn accept(&mut self, operation: Operation) -> Result<u64, StorageIoError> {
        if self.pending_count() >= self.capacity {
            return Err(StorageIoError::QueueFull);
        }
        if self.pending_count() > 0 && next(&mut self.random, 10) == 0 {
            return Err(StorageIoError::BufferExhausted);
        }
        // Not in order: a token is only ever compared for equality.
        self.tokens += 1;
        let token = self.tokens.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.accepted.push_back((token, operation));
        Ok(token)
    }

    /// What was appended is a header or a fragment, and goes on where the log was.
    fn read(&mut self, data: &[u8]) {
        if std::mem::take(&mut self.is_header_next) {
            let (_, sequence, _) = self.segments.unwrap();
            assert!(self.scanner.enter(sequence, data), "{data:?}");
        } else {
            let step = self.scanner.step(data);
            assert!(matches!(step, Step::Fragment { .. }), "{step:?}");
        }
    }

    fn execute(&mut self, token: u64, operation: Operation) {
        let canceled = -Errno::CANCELED.number();
        match operation {
            Operation::Append(data) => {
                self.appends += 1;
                let result = if self.fault == Fault::Full(self.appends) {
                    self.has_failed = true;
                    -Errno::NOSPC.number()
                } else if self.has_failed {
                    canceled
                } else {
                    self.log.extend_from_slice(&data);
                    self.read(&data);
                    data.len() as i32
                };
                self.finished.push(IoCompletion { token, result });
            }
            Operation::Sync => {
                self.syncs += 1;
                let result = match self.fault {
                    Fault::Sync(number) if self.syncs == number => {
                        self.has_failed = true;
                        -Errno::IO.number()
                    }
                    Fault::Sync(_) if self.has_failed => canceled,
                    // The failure may have been reported by now: success is possible again.
                    _ if self.has_failed && next(&mut self.random, 2) == 0 => {
                        -Errno::NOSPC.number()
                    }
                    _ => 0,
                };
                if !self.has_failed {
                    self.synced_records = self.scanner.record_count();
                    self.synced_bytes = self.log.len();
                }
                self.late.push(IoCompletion { token, result });
            }
        }
    }
}

fn next(random: &mut u64, below: u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random % below
}

impl StorageIo for Scripted {
    type File = File;

    fn register_fd(&mut self, _: File) -> Result<IoFd, StorageIoError> {
        Err(StorageIoError::QueueFull)
    }

    fn deregister_fd(&mut self, _: IoFd) -> Result<(), StorageIoError> {
        assert_eq!(self.pending_count(), 0, "everything is known of what was appended");
        assert_eq!(self.synced_bytes, self.log.len(), "and durable");
        Ok(())
    }

    fn submit_write(&mut self, _: IoFd, _: &[u8], _: u64) -> Result<u64, StorageIoError> {
        Err(StorageIoError::Io(Errno::INVAL))
    }

    fn submit_append(&mut self, _: IoFd, data: &[u8]) -> Result<u64, StorageIoError> {
        let token = self.accept(Operation::Append(data.to_vec()))?;
        if let Some((_, _, accepted)) = &mut self.segments {
            *accepted += data.len() as u64;
            assert!(*accepted <= SEGMENT_BYTES, "it was asked for room");
        }
        Ok(token)
    }

    fn submit_datasync(&mut self, _: IoFd) -> Result<u64, StorageIoError> {
        self.accept(Operation::Sync)
    }

    fn flush(&mut self) -> Result<usize, StorageIoError> {
        Ok(0)
    }

    fn poll_completions(&mut self, out: &mut dyn CompletionSink) {
        let taken = out.take(&self.finished);
        self.finished.drain(..taken);
    }

    fn pending_count(&self) -> usize {
        self.accepted.len() + self.late.len() + self.finished.len()
    }
}

impl StorageIoExt for Scripted {
    type File = File;

    fn wait(&mut self, min: usize, _: Option<Duration>) -> Result<usize, StorageIoError> {
        let min = min.min(self.pending_count());
        loop {
            for _ in 0..next(&mut self.random, 20) {
                let Some((token, operation)) = self.accepted.pop_front() else { break };
                self.execute(token, operation);
            }
            for _ in 0..next(&mut self.random, 4).min(self.late.len() as u64) {
                let at = next(&mut self.random, self.late.len() as u64) as usize;
                self.finished.push(self.late.swap_remove(at));
            }
            if self.finished.len() >= min {
                return Ok(self.finished.len());
            }
        }
    }

    fn tail(&self, _: IoFd) -> Result<u64, StorageIoError> {
        Ok(self.log.len() as u64)
    }

    fn room(&self, _: IoFd) -> Result<u64, StorageIoError> {
        Ok(self.segments.map_or(u64::MAX, |(_, _, accepted)| SEGMENT_BYTES - accepted))
    }

    fn alignment(&self, _: IoFd) -> Result<u32, StorageIoError> {
        Ok(1)
    }

    fn resume_append(&mut self, _: IoFd) -> Result<u64, StorageIoError> {
        Ok(self.log.len() as u64)
    }

    fn max_write(&self) -> usize {
        format::FRAGMENT_BYTES
    }

    fn can_accept(&self, _: IoFd, _: usize) -> Result<(), StorageIoError> {
        Ok(())
    }

    fn register_segment(&mut self, _: File, _: u64, _: u64) -> Result<IoFd, StorageIoError> {
        let (handle, count, accepted) = self.segments.as_mut().ok_or(StorageIoError::QueueFull)?;
        (*count, *accepted) = (*count + 1, 0);
        self.is_header_next = true;
        Ok(*handle)
    }

    fn durable_tail(&self, _: IoFd) -> Result<u64, StorageIoError> {
        Ok(0)
    }

    fn max_claim(&self) -> usize {
        0
    }

    fn claim_write(&mut self, _: IoFd, _: usize, _: u64) -> Result<Claim<'_>, StorageIoError> {
        Err(StorageIoError::BufferExhausted)
    }

    fn claim_append(&mut self, _: IoFd, _: usize) -> Result<Claim<'_>, StorageIoError> {
        Err(StorageIoError::BufferExhausted)
    }

    fn submit_writev(&mut self, fd: IoFd, it: &[&[u8]], at: u64) -> Result<u64, StorageIoError> {
        self.submit_write(fd, &it.concat(), at)
    }

    fn submit_appendv(&mut self, fd: IoFd, it: &[&[u8]]) -> Result<u64, StorageIoError> {
        self.submit_append(fd, &it.concat())
    }

    fn stats(&self) -> Stats {
        Stats::default()
    }

    fn file_status(&self, _: IoFd) -> Result<FileStatus, StorageIoError> {
        Ok(FileStatus::default())
    }

    fn shutdown(&mut self, _: Duration) -> Result<(), StorageIoError> {
        Ok(())
    }
}

/// Writes `text` through a scripted backend to a log of one file.
fn write(text: &[u8], seed: u64, fault: Fault) -> (Result<(), Stop>, Tally, u64, Scripted) {
    write_to(false, text, seed, fault)
}

fn write_to(
    is_chain: bool,
    text: &[u8],
    seed: u64,
    fault: Fault,
) -> (Result<(), Stop>, Tally, u64, Scripted) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("in");
    fs::write(&path, text).unwrap();
    let mut lines = Lines::new(Source::open(&path).unwrap(), WINDOW_BYTES);
    // A handle is needed, of whatever backend.
    let mut other = SyncBackend::new(&Config::default()).unwrap();
    let log = ringzero::StorageIo::register_fd(
        &mut other,
        File::create(folder.path().join("log")).unwrap(),
    );

    let mut scripted = Scripted::new(seed, fault);
    let mut random = scripted.random;
    let pace = Pace {
        committers: 1 + next(&mut random, 12) as usize,
        lines_per_commit: 1 + next(&mut random, 9) as u32,
    };
    let progress = Progress::start("", None);
    let limits = Limits::default();
    let log = log.unwrap();
    let mut chain =
        is_chain.then(|| Segments::create(&folder.path().join("chain"), SEGMENT_BYTES).unwrap());
    scripted.segments = is_chain.then_some((log, 0, 0));
    let log = chain.as_mut().map_or(Log::File(log), Log::Segments);
    let mut writer = Writer::new(&mut scripted, &limits, log, pace, progress.counter()).unwrap();
    let result = writer.run(&mut lines);
    if result.is_err() {
        writer.drain();
    }
    let (tally, latency, _) = writer.into_results();
    (result, tally, latency.len(), scripted)
}

fn text(seed: u64) -> (Vec<u8>, u64) {
    let mut random = seed + 1;
    let count = next(&mut random, 300);
    let mut text = Vec::new();
    for number in 0..count {
        let length = if number % 97 == 96 { 200_000 } else { next(&mut random, 30) as usize };
        text.extend_from_slice(&vec![b'a' + (number % 26) as u8; length]);
        text.push(b'\n');
    }
    (text, count)
}

#[test]
fn all_lines_are_committed_in_order_whatever_the_backend_does() {
    for seed in 0..300 {
        let (text, count) = text(seed);
        let (result, tally, latencies, scripted) = write(&text, seed, Fault::None);
        assert!(result.is_ok(), "seed {seed}: {result:?}");
        assert_eq!((tally.records, tally.committed), (count, count), "seed {seed}");
        assert_eq!(tally.bytes, scripted.log.len() as u64, "seed {seed}");
        assert_eq!(scripted.synced_records, count, "seed {seed}");
        assert_eq!((tally.commits, latencies), (scripted.syncs, scripted.syncs), "seed {seed}");
        assert_eq!(scripted.pending_count(), 0, "seed {seed}");
    }
}

#[test]
fn a_segment_is_durable_before_the_next_begins_and_every_batch_is_synced() {
    let mut segments = 0;
    for seed in 0..60 {
        // Now and then just the last line does not fit any more.
        let three = [&[b'x'; 65_000][..], b"\n"].concat().repeat(3);
        let (text, count) = if seed % 10 == 0 { (three, 3) } else { text(seed) };
        let (result, tally, latencies, scripted) = write_to(true, &text, seed, Fault::None);
        assert!(result.is_ok(), "seed {seed}: {result:?}");
        assert_eq!((tally.records, tally.committed), (count, count), "seed {seed}");
        assert_eq!((scripted.synced_records, scripted.pending_count()), (count, 0), "seed {seed}");
        assert_eq!(scripted.synced_bytes, scripted.log.len(), "seed {seed}");
        assert_eq!((tally.commits, latencies), (scripted.syncs, scripted.syncs), "seed {seed}");
        segments += tally.segments;
    }
    assert!(segments > 100, "{segments}");
}

#[test]
fn after_a_full_device_what_is_called_committed_is_what_was_synced() {
    let mut failures = 0;
    for seed in 0..300 {
        let (text, count) = text(seed);
        let fault = Fault::Full(1 + seed);
        let (result, tally, _, scripted) = write(&text, seed, fault);
        assert_eq!(tally.committed, scripted.synced_records, "seed {seed}");
        assert_eq!(scripted.pending_count(), 0, "seed {seed}");
        match result {
            Ok(()) => assert!(!scripted.has_failed && tally.committed == count, "seed {seed}"),
            Err(Stop::Append(Errno::NOSPC)) => failures += 1,
            Err(stop) => panic!("seed {seed}: {stop:?}"),
        }
    }
    assert!(failures > 50, "{failures}");
}

#[test]
fn after_a_failed_datasync_what_is_called_committed_is_what_was_synced_before() {
    let mut failures = 0;
    for seed in 0..300 {
        let (text, count) = text(seed);
        let fault = Fault::Sync(1 + seed / 10);
        let (result, tally, _, scripted) = write(&text, seed, fault);
        assert_eq!(tally.committed, scripted.synced_records, "seed {seed}");
        assert_eq!(scripted.pending_count(), 0, "seed {seed}");
        match result {
            Ok(()) => assert!(!scripted.has_failed && tally.committed == count, "seed {seed}"),
            // An append that was cancelled for it may be told first, or a later datasync.
            Err(Stop::Append(Errno::CANCELED) | Stop::Datasync(Errno::IO | Errno::CANCELED)) => {
                failures += 1;
            }
            Err(stop) => panic!("seed {seed}: {stop:?}"),
        }
    }
    assert!(failures > 50, "{failures}");
}
