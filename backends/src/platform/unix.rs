//! What all Unix systems share: asking about a file, append mode, descriptors, pages, signals, and
//! a fork handler.
//!
//! # Safety
//! Calls of libc. Descriptors are borrowed from a `File`, so they are open during the call; ranges
//! of memory come from a slice, or from the caller of [`unmap`].
#![allow(unsafe_code)]

use std::{
    fs::File,
    io,
    mem::{ManuallyDrop, MaybeUninit},
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, RawFd},
        unix::fs::{FileTypeExt, MetadataExt},
    },
    path::Path,
    ptr::{NonNull, null_mut},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use ringzero_core::{Errno, Outcome};

use super::{Identity, Inspection, Kind};
use crate::error::errno_of;

/// Error numbers that only this crate needs.
pub(crate) mod number {
    pub(crate) const ACCES: i32 = libc::EACCES;
    pub(crate) const AGAIN: i32 = libc::EAGAIN;
    pub(crate) const INVAL: i32 = libc::EINVAL;
    pub(crate) const MFILE: i32 = libc::EMFILE;
    pub(crate) const NFILE: i32 = libc::ENFILE;
    pub(crate) const NOMEM: i32 = libc::ENOMEM;
    pub(crate) const NOSYS: i32 = libc::ENOSYS;
    pub(crate) const PERM: i32 = libc::EPERM;
}

/// The flag of a file whose data goes past the page cache.
#[cfg(target_os = "linux")]
const DIRECT: i32 = libc::O_DIRECT;
/// Not a flag of fcntl(2), or one that asks for no alignment.
#[cfg(not(target_os = "linux"))]
const DIRECT: i32 = 0;

/// The error number that the last failed call of this thread left.
pub(super) fn last_errno() -> Errno {
    errno_of(&io::Error::last_os_error())
}

/// The result of a call that returns a count, or -1 and an error number.
#[inline]
pub(super) fn outcome(result: isize) -> Outcome {
    u32::try_from(result).map_err(|_| last_errno())
}

/// Sleeps until a descriptor is readable, for at most `timeout`: poll(2). May end early, by a
/// signal, or because the kernel did some work of a ring on this thread.
///
/// # Errors
/// ENOMEM.
pub(super) fn sleep_on(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<()> {
    let mut source = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // Rounded up, or the end of a short time would be waited for by spinning.
    let in_milliseconds = |it: Duration| it.as_nanos().div_ceil(1_000_000).min(i32::MAX as u128);
    let milliseconds = timeout.map_or(-1, |it| in_milliseconds(it) as i32);
    // SAFETY: the descriptor is open, and there is one pollfd to read and write.
    if unsafe { libc::poll(&raw mut source, 1, milliseconds) } >= 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}

/// Asks what `file` is and what may be done with it: fstat(2), F_GETFL of fcntl(2).
///
/// # Errors
/// Those of the two calls.
pub(crate) fn inspect(file: &File) -> Result<Inspection, Errno> {
    let metadata = file.metadata().map_err(|error| errno_of(&error))?;
    let file_type = metadata.file_type();
    let kind = if file_type.is_file() {
        Kind::Regular
    } else if file_type.is_block_device() || file_type.is_char_device() && has_positions(file) {
        Kind::Device
    } else if file_type.is_dir() {
        Kind::Directory
    } else {
        Kind::Other
    };
    let identity = match kind {
        // Block and character devices are numbered apart.
        Kind::Device => Identity {
            device: metadata.rdev(),
            inode: u64::from(file_type.is_block_device()),
            kind,
        },
        Kind::Regular | Kind::Directory | Kind::Other => {
            Identity { device: metadata.dev(), inode: metadata.ino(), kind }
        }
    };
    let flags = status_flags(file)?;
    let access = flags & libc::O_ACCMODE;
    Ok(Inspection {
        kind,
        identity,
        byte_count: metadata.size(),
        is_writable: access == libc::O_WRONLY || access == libc::O_RDWR,
        is_append_mode: flags & libc::O_APPEND != 0,
        is_direct: flags & DIRECT != 0,
    })
}

/// Makes explicit offsets count: pwrite(2), BUGS, says that Linux ignores them in append mode.
/// Clears the mode with F_SETFL of fcntl(2) and makes sure that it is clear.
///
/// # Errors
/// EPERM: the file may only be appended to (chattr +a). Others of fcntl(2). The file is closed.
pub(crate) fn leave_append_mode(file: File) -> Result<File, Errno> {
    let flags = status_flags(&file)?;
    // SAFETY: the descriptor is open, and F_SETFL takes an int.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flags & !libc::O_APPEND) };
    if result < 0 {
        return Err(last_errno());
    }
    if status_flags(&file)? & libc::O_APPEND != 0 { Err(Errno::INVAL) } else { Ok(file) }
}

fn status_flags(file: &File) -> Result<i32, Errno> {
    // SAFETY: the descriptor is open, and F_GETFL takes nothing.
    let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) };
    if flags < 0 { Err(last_errno()) } else { Ok(flags) }
}

