//! What Linux tells: `/proc`, statfs(2), statx(2).
//!
//! # Safety
//! Two calls of libc that fill in a structure of numbers, zeroed before, for a descriptor that is
//! borrowed from an open `File`.
#![allow(unsafe_code)]

use std::{
    fs::{self, File, OpenOptions},
    io,
    mem::MaybeUninit,
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::Path,
};

/// What statfs(2) says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileSystem {
    /// Which kind.
    pub(crate) magic: u64,
    /// Bytes of one of its blocks.
    pub(crate) block_bytes: u64,
    /// Bytes that this process may still use.
    pub(crate) available_bytes: u64,
}

/// What statx(2) says that O_DIRECT asks for (STATX_DIOALIGN, since Linux 6.1).
#[derive(Clone, Copy, Debug)]
pub(crate) struct DirectAlignment {
    /// Of addresses in memory.
    pub(crate) memory: u32,
    /// Of offsets and lengths.
    pub(crate) offset: u32,
}

/// The text of a file in `/proc` or `/sys`; `None` where this kernel has none, or shows it to
/// nobody.
pub(crate) fn read_fact(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The file system of a directory.
///
/// # Errors
/// Those of open(2) and fstatfs(2).
#[allow(clippy::unnecessary_cast, reason = "some of the numbers have 32 bits on some processors")]
pub(crate) fn file_system(folder: &Path) -> io::Result<FileSystem> {
    let folder = File::open(folder)?;
    let mut about = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: the descriptor is open, and `about` has room for the answer.
    let result = unsafe { libc::fstatfs(folder.as_raw_fd(), about.as_mut_ptr()) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: numbers only, and all of them were zeroed.
    let about = unsafe { about.assume_init() };
    let block_bytes = about.f_bsize as u64;
    let available_bytes = (about.f_bavail as u64).saturating_mul(block_bytes);
    // The numbers have 32 bits, and some are negative where the field has a sign.
    let magic = u64::from(about.f_type as u32);
    Ok(FileSystem { magic, block_bytes, available_bytes })
}

/// What O_DIRECT asks for of a file; `None` where the kernel or the file system does not say.
pub(crate) fn direct_alignment(file: &File) -> Option<DirectAlignment> {
    let mut answer = MaybeUninit::<libc::statx>::zeroed();
    let (flags, mask) = (libc::AT_EMPTY_PATH, libc::STATX_DIOALIGN);
    let descriptor = file.as_raw_fd();
    // SAFETY: the descriptor is open, the path ends with a zero byte, `answer` can be written to.
    let result = unsafe { libc::statx(descriptor, c"".as_ptr(), flags, mask, answer.as_mut_ptr()) };
    // SAFETY: numbers only, and all of them were zeroed.
    let answer = unsafe { answer.assume_init() };
    let is_told = result == 0 && answer.stx_mask & libc::STATX_DIOALIGN != 0;
    let (memory, offset) = (answer.stx_dio_mem_align, answer.stx_dio_offset_align);
    is_told.then_some(DirectAlignment { memory, offset })
}

/// Opens a file for reading and writing past the page cache.
///
/// # Errors
/// EINVAL: the file system does not take it. Others of open(2).
pub(crate) fn open_direct(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).custom_flags(libc::O_DIRECT).open(path)
}

/// Tells how much of the work that a thread submits to io_uring is done by kernel workers.
///
/// They are threads of this process, and named after the thread they work for: `iou-wrk-` and its
/// number. So on a thread that is new, those that are there afterwards were started by what it did.
#[derive(Debug)]
pub(crate) struct WriterClock {
    thread: u64,
    began_ns: u64,
}

impl WriterClock {
    /// Starts on the calling thread. `None`: `/proc` does not tell.
    pub(crate) fn start() -> Option<Self> {
        let thread = fs::read_link("/proc/thread-self").ok()?;
        let thread = thread.file_name()?.to_str()?.parse().ok()?;
        Some(Self { thread, began_ns: cpu_ns("/proc/thread-self")? })
    }

    /// How many kernel workers there are, and their part of the processor time since the start.
    pub(crate) fn stop(&self) -> Option<(usize, f64)> {
        let own = cpu_ns("/proc/thread-self")?.saturating_sub(self.began_ns);
        let name = format!("iou-wrk-{}", self.thread);
        let mut workers = Vec::new();
        for thread in fs::read_dir("/proc/self/task").ok()? {
            let thread = thread.ok()?.path();
            let found = fs::read_to_string(thread.join("comm")).unwrap_or_default();
            if found.trim_end() == name {
                workers.push(cpu_ns(thread.to_str()?).unwrap_or_default());
            }
        }
        let theirs: u64 = workers.iter().sum();
        Some((workers.len(), theirs as f64 / (own + theirs).max(1) as f64))
    }
}

/// Nanoseconds that a thread ran: the first number of `schedstat` (proc(5)).
fn cpu_ns(thread: &str) -> Option<u64> {
    let figures = fs::read_to_string(format!("{thread}/schedstat")).ok()?;
    figures.split(' ').next()?.parse().ok()
}
