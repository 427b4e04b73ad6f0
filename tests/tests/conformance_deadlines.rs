//! Guarantees 10 and 11: what hangs when a deadline has passed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use std::time::Duration;

use ringzero_core::{Errno, IoFd, Limits, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    fixture::{Fixture, Place, SMALL, Scripted, Setup},
    fusing::{commit, results, synced},
    random::bytes,
    script::{Action, Of, Rule},
    session::Session,
};

const LATER: Duration = Duration::from_secs(20);

type Plain = Session<Scripted<false>>;

fn scripted() -> (Plain, IoFd) {
    let mut s = Plain::at(Place::Memory, &Setup::default()).expect("runs everywhere");
    let fd = s.open("file", &[]);
    (s, fd)
}

#[test]
fn a_deregistration_that_runs_out_of_time_gives_everything_back_when_the_io_ends() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::times("file", Of::Writes, Action::Hang, 1));
    let hangs = s.append(fd, &[1; 500]).unwrap();
    let over = s.write(fd, &[2; 100], 0).unwrap();
    let sync = s.sync(fd).unwrap();
    assert_eq!(s.io.deregister_fd(fd), Err(StorageIoError::Io(Errno::TIMEDOUT)));
    assert_eq!(s.append(fd, b"x"), Err(StorageIoError::BadFd), "from then on");
    assert_eq!(s.io.deregister_fd(fd), Err(StorageIoError::BadFd));
    let again = s.fixture.open_appending("file");
    assert_eq!(s.io.register_fd(again), Err(StorageIoError::Io(Errno::BUSY)));
    // Its slot is not free.
    for name in ["b", "c", "d"] {
        s.open(name, &[]);
    }
    let file = s.fixture.create("e", &[]);
    assert_eq!(s.io.register_fd(file), Err(StorageIoError::QueueFull));
    assert_eq!(s.io.pending_count(), 3);
    s.fixture.disk.release(Action::Complete);
    s.drain();
    assert_eq!([hangs, over, sync].map(|token| s.result(token)), [500, 100, 0]);
    let file = s.fixture.open_appending("file");
    let fd = s.io.register_fd(file).expect("slot and file are free again");
    assert_eq!(s.io.tail(fd), Ok(500));
    let long = vec![3; s.io.max_write()];
    s.write(fd, &long, 0).expect("and so are its blocks");
    s.drain();
}

#[test]
fn a_late_end_of_a_closing_file_cuts_it_back_too() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Hang));
    s.append(fd, &[1; 500]).unwrap();
    assert_eq!(s.io.deregister_fd(fd), Err(StorageIoError::Io(Errno::TIMEDOUT)));
    s.fixture.disk.release(Action::Torn(200, Errno::NOSPC));
    s.drain();
    s.poll();
    assert_eq!(s.fixture.read("file").len(), 0);
}

#[test]
fn what_shutdown_cuts_off_completes_with_etimedout_and_its_memory_is_leaked() {
    let (mut s, fd) = scripted();
    let other = s.open("other", &[]);
    s.fixture.disk.script(Rule::times("file", Of::Writes, Action::Hang, 2));
    let hangs = s.write(fd, &bytes(1, 0, 500), 0).unwrap();
    let blocked = s.write(fd, &bytes(2, 10, 100), 10).unwrap();
    let append = s.append(fd, &bytes(3, 500, 100)).unwrap();
    let sync = s.sync(fd).unwrap();
    let good = s.append(other, b"good").unwrap();
    let good_sync = s.sync(other).unwrap();
    s.io.flush().unwrap();
    assert_eq!(s.io.shutdown(LATER), Err(StorageIoError::Io(Errno::TIMEDOUT)));
    let closed = Err(StorageIoError::Closed);
    assert_eq!([s.append(other, b"x"), s.append(fd, b"x"), s.append(fd, &[])], [closed; 3]);
    assert_eq!([s.write(fd, b"x", 9_000), s.sync(fd)], [closed; 2], "also on what was cut off");
    s.drain();
    let timed_out = -Errno::TIMEDOUT.number();
    let cut_off = [hangs, blocked, append, sync].map(|token| s.result(token));
    assert_eq!(cut_off, [timed_out; 4]);
    assert_eq!([good, good_sync].map(|token| s.result(token)), [4, 0]);
    assert_eq!(s.io.pending_count(), 0);
    let disk = s.fixture.disk.clone();
    drop(s);
    // The kernel may carry on for ever: the bytes are still there.
    let pending = disk.requests("file");
    disk.release(Action::Complete);
    for (number, _) in pending {
        let _answer = disk.state().end(number);
    }
    assert!(disk.read("file")[..500] == bytes(1, 0, 500)[..], "memory was freed under the kernel");
    assert!(disk.read("file")[500..] == bytes(3, 500, 100)[..]);
}

