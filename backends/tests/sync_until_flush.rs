//! The sync backend with `SyncMode::UntilFlush`: when it executes, in how many requests, and what
//! its end does with the rest. And the one file that the default mode does not execute straight
//! from the caller's slice: one opened with O_DIRECT.
//!
//! What a caller may rely on whatever the mode is in `ringzero-tests`, where this is a column
//! (`sync_merged`).
//!
//! # Mutations
//! | changed | red |
//! |---|---|
//! | a flush executes nothing | `a_flush_executes_..` and three more; `conformance_groups` |
//! | a flush returns at most 1 | `a_flush_executes_..`, `neighbouring_writes_..` |
//! | a submission is executed at once | five tests of this file; `conformance_groups` |
//! | a poll executes, whatever it finds | `polls_and_waits_..`; `conformance_groups` |
//! | a poll never executes | `polls_and_waits_..`; `polling_alone_makes_progress` |
//! | a wait executes, whatever it finds | `polls_and_waits_..` |
//! | a wait never executes | the same; the suite waits for ever |
//! | a drop executes what is queued | `a_drop_executes_nothing` |
//! | `deregister_fd` executes nothing | `closing_executes_..`; three of `conformance_close` |
//! | `shutdown` executes nothing | `closing_executes_..`; `conformance_close` |
//! | the executor writes the first piece only | `what_lies_in_blocks_apart_..` |
//! | the engine: no sync waits for a write | `conformance_sync` |
//! | O_DIRECT goes straight from the slice | `a_file_without_page_cache_..`, and the suite |
//! | what is queued for O_DIRECT waits for a flush | `a_file_without_page_cache_..` |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use std::{fs, path::PathBuf, time::Duration};

use ringzero::{
    Config, IoCompletion, IoFd, Limits, StorageIo, StorageIoError, StorageIoExt, SyncBackend,
    SyncConfig, SyncMode,
};
use tempfile::TempDir;

const RECORD: [u8; 128] = [0x5A; 128];

struct Bench {
    io: SyncBackend,
    fd: IoFd,
    path: PathBuf,
    _folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let sync = SyncConfig { mode: SyncMode::UntilFlush };
        let mut io = SyncBackend::new(&Config { limits, sync, ..Config::default() }).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let fd = io.register_fd(fs::File::create(&path).unwrap()).unwrap();
        Self { io, fd, path, _folder: folder }
    }

    fn append(&mut self) -> u64 {
        self.io.submit_append(self.fd, &RECORD).unwrap()
    }

    fn byte_count(&self) -> u64 {
        fs::metadata(&self.path).unwrap().len()
    }

    fn poll(&mut self) -> Vec<IoCompletion> {
        let mut completions = Vec::new();
        self.io.poll_completions(&mut completions);
        completions
    }
}

#[test]
fn a_flush_executes_everything_in_as_few_requests_as_can_be_and_says_how_many() {
    let mut b = Bench::new();
    let appends: Vec<_> = (0..1_000).map(|_| b.append()).collect();
    let syncs = [(); 2].map(|()| b.io.submit_datasync(b.fd).unwrap());
    let before = b.io.stats();
    assert_eq!((before.write_requests, before.sync_requests), (0, 0));
    // 128,000 bytes are two blocks: one vectored write, and one data-sync for both.
    assert_eq!(b.io.flush(), Ok(2));
    let after = b.io.stats();
    assert_eq!((after.write_requests, after.sync_requests), (1, 1));
    assert!(fs::read(&b.path).unwrap() == vec![0x5A; 128_000], "executed when flush returns");
    assert_eq!(b.io.flush(), Ok(0), "nothing is left");
    let expected =
        appends.iter().map(|&token| (token, 128)).chain(syncs.iter().map(|&token| (token, 0)));
    let expected: Vec<_> = expected.map(|(token, result)| IoCompletion { token, result }).collect();
    assert_eq!(b.poll(), expected);
}

#[test]
fn neighbouring_writes_leave_as_one_and_others_alone() {
    let mut b = Bench::new();
    for index in 0..32 {
        b.io.submit_write(b.fd, &RECORD, index * 128).unwrap();
    }
    b.io.submit_write(b.fd, &RECORD, 100_000).unwrap();
    assert_eq!(b.io.flush(), Ok(2));
    assert_eq!(b.byte_count(), 100_128);
    assert_eq!(b.poll().len(), 33);
}

#[test]
fn what_lies_in_blocks_apart_leaves_as_vectored_writes() {
    let mut b = Bench::new();
    let other = b.path.with_file_name("other");
    let other_fd = b.io.register_fd(fs::File::create(&other).unwrap()).unwrap();
    // Blocks of the two files take turns in memory.
    let block = vec![2; Limits::default().block_bytes as usize];
    for _ in 0..3 {
        b.io.submit_append(b.fd, &block).unwrap();
        b.io.submit_append(other_fd, &block).unwrap();
    }
    // Of each file two, of a block and a half.
    assert_eq!(b.io.flush(), Ok(4));
    for path in [&b.path, &other] {
        assert!(fs::read(path).unwrap() == vec![2; 3 * block.len()]);
    }
}

