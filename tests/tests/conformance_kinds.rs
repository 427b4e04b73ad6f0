//! Guarantee 9 on the operating system: every kind of file, and that what is refused is closed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use std::{
    fs::{File, OpenOptions},
    io::Read,
    os::{fd::OwnedFd, unix::net::UnixStream},
};

use ringzero_core::{Errno, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    conformance,
    fixture::{Fixture, Place, Setup},
    real::{Mode, Real},
    session::Session,
};

conformance!(
    @real
    directories_and_sockets_are_refused,
    what_is_refused_is_closed,
    a_closed_file_is_closed,
    a_second_name_or_descriptor_of_a_file_is_the_same_file,
    a_file_that_keeps_its_append_flag_is_refused_and_never_written_wrongly,
);

/// What these tests need of a fixture: that it is over `std::fs::File`.
trait OnFiles: Fixture<File = File> {
    fn path(&self, name: &str) -> std::path::PathBuf;
}

impl<M: Mode> OnFiles for Real<M> {
    fn path(&self, name: &str) -> std::path::PathBuf {
        Real::path(self, name)
    }
}

fn directories_and_sockets_are_refused<F: OnFiles>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let directory = File::open(std::env::temp_dir()).unwrap();
    let answer = s.io.register_fd(directory);
    let is_refused = |answer| {
        matches!(answer, Err(StorageIoError::Io(Errno::INVAL) | StorageIoError::Io(Errno::BADF)))
    };
    assert!(is_refused(answer), "a directory: {answer:?}");
    let (one, _other) = UnixStream::pair().unwrap();
    let answer = s.io.register_fd(File::from(OwnedFd::from(one)));
    assert_eq!(answer, Err(StorageIoError::Io(Errno::INVAL)), "a socket");
    s.open("file", &[]);
}

/// The other end of a pipe says when the last descriptor of this one is closed.
fn is_closed(mut reader: impl Read) -> bool {
    matches!(reader.read(&mut [0; 1]), Ok(0))
}

fn what_is_refused_is_closed<F: OnFiles>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let (reader, writer) = std::io::pipe().unwrap();
    let answer = s.io.register_fd(File::from(OwnedFd::from(writer)));
    assert_eq!(answer, Err(StorageIoError::Io(Errno::INVAL)));
    assert!(is_closed(reader), "a refused file stays open");
    let (reader, writer) = std::io::pipe().unwrap();
    assert!(s.io.register_segment(File::from(OwnedFd::from(writer)), 9, 3).is_err());
    assert!(is_closed(reader));
    s.io.shutdown(std::time::Duration::from_secs(1)).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let answer = s.io.register_fd(File::from(OwnedFd::from(writer)));
    assert_eq!(answer, Err(StorageIoError::Closed));
    assert!(is_closed(reader));
}

/// How many descriptors of this process have the file open.
fn descriptor_count(path: &std::path::Path) -> usize {
    let links = std::fs::read_dir("/proc/self/fd").unwrap();
    links
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter(|p| p == path)
        .count()
}

fn a_closed_file_is_closed<F: OnFiles>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    let path = s.fixture.path("file").canonicalize().unwrap();
    assert_eq!(descriptor_count(&path), 1, "control: the backend has it open");
    s.append(fd, b"x").unwrap();
    s.sync(fd).unwrap();
    s.io.deregister_fd(fd).unwrap();
    assert_eq!(descriptor_count(&path), 0);
    s.drain();
    let fd = s.open("file", &[]);
    s.append(fd, b"x").unwrap();
    s.io.shutdown(std::time::Duration::from_secs(10)).unwrap();
    s.drain();
    drop(s.io);
    assert_eq!(descriptor_count(&path), 0);
}

fn a_second_name_or_descriptor_of_a_file_is_the_same_file<F: OnFiles>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let file = s.fixture.create("file", &[]);
    let duplicate = file.try_clone().unwrap();
    let fd = s.io.register_fd(file).unwrap();
    let busy = Err(StorageIoError::Io(Errno::BUSY));
    assert_eq!(s.io.register_fd(duplicate), busy, "a duplicate of the descriptor");
    std::fs::hard_link(s.fixture.path("file"), s.fixture.path("second name")).unwrap();
    let second = OpenOptions::new().write(true).open(s.fixture.path("second name")).unwrap();
    assert_eq!(s.io.register_fd(second), busy, "a second name");
    s.append(fd, b"x").unwrap();
    s.drain();
    assert_eq!(s.fixture.read("second name"), b"x");
}

/// An append-only file (chattr +a) keeps its flag: refused with an error, never written wrongly.
fn a_file_that_keeps_its_append_flag_is_refused_and_never_written_wrongly<F: OnFiles>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    drop(s.fixture.create("file", b"0123456789"));
    let path = s.fixture.path("file");
    let change = |flag: &str| {
        let status = std::process::Command::new("chattr").arg(flag).arg(&path).status();
        status.is_ok_and(|status| status.success())
    };
    if !change("+a") {
        return println!("skipped on {}: chattr +a is not possible here", F::NAME);
    }
    let opened = OpenOptions::new().append(true).open(&path);
    let answer = opened.map(|file| s.io.register_fd(file));
    assert!(change("-a"), "cleaned up");
    match answer.expect("an append-only file can be opened for appending") {
        Err(error) => assert!(matches!(error, StorageIoError::Io(_)), "{error:?}"),
        Ok(fd) => {
            s.write(fd, b"ab", 2).unwrap();
            s.drain();
            assert_eq!(s.fixture.read("file"), b"01ab456789");
        }
    }
}
