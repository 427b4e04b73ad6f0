//! Closing a file cuts it back to its tail where a failed append wrote beyond it.
//!
//! The append fails half-way at the limit on file sizes, which is the whole process's: these tests
//! have a binary of their own, and run one after the other.
#![cfg(unix)]
#![allow(unsafe_code, reason = "calls of libc that std has no form of")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail, and says what it skips"
)]

mod support;

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::Path,
    sync::Mutex,
    time::Duration,
};

use ringzero::{Backend, Config, Errno, IoCompletion, IoFd, StorageIo};
use support::{create, finish, on_each_backend};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Beyond any log that the test runner's output goes to.
const LIMIT_BYTES: u64 = 1 << 30;
/// Where the good append begins: 600 bytes of it, and 400 of the bad one, fit.
const BEGIN: u64 = LIMIT_BYTES - 1_000;
const GOOD_END: u64 = BEGIN + 600;

/// Runs `body` while no file may grow beyond the limit.
fn with_size_limit(body: impl FnOnce()) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: without the signal the write fails with EFBIG; nothing else here relies on it.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    // SAFETY: `before` is an rlimit to write to.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut before) }, 0);
    let limit = libc::rlimit { rlim_cur: LIMIT_BYTES as libc::rlim_t, ..before };
    // SAFETY: `limit` is an rlimit to read.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
    body();
    // SAFETY: as above.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const before) }, 0);
}

/// A file with a hole up to `BEGIN`.
fn sparse(path: &Path) -> File {
    let file = create(path);
    file.set_len(BEGIN).unwrap();
    file
}

/// What is in the file behind the hole.
fn behind_the_hole(path: &Path) -> Vec<u8> {
    let mut file = File::open(path).unwrap();
    file.seek(SeekFrom::Start(BEGIN)).unwrap();
    let mut found = vec![];
    file.read_to_end(&mut found).unwrap();
    found
}

/// Appends 600 bytes, and then 600 of which 400 fit.
fn fail_half_way(io: &mut Box<dyn Backend>, fd: IoFd) {
    with_size_limit(|| {
        let good = io.submit_append(fd, &[b'a'; 600]).unwrap();
        assert_eq!(finish(io), [IoCompletion { token: good, result: 600 }]);
        let token = io.submit_append(fd, &[b'b'; 600]).unwrap();
        assert_eq!(finish(io), [IoCompletion { token, result: -Errno::FBIG.number() }]);
    });
}

#[test]
fn deregistering_cuts_back_what_a_failed_append_left_beyond_the_tail() {
    on_each_backend(&Config::default(), |io| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let fd = io.register_fd(sparse(&path)).unwrap();
        fail_half_way(io, fd);
        assert_eq!(fs::metadata(&path).unwrap().len(), LIMIT_BYTES);
        assert_eq!(io.resume_append(fd), Ok(GOOD_END));
        io.deregister_fd(fd).unwrap();
        assert_eq!(behind_the_hole(&path), [b'a'; 600]);
    });
}

#[test]
fn deregistering_cuts_back_also_where_appending_was_not_resumed() {
    on_each_backend(&Config::default(), |io| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let fd = io.register_fd(sparse(&path)).unwrap();
        fail_half_way(io, fd);
        io.deregister_fd(fd).unwrap();
        assert_eq!(behind_the_hole(&path), [b'a'; 600]);
    });
}

#[test]
fn shutdown_cuts_back_what_a_failed_append_left_beyond_the_tail() {
    on_each_backend(&Config::default(), |io| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let fd = io.register_fd(sparse(&path)).unwrap();
        fail_half_way(io, fd);
        io.shutdown(Duration::from_secs(10)).unwrap();
        assert_eq!(behind_the_hole(&path), [b'a'; 600]);
    });
}

#[test]
fn what_a_good_append_wrote_again_is_kept() {
    on_each_backend(&Config::default(), |io| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let fd = io.register_fd(sparse(&path)).unwrap();
        fail_half_way(io, fd);
        assert_eq!(io.resume_append(fd), Ok(GOOD_END));
        io.submit_append(fd, &[b'c'; 100]).unwrap();
        assert_eq!(finish(io).len(), 1);
        io.deregister_fd(fd).unwrap();
        let mut expected = vec![b'a'; 600];
        expected.extend([b'c'; 100]);
        assert_eq!(behind_the_hole(&path), expected);
    });
}

#[test]
fn a_segment_is_never_cut() {
    on_each_backend(&Config::default(), |io| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let fd = io.register_segment(sparse(&path), BEGIN, LIMIT_BYTES * 2).unwrap();
        fail_half_way(io, fd);
        io.deregister_fd(fd).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), LIMIT_BYTES);
    });
}

#[test]
fn a_file_without_failure_is_not_touched_at_closing() {
    on_each_backend(&Config::default(), |io| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, [b'z'; 50]).unwrap();
        let fd = io.register_fd(File::options().write(true).open(&path).unwrap()).unwrap();
        io.submit_write(fd, b"x", 99).unwrap();
        finish(io);
        io.deregister_fd(fd).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 100);
    });
}
