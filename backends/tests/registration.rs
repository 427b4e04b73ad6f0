//! Which files are taken, which are refused and why; and that a refused file is closed.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "calls of libc that std has no form of")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail, and says what it skips"
)]

mod support;

use std::{
    ffi::CString,
    fs::{self, File},
    io::Read,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{ffi::OsStrExt, net::UnixStream},
    },
};

use ringzero::{Backend, Config, Errno, IoCompletion, Limits, StorageIo, StorageIoError};
use support::{create, descriptors_of, finish, on_each_backend};

fn refused(errno: Errno) -> Result<ringzero::IoFd, StorageIoError> {
    Err(StorageIoError::Io(errno))
}

fn config() -> Config {
    let limits = Limits { files: 2, operations_per_file: 8, ..Limits::default() };
    Config { limits, ..Config::default() }
}

#[test]
fn a_regular_file_is_appended_to_at_the_end_it_has() {
    on_each_backend(&config(), |io| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"before ").unwrap();
        let fd = io.register_fd(File::options().write(true).open(&path).unwrap()).unwrap();
        assert_eq!(io.tail(fd), Ok(7));
        let token = io.submit_append(fd, b"after").unwrap();
        assert_eq!(finish(io), [IoCompletion { token, result: 5 }]);
        assert_eq!(fs::read(&path).unwrap(), b"before after");
        io.deregister_fd(fd).unwrap();
        assert_eq!(descriptors_of(&path), 0);
        assert_eq!(io.deregister_fd(fd), Err(StorageIoError::BadFd));
    });
}

#[test]
fn a_file_in_append_mode_is_taken_and_explicit_offsets_count() {
    on_each_backend(&config(), |io| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"0123456789").unwrap();
        let file = File::options().append(true).open(&path).unwrap();
        let other = file.try_clone().unwrap();
        let fd = io.register_fd(file).unwrap();
        // SAFETY: the descriptor is open.
        let flags = unsafe { libc::fcntl(other.as_raw_fd(), libc::F_GETFL) };
        assert_eq!(flags & libc::O_APPEND, 0);

        io.submit_write(fd, b"abc", 2).unwrap();
        io.submit_append(fd, b"xyz").unwrap();
        finish(io);
        assert_eq!(fs::read(&path).unwrap(), b"01abc56789xyz");
    });
}

#[test]
fn append_mode_that_comes_back_behind_our_back_does_not_move_a_write() {
    on_each_backend(&config(), |io| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"0123456789").unwrap();
        let file = File::options().append(true).open(&path).unwrap();
        let other = file.try_clone().unwrap();
        let fd = io.register_fd(file).unwrap();
        // SAFETY: the descriptor is open.
        let result = unsafe { libc::fcntl(other.as_raw_fd(), libc::F_SETFL, libc::O_APPEND) };
        assert_eq!(result, 0);
        io.submit_write(fd, b"abc", 2).unwrap();
        finish(io);
        let expected: &[u8] = if kernel_has_noappend() { b"01abc56789" } else { b"0123456789abc" };
        assert_eq!(fs::read(&path).unwrap(), expected);
    });
}

/// Whether the kernel takes RWF_NOAPPEND of pwritev2(2).
fn kernel_has_noappend() -> bool {
    let file = tempfile::tempfile().unwrap();
    let mut byte = 0_u8;
    let piece = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: the descriptor is open, and `piece` is one byte that is only read.
    unsafe { libc::pwritev2(file.as_raw_fd(), &raw const piece, 1, 0, libc::RWF_NOAPPEND) == 1 }
}

#[test]
fn a_file_that_may_only_be_appended_to_is_refused() {
    on_each_backend(&config(), |io| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"").unwrap();
        let set = |sign| {
            let mut command = std::process::Command::new("chattr");
            command.arg(sign).arg(&path).output().is_ok_and(|output| output.status.success())
        };
        if !set("+a") {
            println!("skipped: the append-only attribute cannot be set here");
            return;
        }
        let file = File::options().append(true).open(&path).unwrap();
        let result = io.register_fd(file);
        let count = descriptors_of(&path);
        assert!(set("-a"));
        assert_eq!(result, refused(Errno::new(libc::EPERM)));
        assert_eq!(count, 0);
        // The slots are free again.
        for name in ["one", "two"] {
            io.register_fd(create(&folder.path().join(name))).unwrap();
        }
    });
}

