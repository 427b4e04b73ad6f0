//! Deregistration and shutdown where nothing stalls: everything is finished first, files are closed
//! and handles are dead. (With requests that stall: `uring_stalled`.)
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
    time::Duration,
};

use ringzero::{IoCompletion, StorageIo, StorageIoError, StorageIoExt};
use uring_support::{MODES, config, create, finish, is_closed_soon, is_open, ring};

#[test]
fn after_shutdown_everything_is_refused_and_what_is_left_is_delivered() {
    for mode in MODES {
        let Some(mut io) = ring(&config(mode)) else { continue };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = io.register_fd(create(&path)).unwrap();
        io.submit_append(log, b"a record").unwrap();
        io.submit_datasync(log).unwrap();
        assert_eq!(io.shutdown(Duration::from_secs(20)), Ok(()));
        assert_eq!(fs::read(&path).unwrap(), b"a record");
        assert!(is_closed_soon(&path), "also in the ring's table");
        assert_eq!(io.submit_append(log, b"x"), Err(StorageIoError::Closed));
        assert_eq!(io.submit_write(log, b"x", 0), Err(StorageIoError::Closed));
        assert_eq!(io.submit_datasync(log), Err(StorageIoError::Closed));
        assert_eq!(io.flush(), Err(StorageIoError::Closed));
        assert_eq!(io.deregister_fd(log), Err(StorageIoError::Closed));
        assert_eq!(io.shutdown(Duration::ZERO), Err(StorageIoError::Closed));
        let other = create(&folder.path().join("other"));
        assert_eq!(io.register_fd(other), Err(StorageIoError::Closed));
        assert_eq!(io.wait(2, None), Ok(2));
        let mut completions: Vec<IoCompletion> = Vec::new();
        io.poll_completions(&mut completions);
        assert!(completions.iter().all(|it| it.result >= 0));
        assert_eq!((completions.len(), io.pending_count()), (2, 0));
    }
}

#[test]
fn a_deregistered_file_is_finished_first_and_closed() {
    for mode in MODES {
        let Some(mut io) = ring(&config(mode)) else { continue };
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        let first = io.register_fd(create(&one)).unwrap();
        let second = io.register_fd(create(&two)).unwrap();
        for _ in 0..10 {
            io.submit_append(first, b"first").unwrap();
            io.submit_append(second, b"second").unwrap();
        }
        assert!(is_open(&one));
        assert_eq!(io.deregister_fd(first), Ok(()));
        assert_eq!(fs::read(&one).unwrap(), b"first".repeat(10));
        assert!(is_closed_soon(&one), "also in the ring's table");
        assert_eq!(io.submit_append(first, b"x"), Err(StorageIoError::BadFd));
        assert_eq!(io.deregister_fd(first), Err(StorageIoError::BadFd));
        assert_eq!(finish(&mut io).len(), 20, "everyone's completions are kept");
        // The slot is used again; the old handle stays dead.
        let again = io.register_fd(File::options().write(true).open(&one).unwrap()).unwrap();
        io.submit_append(again, b"!").unwrap();
        assert_eq!(io.submit_append(first, b"x"), Err(StorageIoError::BadFd));
        assert_eq!(finish(&mut io)[0].result, 1);
        assert_eq!(fs::read(&one).unwrap().len(), 51);
    }
}
