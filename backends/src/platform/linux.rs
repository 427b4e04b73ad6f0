//! What Linux adds: vectored writes, RWF_NOAPPEND, pages wiped on fork, the coarse clock, control
//! groups, unnamed files.
//!
//! # Safety
//! Calls of libc. Descriptors are borrowed from a `File`, so they are open during the call; ranges
//! of memory come from a slice, or were mapped here for good.
#![allow(unsafe_code)]

use std::{
    ffi::CString,
    fs::{self, File, OpenOptions},
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsRawFd, FromRawFd},
        unix::{
            ffi::OsStrExt,
            fs::{FileTypeExt, OpenOptionsExt},
        },
    },
    path::Path,
    sync::{OnceLock, atomic::AtomicU32},
};

use ringzero_core::{Errno, Outcome, Piece, SyncKind};

use super::{
    rename::rename_after_look,
    unix::{last_errno, map_zeroed, outcome, physical_memory_bytes, unmap, word_zeroed_by_handler},
};

// An array of pieces is handed to the kernel as it is.
static_assertions::assert_eq_size!(Piece, libc::iovec);
static_assertions::assert_eq_align!(Piece, libc::iovec);
const _: () = {
    assert!(std::mem::offset_of!(Piece, base) == std::mem::offset_of!(libc::iovec, iov_base));
    assert!(std::mem::offset_of!(Piece, byte_count) == std::mem::offset_of!(libc::iovec, iov_len));
};

/// Writes `pieces` at `offset` (at most `i64::MAX`), one behind the other, with flags of
/// pwritev2(2), and says how many bytes were written.
///
/// # Safety
/// The bytes of every piece are readable during the call.
#[inline]
pub(crate) unsafe fn write_pieces_at(
    file: &File,
    pieces: &[Piece],
    offset: u64,
    rw_flags: i32,
) -> Outcome {
    let (descriptor, array) = (file.as_raw_fd(), pieces.as_ptr().cast::<libc::iovec>());
    let count = pieces.len() as libc::c_int;
    outcome(match (pieces, rw_flags) {
        // SAFETY: the descriptor is open, and the piece is readable (the caller's promise).
        ([piece], 0) => unsafe {
            libc::pwrite64(descriptor, piece.base.cast(), piece.byte_count, offset as i64)
        },
        // SAFETY: the descriptor is open, `array` has the layout of iovec (asserted above) and
        // `count` elements, and the pieces are readable (the caller's promise).
        (_, 0) => unsafe { libc::pwritev64(descriptor, array, count, offset as i64) },
        // SAFETY: as above. Flags are asked for only where the offset fits (`has_write_flags`).
        _ => unsafe { libc::pwritev2(descriptor, array, count, offset as libc::off_t, rw_flags) },
    })
}

/// Reads from `offset` on (at most `i64::MAX`) into `pieces`, one behind the other: preadv(2). Says
/// how many bytes were read.
///
/// # Safety
/// The bytes of every piece are writable, through its pointer, and nobody else's during the call.
#[inline]
pub(crate) unsafe fn read_pieces_at(file: &File, pieces: &[Piece], offset: u64) -> Outcome {
    let (descriptor, array) = (file.as_raw_fd(), pieces.as_ptr().cast::<libc::iovec>());
    let count = pieces.len() as libc::c_int;
    // SAFETY: the descriptor is open, `array` has the layout of iovec (asserted above) and `count`
    // elements, and the pieces are writable (the caller's promise).
    outcome(unsafe { libc::preadv64(descriptor, array, count, offset as i64) })
}

/// Makes durable what was written before: fdatasync(2) or fsync(2). Not repeated on any error: a
/// loss of data is reported once.
#[inline]
pub(crate) fn sync(file: &File, kind: SyncKind) -> Outcome {
    let result = match kind {
        // SAFETY: the descriptor is open.
        SyncKind::Data => unsafe { libc::fdatasync(file.as_raw_fd()) },
        // SAFETY: the descriptor is open.
        SyncKind::Full => unsafe { libc::fsync(file.as_raw_fd()) },
    };
    outcome(result as isize)
}

/// The flags with which a write keeps to its offset even if somebody puts the file in append mode
/// again: RWF_NOAPPEND where the kernel has it (pwritev2(2), since Linux 6.9), else none.
pub(crate) fn keep_position_flags() -> i32 {
    static FLAGS: OnceLock<i32> = OnceLock::new();
    *FLAGS.get_or_init(|| if has_write_flags(libc::RWF_NOAPPEND) { libc::RWF_NOAPPEND } else { 0 })
}

