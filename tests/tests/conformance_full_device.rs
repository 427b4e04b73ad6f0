//! Guarantees 3, 5, 6 and 7 on a device that is really full, and on a file that may not grow.
//!
//! Records are no multiple of a page, so that the failing one is written in part: its request ends
//! short, its rest goes out again and fails, and what it left behind is cut off.
//!
//! # Mutations
//! | removed | red, in every mode |
//! |---|---|
//! | EFBIG keeps the file usable | `a_file_that_may_not_grow_..` |
//! | closing cuts back | both |
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use std::{env, path::Path};

use ringzero_core::{Errno, IoFd, Limits, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    confine::{
        child,
        volume::{FileSystem, Volume},
    },
    conformance,
    fixture::{Fixture, Place, Setup},
    random::bytes,
    real::{Mode, OfMode, Real},
    session::Session,
    skip::skip,
    tiny::Tiny,
};
use tempfile::TempDir;

const RECORD: usize = 5_000;
/// Of a file: ten records and a part of one.
const LIMIT: usize = 52_000;
const CANCELED: i32 = -Errno::CANCELED.number();

fn setup() -> Setup {
    Setup::with(Limits { operations_common: 256, ..Limits::default() })
}

/// Appends records until some fail; everything about the failure is exact. Returns the handle, how
/// many succeeded, and what is in the file.
fn fill<M: Mode>(s: &mut Session<Real<M>>, errno: Errno) -> (IoFd, Vec<u8>) {
    let fd = s.open("log", &[]);
    let before = s.sync(fd).unwrap();
    s.drain();
    assert_eq!(s.result(before), 0);
    let record = |id: u64| bytes(id + 1, id * RECORD as u64, RECORD);
    let tokens: Vec<u64> = (0..40).map(|id| s.append(fd, &record(id)).unwrap()).collect();
    let covering = s.sync(fd).unwrap();
    s.drain();
    let results: Vec<i32> = tokens.iter().map(|&token| s.result(token)).collect();
    let good = results.iter().take_while(|&&result| result == RECORD as i32).count();
    assert!((1..39).contains(&good), "the device was filled: {results:?}");
    assert_eq!(results[good], -errno.number());
    assert!(results[good + 1..].iter().all(|&result| result == CANCELED), "a prefix: {results:?}");
    assert_eq!(s.result(covering), -errno.number(), "and the sync says so");
    let tail = (good * RECORD) as u64;
    assert_eq!(s.io.tail(fd), Ok(tail), "where the failed append began");
    let refused = StorageIoError::Io(errno);
    assert_eq!(s.append(fd, b"x"), Err(refused));
    assert_eq!(s.io.can_accept(fd, 1), Err(refused));
    let status = s.io.file_status(fd).unwrap();
    assert_eq!((status.failed, status.append_failed), (None, Some(errno)));
    let mut expected = Vec::new();
    (0..good as u64).for_each(|id| expected.extend(record(id)));
    let found = s.fixture.read("log");
    assert!(found.starts_with(&expected), "what succeeded is there");
    assert!(found.len() > expected.len(), "control: and a part of what failed");
    (fd, expected)
}

/// The failure has been reported: the file goes on as if nothing had happened.
fn go_on<M: Mode>(s: &mut Session<Real<M>>, fd: IoFd, mut expected: Vec<u8>) {
    let tail = expected.len() as u64;
    let calls = s.io.stats().sync_requests;
    let sync = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(sync), 0, "an earlier sync reported the failure");
    assert_eq!(s.io.stats().sync_requests, calls + 1, "control: this one made a call");
    assert_eq!(s.io.resume_append(fd), Ok(tail));
    let data = bytes(99, tail, 1_000);
    let append = s.append(fd, &data).unwrap();
    let sync = s.sync(fd).unwrap();
    assert_eq!((s.wait_for(append), s.wait_for(sync)), (1_000, 0));
    expected.extend_from_slice(&data);
    assert!(s.fixture.read("log").starts_with(&expected));
    s.io.deregister_fd(fd).unwrap();
    assert!(s.fixture.read("log") == expected, "cut back to the tail");
}

