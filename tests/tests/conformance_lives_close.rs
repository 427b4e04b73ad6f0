//! Files' lives: closing by token, without waiting for it.
//!
//! # Mutations
//! | removed or changed | red |
//! |---|---|
//! | waiting for what was accepted before | `a_close_comes_last_…` and others |
//! | cutting back before closing | `a_file_is_cut_back_…`, `a_file_that_ends_inside_…` and others |
//! | the error of cutting back | `the_error_of_cutting_back_…` |
//! | EINTR of close(2) is no retry | `an_interrupted_close_…` |
//! | a closed file is forgotten, at its release or at a drop | `descriptors` abort |
//! | a failure is noted on the close | `a_failed_file_is_closed_…` |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use std::time::Duration;

use ringzero_core::{Alteration, Errno, IoFd, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    conformance,
    disk::Ask,
    fixture::{Fixture, Place, Scripted, Setup},
    random::bytes,
    script::{Action, Of, Rule},
    session::Session,
};

conformance!(
    a_close_comes_last_and_its_handle_is_dead_at_once,
    a_closed_file_and_its_slot_can_be_had_again,
    a_file_that_ends_inside_an_aligned_block_is_cut_back,
    a_shutdown_finishes_a_close,
    dropping_with_a_close_under_way_is_no_trouble,
);

const LATER: Duration = Duration::from_secs(20);

fn a_close_comes_last_and_its_handle_is_dead_at_once<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    for round in 1..20 {
        let fd = s.open("file", &[]);
        let append = s.append(fd, &bytes(round, 0, 700)).unwrap();
        let over = s.write(fd, &bytes(round + 100, 100, 300), 100).unwrap();
        let sync = s.sync(fd).unwrap();
        let last = s.append(fd, &bytes(round, 700, 100)).unwrap();
        let closed = s.submit(|io| io.submit_close(fd)).unwrap();
        let bad = Err(StorageIoError::BadFd);
        assert_eq!(s.append(fd, b"x"), bad);
        assert_eq!(s.write(fd, b"x", 0), bad);
        assert_eq!(s.sync(fd), bad);
        assert_eq!(s.submit(|io| io.submit_close(fd)), bad);
        assert_eq!(s.submit(|io| io.submit_truncate(fd, 0)), bad);
        assert_eq!(s.io.deregister_fd(fd), Err(StorageIoError::BadFd));
        assert_eq!(s.io.tail(fd), Err(StorageIoError::BadFd));
        s.drain();
        let tokens = [append, over, sync, last, closed];
        assert_eq!(tokens.map(|token| s.result(token)), [700, 300, 0, 100, 0]);
        assert_eq!(s.delivered.last(), Some(&closed));
        let mut expected = bytes(round, 0, 700);
        expected[100..400].copy_from_slice(&bytes(round + 100, 100, 300));
        expected.extend(bytes(round, 700, 100));
        assert!(s.fixture.read("file") == expected);
    }
}

fn a_closed_file_and_its_slot_can_be_had_again<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let mut open: Vec<IoFd> = (0..4).map(|i| s.open(&format!("file {i}"), &[])).collect();
    let spare = s.fixture.create("spare", &[]);
    assert_eq!(s.io.register_fd(spare), Err(StorageIoError::QueueFull), "control: it is full");
    for round in 0..12 {
        let name = format!("file {}", round % 4);
        let fd = open.remove(0);
        s.retry(|s| s.append(fd, &[round; 10])).unwrap();
        let closed = s.submit(|io| io.submit_close(fd)).unwrap();
        // Only polled: no call that may block helps.
        while !s.results.contains_key(&closed) {
            s.io.flush().unwrap();
            s.poll();
        }
        assert_eq!(s.result(closed), 0);
        let content = s.fixture.read(&name);
        open.push(s.open(&name, &content));
    }
    for name in 0..4 {
        let rounds = (0..12_u8).filter(|round| round % 4 == name);
        let expected: Vec<u8> = rounds.flat_map(|round| [round; 10]).collect();
        assert_eq!(s.fixture.read(&format!("file {name}")), expected);
    }
}

fn a_file_that_ends_inside_an_aligned_block_is_cut_back<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    drop(s.fixture.create("file", &[]));
    let Ok(Ok(fd)) = s.fixture.open_direct("file").map(|file| s.io.register_fd(file)) else {
        println!("skipped: no O_DIRECT");
        return;
    };
    s.append(fd, &bytes(1, 0, 700)).unwrap();
    s.drain();
    assert!(s.fixture.read("file").len() > 700, "control: padding");
    let closed = s.submit(|io| io.submit_close(fd)).unwrap();
    assert_eq!(s.wait_for(closed), 0);
    assert!(s.fixture.read("file") == bytes(1, 0, 700));
}