/// The flags with which a write of `file` also syncs what it writes: RWF_DSYNC where the kernel has
/// it (pwritev2(2), since Linux 4.7) and the file system is known to heed it, else none.
///
/// Not every one does: FUSE takes the flag, hands it to its server in the request, and sends no
/// fsync (met on 6.18: a write was reported as durable whose fsync was to fail). Those below call
/// `generic_write_sync` behind each buffered write. Overlayfs may lie on anything.
pub(crate) fn durable_write_flags(file: &File) -> i32 {
    static HAS_FLAG: OnceLock<bool> = OnceLock::new();
    let is_heeded = file_system(file).is_some_and(|it| KNOWN.contains(&it))
        && *HAS_FLAG.get_or_init(|| has_write_flags(libc::RWF_DSYNC));
    if is_heeded { libc::RWF_DSYNC } else { 0 }
}

/// File systems of which it is known how they do what they are asked.
const KNOWN: [libc::__fsword_t; 4] = [
    libc::EXT4_SUPER_MAGIC,
    libc::XFS_SUPER_MAGIC,
    libc::BTRFS_SUPER_MAGIC,
    // Nothing there outlives the power, so there is nothing to heed.
    libc::TMPFS_MAGIC,
];

/// Which file system a file is on: fstatfs(2).
fn file_system(file: &File) -> Option<libc::__fsword_t> {
    let mut about = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the descriptor is open, and `about` has room for the answer.
    let result = unsafe { libc::fstatfs(file.as_raw_fd(), about.as_mut_ptr()) };
    if result != 0 {
        return None;
    }
    // SAFETY: the call succeeded, so it has filled `about` in.
    Some(unsafe { about.assume_init() }.f_type)
}

/// How io_uring may be asked to read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Inside io_uring_enter(2) if the bytes are there, by itself otherwise.
    Inside,
    /// By a kernel worker, in case it waits.
    Apart,
    /// Not at all.
    Refused,
}

/// Whether it is a device.
fn has_no_file_system(file: &File) -> bool {
    let kind = file.metadata().map(|metadata| metadata.file_type());
    kind.is_ok_and(|kind| kind.is_block_device() || kind.is_char_device())
}

/// How io_uring may be asked to read a file.
///
/// Not on FUSE: after a short answer in the middle of a file the kernel goes on by itself, in
/// io_uring_enter(2) and in a worker alike, and where the server is asked without a cache it reads
/// the *same* bytes again, behind the first ones, and reports success (met on 6.18). read(2) has no
/// such fault.
pub(crate) fn reading(file: &File) -> Reading {
    match file_system(file) {
        Some(libc::FUSE_SUPER_MAGIC) => Reading::Refused,
        Some(known) if KNOWN.contains(&known) => Reading::Inside,
        _ if has_no_file_system(file) => Reading::Inside,
        _ => Reading::Apart,
    }
}

/// Whether the kernel takes a write with these flags, and libc does not cut offsets off there.
fn has_write_flags(rw_flags: i32) -> bool {
    let probe = |file: File| {
        let byte = 0;
        let piece = Piece { base: &raw const byte, byte_count: 1 };
        // SAFETY: the piece is a byte that outlives the call.
        unsafe { write_pieces_at(&file, &[piece], 0, rw_flags) }
    };
    let is_wide = size_of::<libc::off_t>() >= size_of::<u64>();
    is_wide && matches!(memory_file().map(probe), Ok(Ok(1)))
}

/// Asks once whether the file is ready, so that io_uring need not: poll(2).
///
/// Before io_uring gives a write that would wait to a kernel worker, it polls a file that can be
/// polled, inside io_uring_enter(2). FUSE passes the first poll of a mount on to its server, and
/// waits for the answer; that of most servers is that they know no such request (ENOSYS), and none
/// is passed on any more. Other file systems answer at once.
pub(crate) fn ask_whether_ready(file: &File) {
    let mut question = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: the descriptor is open, and there is one pollfd to read and write. Whatever it says
    // is right: the answer is not asked for.
    unsafe { libc::poll(&raw mut question, 1, 0) };
}

/// Nanoseconds of a clock that never goes back, to the resolution of the timer interrupt
/// (CLOCK_MONOTONIC_COARSE of clock_gettime(2)): read without entering the kernel.
#[inline]
pub(crate) fn now_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a timespec to write to. The clock is there since Linux 2.6.32, so the call
    // cannot fail; if it did, `now` stays zero.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// A word that reads as zero in every forked child: on a page that the kernel wipes
