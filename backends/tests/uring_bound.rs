//! The thread-bound mode: the first user owns the ring, and use from another thread is an error and
//! not silence.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail, and says what it skips"
)]

mod uring_support;

use std::{
    fs::{self, File},
    thread,
    time::Duration,
};

use ringzero::{
    Config, Errno, IoCompletion, IoFd, StorageIo, StorageIoError, StorageIoExt, UringBackend,
    UringConfig, UringMode,
};
use uring_support::{config, create, finish, ring};

const REFUSED: StorageIoError = StorageIoError::Io(Errno::EXIST);

/// Runs `other` on another thread, and brings the backend back.
fn elsewhere<R: Send>(
    io: &mut UringBackend,
    other: impl FnOnce(&mut UringBackend) -> R + Send,
) -> R {
    thread::scope(|scope| scope.spawn(|| other(io)).join().unwrap())
}

fn check_refused(io: &mut UringBackend, log: IoFd, file: File) {
    assert_eq!(io.submit_write(log, b"x", 0), Err(REFUSED));
    assert_eq!(io.submit_append(log, b"x"), Err(REFUSED));
    assert_eq!(io.submit_datasync(log), Err(REFUSED));
    assert_eq!(io.flush(), Err(REFUSED));
    assert_eq!(io.wait(1, None), Err(REFUSED));
    assert_eq!(io.register_fd(file.try_clone().unwrap()), Err(REFUSED));
    assert_eq!(io.register_segment(file, 0, 100), Err(REFUSED));
    assert_eq!(io.deregister_fd(log), Err(REFUSED));
    assert_eq!(io.resume_append(log), Err(REFUSED));
    assert_eq!(io.can_accept(log, 1), Err(REFUSED));
    assert_eq!(io.tail(log), Err(REFUSED));
    assert_eq!(io.room(log), Err(REFUSED));
    assert!(io.file_status(log).is_err());
    assert_eq!(io.shutdown(Duration::ZERO), Err(REFUSED));
    let mut completions: Vec<IoCompletion> = Vec::new();
    io.poll_completions(&mut completions);
    assert_eq!(completions, [], "a poll delivers nothing");
}

#[test]
fn use_from_another_thread_is_an_error_and_changes_nothing() {
    let Some(mut io) = ring(&config(UringMode::ThreadBound)) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = io.register_fd(create(&path)).unwrap();
    io.submit_append(log, b"one ").unwrap();
    io.submit_datasync(log).unwrap();
    io.flush().unwrap();
    let other = create(&folder.path().join("other"));
    elsewhere(&mut io, |io| check_refused(io, log, other));
    assert_eq!(io.pending_count(), 2);
    let completions = finish(&mut io);
    assert!(completions.iter().all(|it| it.result >= 0), "{completions:?}");
    assert_eq!(completions.len(), 2);
    // The owner goes on, and so does the file.
    io.submit_append(log, b"two").unwrap();
    assert_eq!(finish(&mut io).len(), 1);
    assert_eq!(fs::read(&path).unwrap(), b"one two");
}

#[test]
fn the_first_user_owns_it_whoever_made_it_and_registered_files() {
    let Some(mut io) = ring(&config(UringMode::ThreadBound)) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = elsewhere(&mut io, |io| io.register_fd(create(&path)).unwrap());
    assert_eq!(io.tail(log), Ok(0), "asking does not make an owner");
    elsewhere(&mut io, |io| {
        io.submit_append(log, b"a record").unwrap();
        assert_eq!(finish(io)[0].result, 8);
    });
    let other = create(&folder.path().join("other"));
    check_refused(&mut io, log, other);
    assert_eq!(fs::read(&path).unwrap(), b"a record");
}

#[test]
fn each_kind_of_first_use_makes_an_owner() {
    let uses: [fn(&mut UringBackend, IoFd); 5] = [
        |io, log| assert!(io.submit_append(log, b"x").is_ok()),
        |io, _| assert_eq!(io.flush(), Ok(0)),
        |io, _| io.poll_completions(&mut Vec::<IoCompletion>::new()),
        |io, _| assert_eq!(io.wait(1, None), Ok(0)),
        |io, log| assert_eq!(io.deregister_fd(log), Ok(())),
    ];
    for first_use in uses {
        let Some(mut io) = ring(&config(UringMode::ThreadBound)) else { return };
        let folder = tempfile::tempdir().unwrap();
        let log = io.register_fd(create(&folder.path().join("log"))).unwrap();
        elsewhere(&mut io, |io| first_use(io, log));
        assert_eq!(io.flush(), Err(REFUSED));
    }
}

#[test]
fn a_refused_owner_does_not_come_back_as_a_thread_of_the_same_number() {
    let Some(mut io) = ring(&config(UringMode::ThreadBound)) else { return };
    elsewhere(&mut io, |io| assert_eq!(io.flush(), Ok(0)));
    for _ in 0..100 {
        // New threads get the stack and thread-local storage of those that ended.
        elsewhere(&mut io, |io| assert_eq!(io.flush(), Err(REFUSED)));
    }
}

#[test]
fn dropping_it_elsewhere_without_work_in_flight_is_fine() {
    let uring = UringConfig { mode: UringMode::ThreadBound, ..UringConfig::default() };
    let Some(mut io) = ring(&Config { uring, ..Config::default() }) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = io.register_fd(create(&path)).unwrap();
    io.submit_append(log, b"done").unwrap();
    assert_eq!(io.wait(1, None), Ok(1));
    thread::spawn(move || drop(io)).join().unwrap();
    assert!(uring_support::is_closed_soon(&path));
}

#[test]
fn an_owner_that_ended_leaves_what_was_accepted_undelivered_but_nothing_hangs() {
    let config =
        Config { drop_deadline: Duration::from_millis(50), ..config(UringMode::ThreadBound) };
    let Some(mut io) = ring(&config) else { return };
    let folder = tempfile::tempdir().unwrap();
    let log = io.register_fd(create(&folder.path().join("log"))).unwrap();
    let io = thread::spawn(move || {
        io.submit_append(log, b"x").unwrap();
        io.submit_datasync(log).unwrap();
        io.flush().unwrap();
        io
    });
    let mut io = io.join().unwrap();
    assert_eq!(io.flush(), Err(REFUSED));
    assert_eq!(io.pending_count(), 2);
}