fn a_shutdown_finishes_a_close<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let fds = [s.open("first", &[]), s.open("second", &[])];
    let append = s.append(fds[0], &bytes(1, 0, 700)).unwrap();
    let closed = s.submit(|io| io.submit_close(fds[0])).unwrap();
    let truncated = s.submit(|io| io.submit_truncate(fds[1], 33)).unwrap();
    s.io.shutdown(LATER).unwrap();
    s.drain();
    assert_eq!([append, closed, truncated].map(|token| s.result(token)), [700, 0, 0]);
    assert!(s.fixture.read("first") == bytes(1, 0, 700));
    assert_eq!(s.fixture.read("second"), [0; 33]);
}

fn dropping_with_a_close_under_way_is_no_trouble<F: Fixture>() {
    for is_flushed in [false, true] {
        let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
        let fd = s.open("file", &[]);
        s.append(fd, b"bytes").unwrap();
        s.submit(|io| io.submit_close(fd)).unwrap();
        if is_flushed {
            s.io.flush().unwrap();
        }
        drop(s.io);
    }
}

/// Where descriptors are those of the operating system.
mod descriptors {
    use std::{
        fs::File,
        io::{Read, Seek, SeekFrom, Write},
    };

    use super::*;

    conformance!(@real a_descriptor_that_was_closed_is_not_closed_again);

    /// The host gets the descriptor's number for a file of its own, and keeps it.
    fn a_descriptor_that_was_closed_is_not_closed_again<F: Fixture<File = File>>() {
        for is_shut_down in [false, true] {
            let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
            let fds: Vec<IoFd> = (0..4).map(|i| s.open(&format!("file {i}"), &[])).collect();
            let closed: Vec<u64> =
                fds.iter().map(|&fd| s.submit(|io| io.submit_close(fd)).unwrap()).collect();
            while closed.iter().any(|token| !s.results.contains_key(token)) {
                s.io.flush().unwrap();
                s.poll();
            }
            let mut hosts: Vec<File> =
                (0..30).map(|i| s.fixture.create(&format!("host {i}"), &[])).collect();
            if is_shut_down {
                s.io.shutdown(LATER).unwrap();
            }
            let Session { io, fixture, .. } = s;
            drop(io);
            for host in &mut hosts {
                host.write_all(b"mine").unwrap();
                host.seek(SeekFrom::Start(0)).unwrap();
                let mut bytes = Vec::new();
                host.read_to_end(&mut bytes).unwrap();
                assert_eq!(bytes, b"mine");
            }
            assert_eq!(fixture.read("host 29"), b"mine");
        }
    }
}

type Plain = Session<Scripted<false>>;

fn scripted() -> (Plain, IoFd) {
    let mut s = Plain::at(Place::Memory, &Setup::default()).expect("runs everywhere");
    let fd = s.open("file", &[]);
    (s, fd)
}

fn alterations(s: &Plain) -> Vec<Alteration> {
    let asked = s.fixture.disk.requests("file").into_iter();
    asked
        .filter_map(|(_, ask)| if let Ask::Alter(what) = ask { Some(what) } else { None })
        .collect()
}

fn script(s: &Plain, of: Of, action: Action) {
    s.fixture.disk.script(Rule::once("file", of, action));
}

#[test]
fn a_file_is_cut_back_before_it_is_closed_if_an_append_failed() {
    let (mut s, fd) = scripted();
    let good = s.append(fd, &[1; 100]).unwrap();
    s.drain();
    script(&s, Of::Writes, Action::Torn(30, Errno::NOSPC));
    let bad = s.append(fd, &[2; 50]).unwrap();
    let closed = s.submit(|io| io.submit_close(fd)).unwrap();
    s.drain();
    let results = [good, bad, closed].map(|token| s.result(token));
    assert_eq!(results, [100, -Errno::NOSPC.number(), 0]);
    assert_eq!(s.fixture.read("file"), [1; 100]);
    assert_eq!(alterations(&s), [Alteration::Truncate { len: 100 }, Alteration::Close]);
}