/// (MADV_WIPEONFORK of madvise(2), since Linux 4.14), or zeroed by a handler.
///
/// # Errors
/// Those of mmap(2) and pthread_atfork(3).
pub(crate) fn fork_word() -> Result<&'static AtomicU32, Errno> {
    let byte_count = size_of::<AtomicU32>();
    let page = map_zeroed(byte_count)?;
    // SAFETY: the page was just mapped, private and anonymous, and holds nothing yet.
    let result = unsafe { libc::madvise(page.as_ptr().cast(), byte_count, libc::MADV_WIPEONFORK) };
    if result != 0 {
        // SAFETY: the page was mapped above, and is not used.
        unsafe { unmap(page, byte_count) };
        return word_zeroed_by_handler();
    }
    // SAFETY: page-aligned, zeroed, never unmapped, and only ever used through this atomic.
    Ok(unsafe { AtomicU32::from_ptr(page.as_ptr().cast()) })
}

/// The most memory this process can ever have: that of the machine, or of its control group if
/// that is less (`memory.max` of version 2, `memory.limit_in_bytes` of version 1).
pub(crate) fn memory_bytes() -> Option<u64> {
    physical_memory_bytes().into_iter().chain(control_group_bytes()).min()
}

/// The lowest limit of the control groups that the process is in, from /proc/self/cgroup.
fn control_group_bytes() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    groups.lines().filter_map(limit_of_group).min()
}

/// The lowest limit on the way from one line's group up to the root. A line is
/// `number:controllers:path` (cgroups(7)); version 2 names no controllers.
fn limit_of_group(line: &str) -> Option<u64> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (root, limit_file) = match fields.next()? {
        "" => ("/sys/fs/cgroup", "memory.max"),
        controllers if controllers.split(',').any(|name| name == "memory") => {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return None,
    };
    let path = Path::new(root).join(fields.next()?.trim_start_matches('/'));
    let groups = path.ancestors().take_while(|group| group.starts_with(root));
    let limits = groups.filter_map(|group| fs::read_to_string(group.join(limit_file)).ok());
    limits.filter_map(|limit| limit.trim().parse().ok()).min()
}

/// A file without a name in `folder`, open for writing: O_TMPFILE of open(2).
///
/// # Errors
/// EOPNOTSUPP, EISDIR: the file system does not have it. Others of open(2).
pub(crate) fn unnamed_file(folder: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).custom_flags(libc::O_TMPFILE).mode(0o600).open(folder)
}

/// A file that is in no file system: memfd_create(2).
///
/// # Errors
/// Those of memfd_create(2).
pub(crate) fn memory_file() -> io::Result<File> {
    // SAFETY: the name ends with a zero byte.
    let fd = unsafe { libc::memfd_create(c"ringzero-probe".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(last_errno().number()));
    }
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Renames `from` to `to`, unless there is something of that name: RENAME_NOREPLACE of rename(2),
/// and where the file system does not know it (EINVAL), a look before.
///
/// # Errors
/// EEXIST: nothing was changed. Others of rename(2).
pub(crate) fn rename_to_unused(from: &Path, to: &Path) -> io::Result<()> {
    let from_name = CString::new(from.as_os_str().as_bytes())?;
    let to_name = CString::new(to.as_os_str().as_bytes())?;
    // SAFETY: both are strings that end in zero and live until the call returns. Called by number:
    // not every C library has a function for it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            libc::AT_FDCWD,
            from_name.as_ptr(),
            libc::AT_FDCWD,
            to_name.as_ptr(),
            libc::RENAME_NOREPLACE,
        )
    };
    if result == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EINVAL | libc::ENOSYS) => rename_after_look(from, to),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coarse_clock_never_goes_back() {
        let first = now_ns();
        assert!(first > 0);
        assert!(now_ns() >= first);
    }

    #[test]
    fn the_memory_of_the_machine_is_known() {
        let bytes = memory_bytes().unwrap();
        assert!(bytes > 1 << 20, "{bytes}");
    }

    #[test]
    fn lines_of_other_controllers_give_no_limit() {
        assert_eq!(limit_of_group("4:cpu,cpuacct:/"), None);
        assert_eq!(limit_of_group(""), None);
    }

    fn write_at(file: &File, data: &[u8], offset: u64, rw_flags: i32) -> Outcome {
        let piece = Piece { base: data.as_ptr(), byte_count: data.len() };
        // SAFETY: the piece is a slice that outlives the call.
        unsafe { write_pieces_at(file, &[piece], offset, rw_flags) }
    }

    #[test]
    fn a_write_with_the_flag_keeps_to_its_offset_in_append_mode() {
        let flags = keep_position_flags();
        if flags == 0 {
            println!("skipped: this kernel has no RWF_NOAPPEND");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"12345").unwrap();
        let file = OpenOptions::new().append(true).open(&path).unwrap();
        assert_eq!(write_at(&file, b"ab", 1, flags), Ok(2));
        assert_eq!(fs::read(&path).unwrap(), b"1ab45");
        // The control: without the flag the offset is ignored.
        assert_eq!(write_at(&file, b"cd", 1, 0), Ok(2));
        assert_eq!(fs::read(&path).unwrap(), b"1ab45cd");
    }
}