#[test]
fn a_file_that_is_not_open_for_writing_is_refused() {
    on_each_backend(&config(), |io| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"").unwrap();
        assert_eq!(io.register_fd(File::open(&path).unwrap()), refused(Errno::BADF));
        let file = File::open(&path).unwrap();
        assert_eq!(io.register_segment(file, 0, 10), refused(Errno::BADF));
        assert_eq!(descriptors_of(&path), 0);
    });
}

#[test]
fn a_directory_is_refused() {
    on_each_backend(&config(), |io| {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(io.register_fd(File::open(folder.path()).unwrap()), refused(Errno::INVAL));
        assert_eq!(descriptors_of(folder.path()), 0);
    });
}

#[test]
fn a_pipe_is_refused_and_closed() {
    on_each_backend(&config(), |io| {
        let (mut reader, writer) = std::io::pipe().unwrap();
        assert_eq!(io.register_fd(OwnedFd::from(writer).into()), refused(Errno::INVAL));
        // It would block for ever if the other end were still open.
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        assert_eq!(io.register_fd(OwnedFd::from(reader).into()), refused(Errno::INVAL));
    });
}

#[test]
fn a_socket_is_refused_and_closed() {
    on_each_backend(&config(), |io| {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        assert_eq!(io.register_fd(OwnedFd::from(theirs).into()), refused(Errno::INVAL));
        assert_eq!(ours.read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn a_fifo_is_refused_and_closed() {
    on_each_backend(&config(), |io| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        let name = CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: the name ends with a zero byte.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let open = || File::options().read(true).write(true).open(&path).unwrap();
        assert_eq!(io.register_fd(open()), refused(Errno::INVAL));
        assert_eq!(io.register_segment(open(), 0, 10), refused(Errno::INVAL));
        assert_eq!(descriptors_of(&path), 0);
    });
}

#[test]
fn a_terminal_is_refused() {
    on_each_backend(&config(), |io| match File::options().write(true).open("/dev/ptmx") {
        Ok(terminal) => assert_eq!(io.register_fd(terminal), refused(Errno::INVAL)),
        Err(error) => println!("skipped: no terminal here: {error}"),
    });
}

#[test]
fn a_device_takes_positional_writes_but_no_appends() {
    on_each_backend(&config(), |io| {
        let fd = io.register_fd(File::options().write(true).open("/dev/null").unwrap()).unwrap();
        let token = io.submit_write(fd, b"gone", 1 << 40).unwrap();
        assert_eq!(finish(io), [IoCompletion { token, result: 4 }]);
        assert_eq!(io.submit_append(fd, b"x"), Err(StorageIoError::Io(Errno::INVAL)));
        assert_eq!(io.tail(fd), Err(StorageIoError::Io(Errno::INVAL)));
        assert_eq!(io.pending_count(), 0);
        io.deregister_fd(fd).unwrap();
    });
}

#[test]
fn a_device_with_a_given_tail_is_appended_to() {
    on_each_backend(&config(), |io| {
        let device = File::options().write(true).open("/dev/null").unwrap();
        let fd = io.register_segment(device, 100, 104).unwrap();
        assert_eq!((io.tail(fd), io.room(fd)), (Ok(100), Ok(4)));
        io.submit_append(fd, b"1234").unwrap();
        assert_eq!(io.submit_append(fd, b"5"), Err(StorageIoError::Io(Errno::FBIG)));
        assert_eq!(finish(io).len(), 1);
    });
}

#[test]
fn the_same_device_is_not_registered_twice() {
    on_each_backend(&config(), |io| {
        let open = || File::options().write(true).open("/dev/null").unwrap();
        io.register_fd(open()).unwrap();
        assert_eq!(io.register_fd(open()), refused(Errno::BUSY));
    });
}

#[test]
fn a_segment_that_ends_before_it_begins_is_refused() {
    on_each_backend(&config(), |io| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = create(&path);
        assert_eq!(io.register_segment(file.try_clone().unwrap(), 2, 1), refused(Errno::INVAL));
        let beyond = i64::MAX as u64 + 1;
        assert_eq!(io.register_segment(file, 0, beyond), refused(Errno::INVAL));
        assert_eq!(descriptors_of(&path), 0);
    });
}

#[test]
fn the_same_file_is_not_registered_twice_by_whatever_way() {
    on_each_backend(&config(), |io| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let link = folder.path().join("link");
        let file = create(&path);
        fs::hard_link(&path, &link).unwrap();
        let clone = file.try_clone().unwrap();
        let fd = io.register_fd(file).unwrap();
        assert_eq!(io.register_fd(clone), refused(Errno::BUSY));
        for other in [&path, &link] {
            let file = || File::options().write(true).open(other).unwrap();
            assert_eq!(io.register_fd(file()), refused(Errno::BUSY));
            assert_eq!(io.register_segment(file(), 0, 1), refused(Errno::BUSY));
        }
        assert_eq!((descriptors_of(&path), descriptors_of(&link)), (1, 0));
        io.deregister_fd(fd).unwrap();
        let fd = io.register_fd(File::options().write(true).open(&link).unwrap()).unwrap();
        io.deregister_fd(fd).unwrap();
        assert_eq!(descriptors_of(&link), 0);
    });
}

#[test]
fn a_refused_file_keeps_its_append_mode() {
    on_each_backend(&config(), |io| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let _first = io.register_fd(create(&path)).unwrap();
        let file = File::options().append(true).open(&path).unwrap();
        let other = file.try_clone().unwrap();
        assert_eq!(io.register_fd(file), refused(Errno::BUSY));
        // SAFETY: the descriptor is open.
        let flags = unsafe { libc::fcntl(other.as_raw_fd(), libc::F_GETFL) };
        assert_ne!(flags & libc::O_APPEND, 0, "refused means that nothing happened");
    });
}

