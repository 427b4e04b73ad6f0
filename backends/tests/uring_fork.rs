//! A forked child of a process that has a ring: refused everywhere, and the ring goes on in the
//! parent, also with work in flight during the fork and after the child dropped its copy.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail, and says what it skips"
)]
#![allow(unsafe_code, reason = "calls of libc that std has no form of")]

mod uring_support;

use std::{fs, time::Duration};

use ringzero::{IoCompletion, IoFd, StorageIo, StorageIoError, StorageIoExt, UringBackend};
use uring_support::{MODES, config, create, finish, ring};

/// The number of the first check that fails in the child, 0 for none.
fn checks_in_child(io: &mut UringBackend, log: IoFd, file: fs::File, pending: usize) -> i32 {
    let closed = Err(StorageIoError::Closed);
    let mut memory = [IoCompletion::default(); 4];
    let mut sink = ringzero::SliceSink::new(&mut memory);
    io.poll_completions(&mut sink);
    let checks = [
        io.submit_write(log, b"x", 0) == closed,
        io.submit_append(log, b"x") == closed,
        io.submit_datasync(log) == closed,
        io.flush() == Err(StorageIoError::Closed),
        io.wait(1, None) == Err(StorageIoError::Closed),
        io.deregister_fd(log) == Err(StorageIoError::Closed),
        io.register_fd(file) == Err(StorageIoError::Closed),
        io.resume_append(log) == closed,
        io.tail(log) == closed,
        io.shutdown(Duration::ZERO) == Err(StorageIoError::Closed),
        sink.filled().is_empty(),
        io.pending_count() == pending,
    ];
    checks.iter().position(|is_right| !is_right).map_or(0, |index| index as i32 + 1)
}

#[test]
fn a_forked_child_is_refused_and_disturbs_nothing() {
    for mode in MODES {
        let Some(mut io) = ring(&config(mode)) else { continue };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = io.register_fd(create(&path)).unwrap();
        let other = create(&folder.path().join("other"));
        for _ in 0..100 {
            io.submit_append(log, b"before ").unwrap();
        }
        io.submit_datasync(log).unwrap();
        io.flush().unwrap();
        // SAFETY: the child calls only what needs no other thread, and leaves with _exit.
        match unsafe { libc::fork() } {
            0 => {
                let failed = checks_in_child(&mut io, log, other, 101);
                drop(io);
                // SAFETY: ends the child, without running what belongs to the parent.
                unsafe { libc::_exit(failed) }
            }
            child => {
                let mut status = -1;
                // SAFETY: the child exists, and `status` is an int to write to.
                assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
                assert!(libc::WIFEXITED(status), "the child was killed: {status:x}");
                assert_eq!(libc::WEXITSTATUS(status), 0, "{mode:?}: the number of the check");
            }
        }
        io.submit_append(log, b"after").unwrap();
        io.submit_datasync(log).unwrap();
        let completions = finish(&mut io);
        assert!(completions.iter().all(|it| it.result >= 0), "{completions:?}");
        assert_eq!(completions.len(), 103);
        let expected = [b"before ".repeat(100), b"after".to_vec()].concat();
        assert!(fs::read(&path).unwrap() == expected, "{mode:?}");
    }
}