#[test]
fn nothing_is_executed_before_it_must_be_and_then_there_is_room_again() {
    let limits = Limits { blocks_per_file: 2, blocks_common: 0, ..Limits::default() };
    let mut b = Bench::with(limits);
    let block = vec![1; limits.block_bytes as usize];
    for _ in 0..2 {
        b.io.submit_append(b.fd, &block).unwrap();
    }
    let refused = b.io.submit_append(b.fd, &block);
    assert_eq!(refused, Err(StorageIoError::BufferExhausted), "later, and nothing is executed");
    assert_eq!((b.byte_count(), b.io.pending_count()), (0, 2));
    assert_eq!(b.io.flush(), Ok(2), "in halves");
    assert!(b.io.submit_append(b.fd, &block).is_ok());
    assert_eq!(b.byte_count(), 2 * block.len() as u64);
}

#[test]
fn polls_and_waits_that_find_nothing_execute_and_others_do_not() {
    let mut b = Bench::new();
    let first = b.append();
    assert_eq!(b.io.wait(0, None), Ok(0), "enough without");
    assert_eq!(b.byte_count(), 0);
    assert_eq!(b.io.wait(1, Some(Duration::ZERO)), Ok(1), "it takes what it takes");
    assert_eq!(b.byte_count(), 128);
    b.append();
    assert_eq!(b.io.wait(1, None), Ok(1), "there was one");
    let completions = b.poll();
    assert_eq!(completions, [IoCompletion { token: first, result: 128 }]);
    assert_eq!(b.byte_count(), 128, "that poll had something to deliver");
    assert_eq!(b.poll().len(), 1, "this one did not");
    assert_eq!((b.byte_count(), b.io.pending_count()), (256, 0));
}

#[test]
fn a_drop_executes_nothing() {
    let mut b = Bench::new();
    b.append();
    b.io.flush().unwrap();
    b.append();
    b.io.submit_datasync(b.fd).unwrap();
    let Bench { io, path, _folder, .. } = b;
    drop(io);
    assert_eq!(fs::metadata(path).unwrap().len(), 128, "what was flushed, and no more");
}

#[test]
fn closing_executes_what_was_accepted() {
    let mut b = Bench::new();
    b.append();
    assert_eq!(b.io.deregister_fd(b.fd), Ok(()));
    assert_eq!(b.byte_count(), 128);
    assert_eq!(b.poll().len(), 1, "delivered after its file was closed");

    let mut b = Bench::new();
    b.append();
    let sync = b.io.submit_datasync(b.fd).unwrap();
    assert_eq!(b.io.shutdown(Duration::ZERO), Ok(()), "it takes what it takes");
    assert_eq!((b.byte_count(), b.io.stats().sync_requests), (128, 1));
    assert_eq!(b.io.flush(), Err(StorageIoError::Closed));
    assert_eq!(b.poll().last(), Some(&IoCompletion { token: sync, result: 0 }));
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_without_page_cache_takes_slices_as_they_are_and_executes_at_once() {
    use std::os::unix::fs::OpenOptionsExt;

    const LEN: usize = 4_096;
    let folder = tempfile::tempdir().unwrap();
    let [direct, plain] = ["direct", "plain"].map(|name| folder.path().join(name));
    let mut options = fs::File::options();
    options.create(true).truncate(true).write(true).custom_flags(libc::O_DIRECT);
    let file = match options.open(&direct) {
        Ok(file) => file,
        Err(reason) => return println!("skipped: no O_DIRECT here: {reason}"),
    };
    let memory = vec![7; 2 * LEN + 1];
    let begin = memory.as_ptr().align_offset(LEN) + 1;
    let slice = &memory[begin..begin + LEN];

    let mut io = SyncBackend::new(&Config::default()).unwrap();
    let plain = io.register_fd(fs::File::create(plain).unwrap()).unwrap();
    let fd = io.register_fd(file).unwrap();
    let tokens = [
        io.submit_append(fd, slice).unwrap(),
        io.submit_append(plain, slice).unwrap(),
        io.submit_write(fd, slice, LEN as u64).unwrap(),
        io.submit_datasync(fd).unwrap(),
    ];
    assert!(fs::read(&direct).unwrap() == vec![7; 2 * LEN], "executed when the calls return");
    assert_eq!(io.stats().sync_requests, 1);
    assert_eq!(io.flush(), Ok(0), "nothing is queued");
    let mut completions = Vec::new();
    io.poll_completions(&mut completions);
    let expected = tokens.into_iter().zip([LEN as i32, LEN as i32, LEN as i32, 0]);
    let expected: Vec<_> = expected.map(|(token, result)| IoCompletion { token, result }).collect();
    assert_eq!(completions, expected);
}
