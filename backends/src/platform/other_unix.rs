//! The substitutes where the system is Unix but not Linux; and F_FULLFSYNC of macOS.
//!
//! # Safety
//! Calls of libc. Descriptors are borrowed from a `File`, so they are open during the call; ranges
//! of memory come from a slice.
#![allow(unsafe_code)]

use std::{
    fs::File,
    io,
    os::fd::AsRawFd,
    path::Path,
    sync::{OnceLock, atomic::AtomicU32},
    time::Instant,
};

use ringzero_core::{Errno, Outcome, SyncKind};

use super::unix::{outcome, physical_memory_bytes, word_zeroed_by_handler};

/// Writes `data` at `offset` (at most `i64::MAX`), and says how many bytes were written. There are
/// no flags.
#[inline]
pub(super) fn write_at(file: &File, data: &[u8], offset: u64, _rw_flags: i32) -> Outcome {
    // SAFETY: the descriptor is open, and `data` is readable for its length.
    outcome(unsafe {
        libc::pwrite(file.as_raw_fd(), data.as_ptr().cast(), data.len(), offset as libc::off_t)
    })
}

/// Reads from `offset` on into `room`, and says how many bytes were read: pread(2).
#[inline]
pub(super) fn read_at(file: &File, room: &mut [u8], offset: u64) -> Outcome {
    // SAFETY: the descriptor is open, and `room` is writable for its length.
    outcome(unsafe {
        libc::pread(file.as_raw_fd(), room.as_mut_ptr().cast(), room.len(), offset as libc::off_t)
    })
}

/// Makes durable what was written before. Not repeated on any error.
///
/// macOS: F_FULLFSYNC of fcntl(2), because fsync(2) there stops at the device's cache. Elsewhere
/// fsync(2), also for the data alone.
#[inline]
pub(crate) fn sync(file: &File, _kind: SyncKind) -> Outcome {
    #[cfg(target_vendor = "apple")]
    // SAFETY: the descriptor is open, and F_FULLFSYNC takes nothing.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_FULLFSYNC) };
    #[cfg(not(target_vendor = "apple"))]
    // SAFETY: the descriptor is open.
    let result = unsafe { libc::fsync(file.as_raw_fd()) };
    outcome(result as isize)
}

/// No such flag here.
pub(crate) fn keep_position_flags() -> i32 {
    0
}

/// Nanoseconds since the first call, of a clock that never goes back.
pub(crate) fn now_ns() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// A word that reads as zero in every child of fork(2).
///
/// # Errors
/// Those of pthread_atfork(3).
pub(crate) fn fork_word() -> Result<&'static AtomicU32, Errno> {
    word_zeroed_by_handler()
}

/// The memory built into the machine.
pub(crate) fn memory_bytes() -> Option<u64> {
    physical_memory_bytes()
}

/// Not here: the caller makes a file with a name.
///
/// # Errors
/// Always.
pub(crate) fn unnamed_file(_folder: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not here.
///
/// # Errors
/// Always.
pub(crate) fn memory_file() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}
