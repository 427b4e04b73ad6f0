//! The advisory lock: who has it, for how long others wait, and when it is released.
//!
//! # Mutations
//! | changed | red |
//! |---|---|
//! | a closed file stays in the ring's registered slot | `a_closed_file_is_unlocked_…` |
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use std::{
    fs::File,
    io::ErrorKind,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use ringzero::{Backend, Choice, Config, lock_file, open};
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(20);

fn path() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    File::create(&path).unwrap();
    (folder, path)
}

fn is_refused(file: &File, patience: Duration) -> bool {
    match lock_file(file, patience) {
        Ok(()) => false,
        Err(error) if error.kind() == ErrorKind::WouldBlock => true,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_lock_that_somebody_has_is_refused_when_the_patience_is_over() {
    let (_folder, path) = path();
    let (first, second) = (File::open(&path).unwrap(), File::open(&path).unwrap());
    lock_file(&first, Duration::ZERO).unwrap();
    lock_file(&first, Duration::ZERO).unwrap();
    let begin = Instant::now();
    assert!(is_refused(&second, Duration::from_millis(30)));
    assert!(begin.elapsed() >= Duration::from_millis(30));
    assert!(is_refused(&second, Duration::ZERO));
}

#[test]
fn a_lock_that_is_released_in_time_is_had() {
    let (_folder, path) = path();
    let (first, second) = (File::open(&path).unwrap(), File::open(&path).unwrap());
    lock_file(&first, Duration::ZERO).unwrap();
    let holder = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        drop(first);
    });
    lock_file(&second, LONG).unwrap();
    holder.join().unwrap();
}

#[test]
fn a_lock_is_the_descriptions_and_not_the_descriptors() {
    let (_folder, path) = path();
    let first = File::open(&path).unwrap();
    let same = first.try_clone().unwrap();
    let second = File::open(&path).unwrap();
    lock_file(&first, Duration::ZERO).unwrap();
    drop(first);
    assert!(is_refused(&second, Duration::ZERO), "the clone keeps it");
    drop(same);
    lock_file(&second, Duration::ZERO).unwrap();
}

#[test]
fn a_lock_goes_with_the_process() {
    let (_folder, path) = path();
    // A child that inherits the description, and is killed.
    let locked = File::open(&path).unwrap();
    lock_file(&locked, Duration::ZERO).unwrap();
    let mut child = Command::new("sleep").arg("1000").stdin(Stdio::from(locked)).spawn().unwrap();
    let second = File::open(&path).unwrap();
    let was_refused = is_refused(&second, Duration::ZERO);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(was_refused);
    lock_file(&second, LONG).unwrap();
}

/// Each backend that this machine has.
fn each_backend(test: impl Fn(&mut dyn Backend)) {
    for backend in [Choice::Sync, Choice::Worker, Choice::Uring] {
        match open(&Config { backend, ..Config::default() }) {
            Ok(mut opened) => test(&mut *opened.io),
            Err(reason) => ringzero_tests::skip::skip(format!("{backend:?}: {reason}")),
        }
    }
}

#[test]
fn a_registered_file_stays_locked_until_it_is_deregistered() {
    each_backend(|io| {
        let (_folder, path) = path();
        let log = File::options().write(true).open(&path).unwrap();
        lock_file(&log, Duration::ZERO).unwrap();
        let fd = io.register_fd(log).unwrap();
        let second = File::open(&path).unwrap();
        assert!(is_refused(&second, Duration::ZERO));
        io.deregister_fd(fd).unwrap();
        lock_file(&second, LONG).unwrap();
    });
}

#[test]
fn a_closed_file_is_unlocked_without_a_further_call() {
    each_backend(|io| {
        let (_folder, path) = path();
        let log = File::options().write(true).open(&path).unwrap();
        lock_file(&log, Duration::ZERO).unwrap();
        let fd = io.register_fd(log).unwrap();
        io.submit_append(fd, b"bytes").unwrap();
        io.submit_close(fd).unwrap();
        let mut done = Vec::new();
        let begin = Instant::now();
        while io.pending_count() > 0 {
            io.flush().unwrap();
            io.poll_completions(&mut done);
            assert!(begin.elapsed() < LONG);
        }
        assert!(done.iter().all(|completion| completion.result >= 0), "{done:?}");
        let second = File::open(&path).unwrap();
        lock_file(&second, LONG).unwrap();
    });
}