#[test]
fn the_error_of_cutting_back_is_told_and_the_file_closed() {
    // Also where the close is left to the driver, which closes and is heard by nobody. Only where
    // both are left to it, it is its to cut back too.
    let unable = Action::Fail(Errno::OPNOTSUPP);
    for (of_cut, of_close, result, byte_count) in [
        (Action::Fail(Errno::IO), Action::Complete, -Errno::IO.number(), 30),
        (Action::Fail(Errno::IO), unable, -Errno::IO.number(), 30),
        (unable, Action::Complete, -Errno::OPNOTSUPP.number(), 30),
        (unable, unable, 0, 0),
    ] {
        let (mut s, fd) = scripted();
        script(&s, Of::Writes, Action::Torn(30, Errno::NOSPC));
        s.append(fd, &[2; 50]).unwrap();
        script(&s, Of::Alterations, of_cut);
        script(&s, Of::Alterations, of_close);
        let closed = s.submit(|io| io.submit_close(fd)).unwrap();
        s.drain();
        assert_eq!(s.result(closed), result, "{of_cut:?}, {of_close:?}");
        assert_eq!(alterations(&s), [Alteration::Truncate { len: 0 }, Alteration::Close]);
        assert_eq!(s.fixture.read("file").len(), byte_count, "{of_cut:?}, {of_close:?}");
        s.open("file", &[]);
    }
}

#[test]
fn a_failed_file_is_closed_and_not_cut_back() {
    for is_known in [false, true] {
        let (mut s, fd) = scripted();
        script(&s, Of::Writes, Action::Torn(30, Errno::IO));
        s.append(fd, &[2; 50]).unwrap();
        if is_known {
            s.drain();
        }
        let closed = s.submit(|io| io.submit_close(fd)).unwrap();
        assert_eq!(s.wait_for(closed), 0);
        assert_eq!(alterations(&s), [Alteration::Close]);
        assert_eq!(s.fixture.read("file"), [2; 30]);
    }
}

#[test]
fn a_close_that_was_refused_for_now_is_asked_for_again_a_bounded_number_of_times() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::times("file", Of::Alterations, Action::Fail(Errno::CANCELED), 16));
    let closed = s.submit(|io| io.submit_close(fd)).unwrap();
    assert_eq!(s.wait_for(closed), 0);
    assert_eq!(alterations(&s).len(), 17);

    let fd = s.open("file", &[]);
    s.fixture.disk.script(Rule::times("file", Of::Alterations, Action::Fail(Errno::CANCELED), 99));
    let closed = s.submit(|io| io.submit_close(fd)).unwrap();
    assert_eq!(s.wait_for(closed), -Errno::IO.number());
    assert_eq!(alterations(&s).len(), 34, "and then it is the driver's");
    s.open("file", &[]);
}

#[test]
fn an_interrupted_close_is_not_asked_for_again() {
    let (mut s, fd) = scripted();
    script(&s, Of::Alterations, Action::Fail(Errno::INTR));
    let closed = s.submit(|io| io.submit_close(fd)).unwrap();
    assert_eq!((s.wait_for(closed), alterations(&s).len()), (0, 1));
}

#[test]
fn a_close_waits_for_what_hangs_and_keeps_its_slot() {
    let (mut s, fd) = scripted();
    script(&s, Of::Writes, Action::Hang);
    let write = s.write(fd, &[1; 10], 0).unwrap();
    let closed = s.submit(|io| io.submit_close(fd)).unwrap();
    for _ in 0..10 {
        s.io.flush().unwrap();
        s.poll();
    }
    assert_eq!(alterations(&s), []);
    let again = s.fixture.disk.open("file");
    assert_eq!(s.io.register_fd(again), Err(StorageIoError::Io(Errno::BUSY)));
    s.fixture.disk.release(Action::Complete);
    s.drain();
    assert_eq!([write, closed].map(|token| s.result(token)), [10, 0]);
    let again = s.fixture.disk.open("file");
    s.io.register_fd(again).unwrap();
}

#[test]
fn a_shutdown_does_not_wait_for_ever_for_a_close_that_hangs() {
    let (mut s, fd) = scripted();
    script(&s, Of::Alterations, Action::Hang);
    let closed = s.submit(|io| io.submit_close(fd)).unwrap();
    s.io.flush().unwrap();
    assert_eq!(s.io.shutdown(Duration::ZERO), Err(StorageIoError::Io(Errno::TIMEDOUT)));
    s.drain();
    assert_eq!(s.result(closed), -Errno::TIMEDOUT.number());
}
