//! Guarantees 6 and 7 on a device that promises more room than it has: buffered writes succeed, and
//! the datasync behind them finds out. ext4 and XFS over a sparse image on a small tmpfs.
//!
//! What the kernel says when it is asked again is printed: as a rule success, for data that is
//! lost. Nothing depends on it, because nobody asks again.
//!
//! # Mutations
//! | removed or changed | red |
//! |---|---|
//! | a failed data-sync fails the file: not after ENOSPC | in every mode |
//! | no data-sync of a failed file | in every mode |
//! | the error of a data-sync: success after ENOSPC; another error | in every mode |
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::{fs, io};

use ringzero_core::{Errno, Limits, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    confine::volume::{FileSystem, Volume},
    conformance,
    fixture::{Fixture, Place, Setup},
    random::bytes,
    real::{Mode, OfMode, Real},
    session::Session,
    skip::skip,
    tiny::Tiny,
};

const RECORD: usize = 64 << 10;
const SYNCED: u64 = 16;
const LOST: u64 = 96;
/// Of the tmpfs beyond what the file system takes; the lost records take six times as much.
const ROOM: u64 = 1 << 20;
const ENOUGH: u64 = 200 << 20;

/// Record `id` is at `id * RECORD`.
fn record(id: u64) -> Vec<u8> {
    bytes(id + 1, id * RECORD as u64, RECORD)
}

/// Appends records, all of which succeed.
fn append<M: Mode>(s: &mut Session<Real<M>>, fd: ringzero_core::IoFd, ids: std::ops::Range<u64>) {
    let tokens: Vec<u64> =
        ids.map(|id| s.retry(|s| s.append(fd, &record(id))).expect("accepted")).collect();
    s.drain();
    assert!(tokens.iter().all(|&token| s.result(token) == RECORD as i32), "buffered writes");
}

/// Everything until the file is closed.
fn fail_late<M: Mode>(s: &mut Session<Real<M>>, tiny: &Tiny, kind: FileSystem) {
    let file = s.fixture.create("log", &[]);
    let asker = file.try_clone().unwrap();
    let fd = s.io.register_fd(file).unwrap();
    append(s, fd, 0..SYNCED);
    let sync = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(sync), 0);

    tiny.leave_room(ROOM).unwrap();
    append(s, fd, SYNCED..SYNCED + LOST);
    let calls = s.io.stats().sync_requests;
    // All accepted before the first failure is delivered; the first call is under way by then.
    let first = s.sync(fd).unwrap();
    s.io.flush().unwrap();
    let second = s.sync(fd).unwrap();
    let between = s.append(fd, b"between").unwrap();
    let third = s.sync(fd).unwrap();
    s.drain();
    let errno = Errno::new(-s.result(first));
    assert!([Errno::NOSPC, Errno::IO].contains(&errno), "{}: {errno}", M::NAME);
    assert!(s.result(second) < 0 && s.result(third) < 0, "no success after it");
    let own = [7, -Errno::CANCELED.number()];
    assert!(own.contains(&s.result(between)), "{}", s.result(between));
    assert_eq!(s.io.stats().sync_requests, calls + 1, "never again");

    let refused = Err(StorageIoError::Io(errno));
    assert_eq!(s.write(fd, b"x", 0), refused);
    assert_eq!(s.append(fd, b"x"), refused);
    assert_eq!(s.sync(fd), refused);
    assert_eq!(s.io.file_status(fd).unwrap().failed, Some(errno));
    assert_eq!(s.io.deregister_fd(fd), Ok(()));
    assert_eq!(s.io.stats().sync_requests, calls + 1, "not by closing either");
    let is_success = [(); 3].map(|()| asker.sync_data().is_ok());
    println!("{kind}, {}: {errno}; the kernel, asked thrice again: {is_success:?}", M::NAME);
}

fn on<M: Mode>(kind: FileSystem) -> io::Result<()> {
    let tiny = Tiny::mount(ENOUGH as usize)?;
    let volume = Volume::mount_over(kind, tiny.path())?;
    let mut directory = volume.directory();
    directory.disable_cleanup(true);
    let path = directory.path().join("log");
    let limits = Limits { operations_common: 256, ..Limits::default() };
    let mut s = Session::over(Real::<M>::in_directory(directory), &Setup::with(limits));
    fail_late(&mut s, &tiny, kind);
    drop(s);

    // From the image, not from memory.
    volume.unmount()?;
    tiny.leave_room(ENOUGH)?;
    volume.mount_again()?;
    let expected: Vec<u8> = (0..SYNCED).flat_map(record).collect();
    assert!(fs::read(path)?.starts_with(&expected), "what was synced before is intact");
    Ok(())
}

fn a_datasync_that_finds_no_room_fails_the_file_for_good<F: OfMode>() {
    if let Err(reason) = F::at(Place::Disk) {
        return skip(format!("{}: {reason}", F::NAME));
    }
    for kind in FileSystem::ALL {
        if let Err(reason) = on::<F::Mode>(kind) {
            skip(format!("{kind} over a small tmpfs: {reason}"));
        }
    }
}

conformance!(@real a_datasync_that_finds_no_room_fails_the_file_for_good);