#[test]
fn a_full_table_is_a_full_queue_until_a_file_leaves() {
    on_each_backend(&config(), |io| {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        let one = io.register_fd(create(&path("1"))).unwrap();
        io.register_fd(create(&path("2"))).unwrap();
        assert_eq!(io.register_fd(create(&path("3"))), Err(StorageIoError::QueueFull));
        assert_eq!(descriptors_of(&path("3")), 0);
        io.deregister_fd(one).unwrap();
        let four = io.register_fd(create(&path("4"))).unwrap();
        assert_ne!(one, four);
        assert_eq!(io.submit_write(one, b"x", 0), Err(StorageIoError::BadFd));
    });
}

#[test]
fn a_handle_of_another_backend_is_bad_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let mut handles = vec![];
    for name in ["a", "b"] {
        on_each_backend(&config(), |io: &mut Box<dyn Backend>| {
            let path = folder.path().join(format!("{name}{}", handles.len()));
            let own = io.register_fd(create(&path)).unwrap();
            for stale in &handles {
                assert_ne!(*stale, own);
                assert_eq!(io.submit_write(*stale, b"x", 0), Err(StorageIoError::BadFd));
                assert_eq!(io.submit_append(*stale, b"x"), Err(StorageIoError::BadFd));
                assert_eq!(io.submit_datasync(*stale), Err(StorageIoError::BadFd));
                assert_eq!(io.tail(*stale), Err(StorageIoError::BadFd));
                assert_eq!(io.room(*stale), Err(StorageIoError::BadFd));
                assert_eq!(io.resume_append(*stale), Err(StorageIoError::BadFd));
                assert_eq!(io.can_accept(*stale, 1), Err(StorageIoError::BadFd));
                assert!(matches!(io.file_status(*stale), Err(StorageIoError::BadFd)));
                assert_eq!(io.deregister_fd(*stale), Err(StorageIoError::BadFd));
            }
            handles.push(own);
        });
    }
}

#[test]
fn after_shutdown_everything_is_closed_but_what_is_left_can_be_polled() {
    on_each_backend(&config(), |io| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let fd = io.register_fd(create(&path)).unwrap();
        let token = io.submit_append(fd, b"data").unwrap();
        let sync = io.submit_datasync(fd).unwrap();
        io.shutdown(std::time::Duration::from_secs(10)).unwrap();

        assert_eq!(descriptors_of(&path), 0);
        assert_eq!(fs::read(&path).unwrap(), b"data");
        let closed = StorageIoError::Closed;
        assert_eq!(io.register_fd(create(&folder.path().join("late"))), Err(closed));
        assert_eq!(io.register_fd(File::open(folder.path()).unwrap()), Err(closed));
        assert_eq!(io.deregister_fd(fd), Err(closed));
        assert_eq!(io.submit_write(fd, b"x", 0), Err(closed));
        assert_eq!(io.submit_append(fd, b"x"), Err(closed));
        assert_eq!(io.submit_datasync(fd), Err(closed));
        assert_eq!(io.flush(), Err(closed));
        assert_eq!(io.shutdown(std::time::Duration::ZERO), Err(closed));

        assert_eq!(io.pending_count(), 2);
        let mut completions = vec![];
        io.poll_completions(&mut completions);
        let expected = [IoCompletion { token, result: 4 }, IoCompletion { token: sync, result: 0 }];
        assert_eq!(completions, expected);
        assert_eq!(io.pending_count(), 0);
    });
}