fn a_full_device<M: Mode>() {
    let tiny = match Tiny::mount(24 * RECORD) {
        Ok(tiny) => tiny,
        Err(reason) => {
            return skip(format!("{}: no tmpfs can be mounted: {reason}", M::NAME));
        }
    };
    if let Err(reason) = Real::<M>::at(Place::Memory) {
        return skip(format!("{}: {reason}", M::NAME));
    }
    let mut s = Session::over(Real::<M>::in_directory(tiny.directory()), &setup());
    drop(s.fixture.create("filler", &[1; 6 * RECORD]));
    let (fd, expected) = fill(&mut s, Errno::NOSPC);

    // A positional write without room fails by itself; the first sync after it says so without a
    // call, later ones speak for everything else.
    let far = 100 * RECORD as u64;
    let failed = s.write(fd, &[7; 10 * RECORD], 0).unwrap();
    assert_eq!(s.wait_for(failed), 10 * RECORD as i32, "bytes that are there can be overwritten");
    let restored = s.write(fd, &expected[..10 * RECORD], 0).unwrap();
    assert_eq!(s.wait_for(restored), 10 * RECORD as i32);
    let other = s.open("other", &[]);
    let failed = s.write(other, &[7; 10 * RECORD], far).unwrap();
    assert_eq!(s.wait_for(failed), -Errno::NOSPC.number());
    let calls = s.io.stats().sync_requests;
    let reports = s.sync(other).unwrap();
    assert_eq!(s.wait_for(reports), -Errno::NOSPC.number());
    assert_eq!(s.io.stats().sync_requests, calls, "without a call of the operating system");
    let later = s.sync(other).unwrap();
    assert_eq!(s.wait_for(later), 0);
    s.io.deregister_fd(other).unwrap();

    std::fs::remove_file(s.fixture.path("other")).unwrap();
    std::fs::remove_file(s.fixture.path("filler")).unwrap();
    go_on(&mut s, fd, expected);
    drop(s);
}

fn a_device_that_is_full_leaves_exact_bookkeeping<F: OfMode>() {
    a_full_device::<F::Mode>();
}

/// In child processes that may not grow files beyond the limit and ignore SIGXFSZ: where files are
/// as a rule, on ext4 and on XFS.
fn a_file_that_may_not_grow_leaves_exact_bookkeeping<F: OfMode>() {
    if let Err(reason) = F::at(Place::Disk) {
        return skip(format!("{}: {reason}", F::NAME));
    }
    if let Some(folder) = child::folder() {
        return may_not_grow::<F::Mode>(&folder);
    }
    child::passes_in(&env::temp_dir());
    for kind in FileSystem::ALL {
        match Volume::mount(kind) {
            Ok(volume) => child::passes_in(&volume.path()),
            Err(reason) => skip(format!("no {kind}: {reason}")),
        }
    }
}

fn may_not_grow<M: Mode>(folder: &Path) {
    child::limit_file_size(LIMIT as u64);
    let directory = TempDir::new_in(folder).unwrap();
    let mut s = Session::over(Real::<M>::in_directory(directory), &setup());
    cross(&mut s);
    let (fd, expected) = fill(&mut s, Errno::FBIG);
    assert_eq!(expected.len(), LIMIT / RECORD * RECORD);
    child::lift(libc::RLIMIT_FSIZE);
    go_on(&mut s, fd, expected);
}

/// A positional write that crosses the limit fails, and nothing else.
fn cross<M: Mode>(s: &mut Session<Real<M>>) {
    let fd = s.open("positions", &[]);
    let first = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(first), 0);
    let data = bytes(1, 0, LIMIT + RECORD);
    let part = |at: usize| &data[at..at + RECORD];
    let crossing = s.write(fd, part(LIMIT - 2_000), LIMIT as u64 - 2_000).unwrap();
    let beyond = s.write(fd, b"x", LIMIT as u64 + 1).unwrap();
    let below = s.write(fd, part(0), 0).unwrap();
    let reports = s.sync(fd).unwrap();
    s.drain();
    let fbig = -Errno::FBIG.number();
    assert_eq!(s.result(crossing), fbig);
    assert_eq!(s.io.stats().short_results, 1, "control: written up to the limit, then continued");
    assert_eq!((s.result(beyond), s.result(below)), (fbig, RECORD as i32));
    assert_eq!(s.result(reports), fbig);
    assert_eq!(s.io.file_status(fd).unwrap().failed, None, "the file stays usable");

    let calls = s.io.stats().sync_requests;
    assert_eq!(calls, 1, "the failure was reported without a call of the operating system");
    let again = s.write(fd, part(10_000), 10_000).unwrap();
    let later = s.sync(fd).unwrap();
    s.drain();
    assert_eq!((s.result(again), s.result(later)), (RECORD as i32, 0));
    assert_eq!(s.io.stats().sync_requests, calls + 1);
    s.io.deregister_fd(fd).unwrap();

    let mut expected = vec![0; LIMIT];
    for range in [0..RECORD, 10_000..10_000 + RECORD, LIMIT - 2_000..LIMIT] {
        expected[range.clone()].copy_from_slice(&data[range]);
    }
    assert!(s.fixture.read("positions") == expected);
}

conformance!(
    @real
    a_device_that_is_full_leaves_exact_bookkeeping,
    a_file_that_may_not_grow_leaves_exact_bookkeeping,
);
