//! Guarantee 1, "nothing waits for company", and how committers stay in one group: hold, regroup.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use std::time::Instant;

use ringzero_core::{IoFd, Limits, StorageIo, StorageIoExt};
use ringzero_tests::{
    conformance,
    disk::{Ask, Event},
    fixture::{Fixture, Place, Scripted, Setup},
    fusing::{Was, requests, script, unsynced},
    script::{Action, Of, Rule},
    session::{PATIENCE, Session},
};

conformance!(a_poll_that_delivers_starts_no_new_group, what_may_run_leaves_at_the_next_flush);

fn a_poll_that_delivers_starts_no_new_group<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    for round in 0..100_u8 {
        s.append(fd, &[round; 10]).unwrap();
        s.io.flush().unwrap();
        let begin = Instant::now();
        // Asks for nothing, so it starts nothing: it only looks.
        while s.io.wait(0, None).unwrap() == 0 {
            assert!(begin.elapsed() < PATIENCE);
        }
        s.append(fd, &[round; 10]).unwrap();
        let before = s.io.stats().write_requests;
        assert!(s.poll() > 0);
        assert_eq!(s.io.stats().write_requests, before, "round {round}: the caller goes first");
        s.drain();
        let after = s.io.stats().write_requests;
        assert!(F::IS_INLINE || after > before, "control: it started in the end");
    }
}

/// Whatever may run leaves at once at a flush: nothing waits for company, or for a timer.
fn what_may_run_leaves_at_the_next_flush<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    for round in 0..20_u64 {
        let before = s.io.stats().write_requests;
        s.write(fd, &[1; 10], round * 1_000).unwrap();
        let handed_over = s.io.flush().unwrap();
        let after = s.io.stats().write_requests;
        assert!(after > before, "handed over by the flush, or inside the call");
        if !F::IS_INLINE {
            assert!(handed_over > 0);
        }
        s.drain();
    }
    assert_eq!(s.io.flush(), Ok(0), "nothing is left");
}

type Plain = Session<Scripted<false>>;

fn scripted() -> (Plain, IoFd) {
    let mut s = Plain::at(Place::Memory, &Setup::default()).expect("runs everywhere");
    let fd = s.open("file", &[]);
    (s, fd)
}

fn sync_count(s: &Plain) -> usize {
    s.fixture.disk.sync_count("file")
}

/// *Hold*: while a data-sync flies, appends that another sync waits for do not start.
#[test]
fn appends_that_a_sync_waits_for_are_held_while_a_data_sync_flies() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::Syncs, Action::Hang));
    s.append(fd, b"a").unwrap();
    s.sync(fd).unwrap();
    s.poll();
    s.poll();
    assert_eq!(sync_count(&s), 1);
    for _ in 0..4 {
        s.append(fd, b"b").unwrap();
        s.sync(fd).unwrap();
        s.io.flush().unwrap();
    }
    assert_eq!(s.fixture.disk.requests("file").len(), 2, "held");
    s.fixture.disk.release(Action::Complete);
    s.drain();
    // One write more for all four, and it carries their sync.
    assert_eq!(s.fixture.disk.requests("file").len(), 3);
    assert_eq!(s.fixture.read("file"), b"abbbb");
}

#[test]
fn appends_that_no_sync_waits_for_are_not_held() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::Syncs, Action::Hang));
    s.sync(fd).unwrap();
    s.io.flush().unwrap();
    let free = s.append(fd, b"b").unwrap();
    assert_eq!(s.wait_for(free), 1);
    s.fixture.disk.release(Action::Complete);
    s.drain();
}

/// *Regroup*: completions that can be delivered come first; the next group leaves at a flush, or at
/// a poll that has nothing to deliver. The sync itself goes at once.
#[test]
fn a_new_group_waits_for_the_caller_who_was_told_of_the_last_one() {
    let (mut s, fd) = scripted();
    s.append(fd, b"a").unwrap();
    s.sync(fd).unwrap();
    assert_eq!(s.io.flush(), Ok(1));
    s.append(fd, b"b").unwrap();
    s.sync(fd).unwrap();
    assert_eq!(s.poll(), 1, "the append; its sync has left by now");
    let log = s.fixture.disk.state().log.clone();
    let syncs = |log: &[Event]| {
        let is_sync = |e: &&Event| matches!(e, Event::Began { ask: Ask::Sync(_), .. });
        log.iter().filter(is_sync).count()
    };
    assert_eq!(syncs(&log), 1, "the OS sync goes at once");
    assert_eq!(s.poll(), 1, "the sync");
    assert_eq!(s.fixture.disk.requests("file").len(), 2, "the next group waits for the caller");
    s.append(fd, b"c").unwrap();
    s.sync(fd).unwrap();
    s.drain();
    assert_eq!(s.fixture.disk.requests("file").len(), 3, "and travels together");
}

/// *Halves*: a large request that would fly alone leaves as two, so that one is under way while the
/// other is dealt with; unless a datasync waits for it. (Without: red, one request each.)
#[test]
fn a_large_request_alone_leaves_in_halves() {
    let limits = Limits { block_bytes: 65_536, blocks_per_file: 4, ..Limits::default() };
    let scene = || unsynced(&Setup::with(limits));

    let (mut s, fd) = scene();
    s.append(fd, &[1; 65_535]).unwrap();
    s.drain();
    assert_eq!(requests(&s, 0), [Was::Plain(0, 65_535)], "too small");

    let (mut s, fd) = scene();
    s.append(fd, &[1; 100_000]).unwrap();
    assert_eq!(s.io.flush(), Ok(2));
    assert_eq!(requests(&s, 0), [Was::Plain(0, 50_000), Was::Plain(50_000, 100_000)]);
    s.drain();

    let (mut s, fd) = scene();
    s.append(fd, &[1; 100_000]).unwrap();
    s.sync(fd).unwrap();
    s.drain();
    assert_eq!(requests(&s, 0), [Was::Plain(0, 100_000), Was::Sync], "a datasync waits for it");

    let (mut s, fd) = scene();
    script(&s, Of::Writes, Action::Hang);
    s.append(fd, &[1; 10]).unwrap();
    s.io.flush().unwrap();
    s.append(fd, &[1; 100_000]).unwrap();
    s.io.flush().unwrap();
    assert_eq!(requests(&s, 0), [Was::Plain(0, 10), Was::Plain(10, 100_010)], "not alone");
    s.fixture.disk.release(Action::Complete);
    s.drain();
}