#[test]
fn a_late_answer_after_shutdown_is_dropped() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Hang));
    let hangs = s.write(fd, &[1; 10], 0).unwrap();
    s.io.flush().unwrap();
    assert!(s.io.shutdown(LATER).is_err());
    s.fixture.disk.release(Action::Complete);
    s.drain();
    s.poll();
    assert_eq!(s.result(hangs), -Errno::TIMEDOUT.number());
    assert_eq!(s.io.stats().stale_answers, 1);
}

#[test]
fn drop_waits_for_the_executor_starts_nothing_and_leaks_rather_than_frees() {
    for is_patient in [true, false] {
        let mut setup = Setup::default();
        if !is_patient {
            setup.drop_deadline = Duration::ZERO;
        }
        let mut s = Plain::at(Place::Memory, &setup).expect("runs everywhere");
        let fd = s.open("file", &[]);
        let data = bytes(1, 0, 900);
        s.write(fd, &data, 0).unwrap();
        s.io.flush().unwrap();
        s.write(fd, &[7; 100], 5_000).unwrap();
        let disk = s.fixture.disk.clone();
        drop(s);
        assert_eq!(disk.requests("file").len(), 1, "drop starts nothing new");
        if !is_patient {
            assert_eq!(disk.read("file"), b"", "control: it did not wait");
            let number = disk.requests("file")[0].0;
            let _answer = disk.state().end(number);
        }
        assert!(disk.read("file") == data, "memory was freed under the kernel");
    }
}

#[test]
fn deregistration_of_a_failed_file_succeeds() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Fail(Errno::IO)));
    s.write(fd, &[1; 10], 0).unwrap();
    s.drain();
    s.io.deregister_fd(fd).unwrap();
    let file = s.fixture.open_appending("file");
    s.io.register_fd(file).expect("free");
}

#[test]
fn a_failure_that_was_not_delivered_does_not_reach_the_next_file_in_the_slot() {
    for errno in [Errno::IO, Errno::NOSPC] {
        let (mut s, fd) = scripted();
        s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Fail(errno)));
        let failed = s.append(fd, &[1; 10]).unwrap();
        s.io.deregister_fd(fd).unwrap();
        let fd = s.open("next", &[]);
        let good = s.append(fd, b"good").unwrap();
        let sync = s.sync(fd).unwrap();
        s.drain();
        assert_eq!([failed, good, sync].map(|t| s.result(t)), [-errno.number(), 4, 0]);
        s.append(fd, b"x").expect("not its failure");
        s.drain();
    }
}

#[test]
fn a_shutdown_gives_up_a_durable_write_that_hangs_and_its_late_answer_matches_nothing() {
    let (mut s, fd) = synced();
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Hang));
    let tokens = commit(&mut s, fd, b"a");
    s.io.flush().unwrap();
    let answer = s.io.shutdown(Duration::ZERO);
    assert_eq!(answer, Err(StorageIoError::Io(Errno::TIMEDOUT)));
    s.poll();
    assert_eq!(results(&s, tokens), [-Errno::TIMEDOUT.number(); 2]);
    s.fixture.disk.release(Action::Complete);
    s.poll();
    assert_eq!(s.io.stats().stale_answers, 1);
}

/// What a shutdown cuts off is not in the way of what was read before: both are found by one index.
/// (Mutation: what is cut off stays in the index. Red, by a panic.)
#[test]
fn kept_reads_outlive_a_shutdown_that_cuts_writes_off() {
    let limits = Limits {
        files: 1,
        operations_per_file: 200,
        operations_common: 0,
        blocks_per_file: 64,
        ..SMALL
    };
    let mut s = Session::<Scripted<false>>::at(Place::Memory, &Setup::with(limits)).unwrap();
    let content = bytes(6, 0, 4_000);
    let fd = s.open("file", &content);
    let disk = s.fixture.disk.clone();
    let kept: Vec<_> = (0..60).map(|at| s.read(fd, 8, at * 8).unwrap()).collect();
    s.drain();
    disk.script(Rule::times("file", Of::Writes, Action::Hang, 1_000));
    // In no order, so that they are indexed.
    for at in 0..120_u64 {
        s.write(fd, &[1; 8], at * 37 % 120 * 24).unwrap();
    }
    s.io.flush().unwrap();
    let cut_off = s.io.shutdown(Duration::ZERO);
    assert_eq!(cut_off, Err(StorageIoError::Io(Errno::TIMEDOUT)), "control: some hung");
    s.poll();
    for (at, token) in kept.into_iter().enumerate() {
        assert!(s.bytes_of(token) == content[at * 8..][..8], "read {at}");
    }
}
