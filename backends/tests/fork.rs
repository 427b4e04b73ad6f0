//! A forked child may not use what it inherited, and does not harm it; what it makes itself works.
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
    os::fd::{AsRawFd, RawFd},
};

use ringzero::{Backend, Config, IoCompletion, SliceSink, StorageIo, StorageIoError, SyncBackend};
use support::{create, finish, in_child, on_each_backend};

fn check(number: i32, holds: bool) -> Result<(), i32> {
    if holds { Ok(()) } else { Err(number) }
}

fn is_open(fd: RawFd) -> bool {
    // SAFETY: F_GETFD asks about any number.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

fn every_call_is_closed(
    io: &mut Box<dyn Backend>,
    fd: ringzero::IoFd,
    mut files: [File; 2],
) -> Result<(), i32> {
    let closed = StorageIoError::Closed;
    let [one, two] = &mut files;
    check(1, io.submit_write(fd, b"child", 0) == Err(closed))?;
    check(2, io.submit_append(fd, b"child") == Err(closed))?;
    check(3, io.submit_datasync(fd) == Err(closed))?;
    check(4, io.flush() == Err(closed))?;
    check(5, io.wait(0, None) == Err(closed))?;
    check(6, io.tail(fd) == Err(closed))?;
    check(7, io.room(fd) == Err(closed))?;
    check(8, io.resume_append(fd) == Err(closed))?;
    check(9, io.can_accept(fd, 1) == Err(closed))?;
    check(10, matches!(io.file_status(fd), Err(StorageIoError::Closed)))?;
    check(11, io.deregister_fd(fd) == Err(closed))?;
    check(12, io.shutdown(std::time::Duration::ZERO) == Err(closed))?;
    check(13, io.register_fd(one.try_clone().map_err(|_| 98)?) == Err(closed))?;
    check(14, io.register_segment(two.try_clone().map_err(|_| 99)?, 0, 1) == Err(closed))?;
    let mut memory = [IoCompletion::default(); 4];
    let mut sink = SliceSink::new(&mut memory);
    io.poll_completions(&mut sink);
    check(15, sink.filled().is_empty())
}

#[test]
fn a_forked_child_gets_closed_and_its_drop_does_nothing() {
    on_each_backend(&Config::default(), |io| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let others = [create(&folder.path().join("1")), create(&folder.path().join("2"))];
        let file = create(&path);
        let number = file.as_raw_fd();
        let fd = io.register_fd(file).unwrap();
        let first = io.submit_append(fd, b"parent ").unwrap();
        let mut child_of = std::mem::ManuallyDrop::new(std::mem::replace(io, dummy()));
        let code = in_child(|| {
            let mut io = std::mem::ManuallyDrop::into_inner(
                // SAFETY: the parent's copy of the value is in another process.
                unsafe { std::ptr::read(&raw const child_of) },
            );
            every_call_is_closed(&mut io, fd, others)?;
            drop(io);
            check(16, is_open(number))?;
            // A backend of its own works, and does not bring the parent's back to life.
            let mut own = SyncBackend::new(&Config::default()).map_err(|_| 17)?;
            let file = File::create(folder.path().join("child")).map_err(|_| 18)?;
            let own_fd = own.register_fd(file).map_err(|_| 19)?;
            own.submit_append(own_fd, b"child").map_err(|_| 20)?;
            check(21, own.pending_count() == 1)
        });
        assert_eq!(code, 0, "the number of the check that failed");
        // SAFETY: taken back once; the child had its own copy.
        *io = unsafe { std::mem::ManuallyDrop::take(&mut child_of) };
        let second = io.submit_append(fd, b"goes on").unwrap();
        let expected =
            [IoCompletion { token: first, result: 7 }, IoCompletion { token: second, result: 7 }];
        assert_eq!(finish(io), expected);
        assert_eq!(fs::read(&path).unwrap(), b"parent goes on");
        assert_eq!(fs::read(folder.path().join("child")).unwrap(), b"child");
    });
}

fn dummy() -> Box<dyn Backend> {
    Box::new(SyncBackend::new(&Config::default()).unwrap())
}

#[test]
fn a_grandchild_may_use_neither_its_parents_nor_its_grandparents() {
    let folder = tempfile::tempdir().unwrap();
    let mut old = SyncBackend::new(&Config::default()).unwrap();
    let old_fd = old.register_fd(create(&folder.path().join("old"))).unwrap();
    let code = in_child(|| {
        let mut own = SyncBackend::new(&Config::default()).map_err(|_| 1)?;
        let own_fd = own.register_fd(create(&folder.path().join("own"))).map_err(|_| 2)?;
        own.submit_append(own_fd, b"x").map_err(|_| 3)?;
        let code = in_child(|| {
            check(4, own.submit_append(own_fd, b"x") == Err(StorageIoError::Closed))?;
            let _third = SyncBackend::new(&Config::default()).map_err(|_| 5)?;
            check(6, own.submit_append(own_fd, b"x") == Err(StorageIoError::Closed))?;
            check(7, old.submit_append(old_fd, b"x") == Err(StorageIoError::Closed))
        });
        check(code, code == 0)?;
        own.submit_append(own_fd, b"x").map_err(|_| 8)?;
        check(9, old.submit_append(old_fd, b"x") == Err(StorageIoError::Closed))
    });
    assert_eq!(code, 0, "the number of the check that failed");
    old.submit_append(old_fd, b"x").unwrap();
}