/// Whether a character device can be written at a position: a terminal cannot (ESPIPE of lseek(2)).
fn has_positions(file: &File) -> bool {
    // SAFETY: the descriptor is open; the call moves nothing.
    unsafe { libc::lseek(file.as_raw_fd(), 0, libc::SEEK_CUR) >= 0 }
}

/// Makes the entries of a folder durable: that of a file that was made or renamed may be gone after
/// a power failure otherwise, however often the file itself was synced (fsync(2), DESCRIPTION).
///
/// # Errors
/// Those of open(2) and fsync(2).
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Locks an open file description for itself alone, without waiting: flock(2).
///
/// # Errors
/// EWOULDBLOCK: another one has the lock. Others of the call.
pub(crate) fn try_lock(file: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open.
    let result = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Names an open file to another thread. Does not keep it open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Descriptor(RawFd);

impl Descriptor {
    pub(crate) fn of(file: &File) -> Self {
        Self(file.as_raw_fd())
    }

    /// Its number. Only a ring asks.
    pub(crate) const fn number(self) -> RawFd {
        self.0
    }

    /// The file, for the length of a call.
    ///
    /// # Safety
    /// The file is open, and stays open for as long as the result is used.
    pub(crate) unsafe fn file(self) -> ManuallyDrop<File> {
        // SAFETY: the descriptor is open (the caller's promise), and never closed by its new owner.
        ManuallyDrop::new(unsafe { File::from_raw_fd(self.0) })
    }
}

/// Runs `body` with every signal blocked. A thread that it starts inherits that, from its first
/// instruction on (pthread_sigmask(3)).
pub(crate) fn with_signals_blocked<R>(body: impl FnOnce() -> R) -> R {
    let mut all = MaybeUninit::uninit();
    // SAFETY: `all` is a signal set to fill.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    let mut before = MaybeUninit::uninit();
    // SAFETY: `all` was filled, and `before` is a signal set to write to.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
    let result = body();
    // SAFETY: the call above wrote to `before`: it fails on an unknown operation only.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), null_mut()) };
    result
}

/// Maps zeroed pages that take up room only where they were touched: mmap(2).
///
/// # Errors
/// ENOMEM, EINVAL (no bytes).
pub(crate) fn map_zeroed(byte_count: usize) -> Result<NonNull<u8>, Errno> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
    // SAFETY: a new anonymous mapping at an address of the system's choice touches no other.
    let base = unsafe { libc::mmap(null_mut(), byte_count, protection, flags, -1, 0) };
    if base == libc::MAP_FAILED {
        return Err(last_errno());
    }
    NonNull::new(base.cast()).ok_or(Errno::INVAL)
}

/// Gives pages back.
///
/// # Safety
/// `base` and `byte_count` are of one [`map_zeroed`], and nothing uses the pages from now on.
pub(crate) unsafe fn unmap(base: NonNull<u8>, byte_count: usize) {
    // SAFETY: the caller's promise. It cannot fail on a range that is mapped (munmap(2), EINVAL).
    unsafe { libc::munmap(base.as_ptr().cast(), byte_count) };
}

/// A word that is set to zero in every child of fork(2) by a handler of pthread_atfork(3).
///
/// # Errors
/// ENOMEM.
pub(super) fn word_zeroed_by_handler() -> Result<&'static AtomicU32, Errno> {
    static WORD: AtomicU32 = AtomicU32::new(0);
    extern "C" fn zero() {
        WORD.store(0, Ordering::Relaxed);
    }
    // SAFETY: the handler only stores to a static atomic, which is allowed in a forked child.
    let error = unsafe { libc::pthread_atfork(None, None, Some(zero)) };
    if error == 0 { Ok(&WORD) } else { Err(Errno::new(error)) }
}

/// The memory built into the machine: sysconf(3), `_SC_PHYS_PAGES`.
pub(super) fn physical_memory_bytes() -> Option<u64> {
    // SAFETY: sysconf only reads.
    let pages = unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) };
    // SAFETY: as above.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(pages).ok()?.checked_mul(u64::try_from(page_bytes).ok()?)
}
