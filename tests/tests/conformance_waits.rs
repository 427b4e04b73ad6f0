//! Waiting for one operation, a *later* that no poll ends, and a failure that nobody looked at.
//!
//! # Mutations
//! | removed or changed | red |
//! |---|---|
//! | a wait for a token goes on behind the first completions | `who_waits_..` where not at once |
//! | what comes before it is passed on | `who_waits_..`, `a_wait_for_one_ends_..` |
//! | a sink without room ends it | `a_wait_for_one_ends_..` never ends |
//! | kept reads are counted | `released_reads_..` |
//! | a failure that a sync will report is told no more | `a_failure_is_told_..` |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero::{Config, SimBackend, SimFaults};
use ringzero_core::{IoCompletion, IoFd, SliceSink, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    conformance,
    fixture::{Fixture, Place, Setup},
    session::{PATIENCE, Session},
};

conformance!(
    who_waits_for_one_gets_it_and_all_that_come_before_it,
    a_wait_for_what_never_comes_ends,
    a_wait_for_one_ends_at_a_sink_without_room,
    released_reads_end_a_later_that_no_poll_ends,
);

const LATER: [StorageIoError; 2] = [StorageIoError::QueueFull, StorageIoError::BufferExhausted];

/// Waits until it has come, and counts the calls: a signal may end one early.
fn wait_for<F: Fixture>(s: &mut Session<F>, token: u64) -> (IoCompletion, u32) {
    for calls in 1..20 {
        let mut batch = Vec::new();
        let found = s.io.wait_for(token, Some(PATIENCE), &mut batch).expect("waited");
        assert_eq!(found, batch.iter().copied().find(|completion| completion.token == token));
        s.take(&batch);
        if let Some(completion) = found {
            return (completion, calls);
        }
    }
    panic!("{} owed, and {token} does not come", s.io.pending_count());
}

fn who_waits_for_one_gets_it_and_all_that_come_before_it<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let fd = s.open("file", b"");
    let mut calls = 0;
    for round in 0..20 {
        let appends: Vec<u64> = (0..5).map(|_| s.append(fd, b"record").unwrap()).collect();
        let sync = s.sync(fd).unwrap();
        let behind = s.append(fd, b"behind").unwrap();
        let (synced, more) = wait_for(&mut s, sync);
        assert_eq!(synced, IoCompletion { token: sync, result: 0 });
        calls += more;
        assert!(appends.iter().all(|token| s.result(*token) == 6), "in the sink, too");
        let read = s.read(fd, 6, round * 36).unwrap();
        assert_eq!(wait_for(&mut s, read).0.outcome(), Ok(6));
        assert_eq!(s.io.read_bytes(read, 0), Ok(&b"record"[..]));
        s.io.release_read(read).unwrap();
        s.drain();
        assert_eq!(s.result(behind), 6);
    }
    assert!(calls < 30, "{calls} calls for 20 syncs");
}

fn a_wait_for_what_never_comes_ends<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", b"");
    let mut batch = Vec::new();
    assert_eq!(s.io.wait_for(1, None, &mut batch), Ok(None), "nothing is pending");
    let first = s.append(fd, b"record").unwrap();
    s.drain();
    let second = s.append(fd, b"record").unwrap();
    while s.io.pending_count() > 0 {
        assert_eq!(s.io.wait_for(first, Some(PATIENCE), &mut batch), Ok(None), "it was delivered");
    }
    s.take(&batch);
    assert_eq!(s.result(second), 6, "and nothing is lost");
}

fn a_wait_for_one_ends_at_a_sink_without_room<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", b"");
    let tokens: Vec<u64> = (0..5).map(|_| s.append(fd, b"record").unwrap()).collect();
    let mut memory = [IoCompletion::default(); 2];
    let mut sink = SliceSink::new(&mut memory);
    while sink.filled().len() < 2 {
        assert_eq!(s.io.wait_for(tokens[4], Some(PATIENCE), &mut sink), Ok(None));
    }
    assert_eq!(s.io.wait_for(tokens[4], None, &mut sink), Ok(None), "it has no room");
    let filled = sink.filled().to_vec();
    s.take(&filled);
    assert_eq!(wait_for(&mut s, tokens[4]).0.outcome(), Ok(6));
    assert_eq!(s.delivered, tokens, "nothing is lost");
}

fn kept<F: Fixture>(s: &Session<F>, fd: IoFd) -> u32 {
    s.io.file_status(fd).unwrap().kept_reads
}

fn released_reads_end_a_later_that_no_poll_ends<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &[7; 4096]);
    let mut reads = Vec::new();
    let refused = loop {
        match s.read(fd, 512, 0) {
            Ok(token) => reads.push(token),
            Err(later) => break later,
        }
        s.drain();
    };
    assert!(LATER.contains(&refused), "{refused}");
    assert_eq!((s.poll(), s.io.pending_count()), (0, 0), "no poll helps");
    assert_eq!(s.read(fd, 512, 0), Err(refused));
    assert_eq!(kept(&s, fd) as usize, reads.len(), "this is why");

    s.io.release_read(reads.pop().unwrap()).unwrap();
    assert_eq!(kept(&s, fd) as usize, reads.len());
    let read = s.read(fd, 512, 0).unwrap();
    assert_eq!(s.bytes_of(read), [7; 512]);
    reads.into_iter().for_each(|token| s.io.release_read(token).unwrap());
    assert_eq!(kept(&s, fd), 0);
}

/// On the simulated disk, whose errors keep the file usable.
#[test]
fn a_failure_is_told_until_a_sync_reports_it() {
    let mut io = SimBackend::new(&Config::default(), 3).unwrap();
    let file = io.disk().create("file", b"");
    let fd = io.register_fd(file).unwrap();
    let mut done: Vec<IoCompletion> = Vec::new();
    let unreported = |io: &SimBackend| io.file_status(fd).unwrap().unreported;

    let good = io.submit_write(fd, &[1; 512], 0).unwrap();
    assert!(io.wait_for(good, None, &mut done).unwrap().unwrap().outcome().is_ok());
    assert_eq!(unreported(&io), None);

    io.inject(SimFaults { refused: 1000, ..SimFaults::NONE });
    let first = io.submit_write(fd, &[2; 512], 0).unwrap();
    let second = io.submit_write(fd, &[3; 512], 4096).unwrap();
    while io.pending_count() > 0 {
        io.wait_for(second, None, &mut done).unwrap();
    }
    let told = *done.iter().find(|completion| completion.token == first).unwrap();
    assert!(told.result < 0);
    assert_eq!(unreported(&io), Some(told), "the first one, also once it was delivered");

    io.inject(SimFaults::NONE);
    let sync = io.submit_datasync(fd).unwrap();
    assert_eq!(unreported(&io), None, "the sync will report it");
    let synced = io.wait_for(sync, None, &mut done).unwrap().unwrap();
    assert_eq!(synced.result, told.result);
    assert_eq!(unreported(&io), None);
}
