//! All of it for Windows: std where std has it, three calls where it has not. Type-checked only.
//!
//! # Safety
//! Calls of kernel32 and ntdll as documented by the vendor. Handles are borrowed from a `File`, so
//! they are open during the call; out-parameters are locals of the documented layout.
#![allow(unsafe_code)]

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    ffi::c_void,
    fs::File,
    io,
    mem::ManuallyDrop,
    os::windows::{
        fs::FileExt,
        io::{AsRawHandle, FromRawHandle, RawHandle},
    },
    path::Path,
    ptr::NonNull,
    sync::{OnceLock, atomic::AtomicU32},
    time::Instant,
};

use ringzero_core::{Errno, Outcome, SyncKind};

use super::{Identity, Inspection, Kind};
use crate::error::errno_of;

const PAGE_BYTES: usize = 4_096;

// winnt.h, wdm.h
const FILE_WRITE_DATA: u32 = 2;
const FILE_APPEND_DATA: u32 = 4;
const FILE_ACCESS_INFORMATION: u32 = 8;
const FILE_SHARE_ALL: u32 = 7;
const FILE_TYPE_DISK: u32 = 1;
const GENERIC_WRITE: u32 = 0x4000_0000;

/// Error numbers that only this crate needs: system error codes.
pub(crate) mod number {
    /// ERROR_NETWORK_ACCESS_DENIED: told apart from [`PERM`] for the sake of distinct arms.
    pub(crate) const ACCES: i32 = 65;
    /// ERROR_MAX_THRDS_REACHED.
    pub(crate) const AGAIN: i32 = 164;
    /// ERROR_INVALID_PARAMETER.
    pub(crate) const INVAL: i32 = 87;
    /// ERROR_TOO_MANY_OPEN_FILES.
    pub(crate) const MFILE: i32 = 4;
    /// ERROR_NO_SYSTEM_RESOURCES.
    pub(crate) const NFILE: i32 = 1450;
    /// ERROR_NOT_ENOUGH_MEMORY.
    pub(crate) const NOMEM: i32 = 8;
    /// ERROR_CALL_NOT_IMPLEMENTED.
    pub(crate) const NOSYS: i32 = 120;
    /// ERROR_ACCESS_DENIED.
    pub(crate) const PERM: i32 = 5;
}

/// BY_HANDLE_FILE_INFORMATION of fileapi.h.
#[repr(C)]
#[derive(Default)]
struct FileInformation {
    attributes: u32,
    times: [u32; 6],
    volume: u32,
    size: [u32; 2],
    link_count: u32,
    index_high: u32,
    index_low: u32,
}

/// IO_STATUS_BLOCK of wdm.h.
#[repr(C)]
struct StatusBlock {
    status: *mut c_void,
    information: usize,
}

#[link(name = "kernel32", kind = "raw-dylib")]
unsafe extern "system" {
    fn GetFileInformationByHandle(file: RawHandle, information: *mut FileInformation) -> i32;
    fn GetFileType(file: RawHandle) -> u32;
    fn ReOpenFile(file: RawHandle, access: u32, share: u32, flags: u32) -> RawHandle;
}

#[link(name = "ntdll", kind = "raw-dylib")]
unsafe extern "system" {
    fn NtQueryInformationFile(
        file: RawHandle,
        status: *mut StatusBlock,
        information: *mut c_void,
        byte_count: u32,
        class: u32,
    ) -> i32;
}

fn last_errno() -> Errno {
    errno_of(&io::Error::last_os_error())
}

/// Writes `data` at `offset`, and says how many bytes were written. There are no flags.
#[inline]
pub(super) fn write_at(file: &File, data: &[u8], offset: u64, _rw_flags: i32) -> Outcome {
    let written = file.seek_write(data, offset).map_err(|error| errno_of(&error))?;
    Ok(written as u32)
}

/// Reads from `offset` on into `room`, and says how many bytes were read. At the end of the file
/// that is 0: ReadFile says ERROR_HANDLE_EOF, which std takes for it.
#[inline]
pub(super) fn read_at(file: &File, room: &mut [u8], offset: u64) -> Outcome {
    let read = file.seek_read(room, offset).map_err(|error| errno_of(&error))?;
    Ok(read as u32)
}

/// Makes durable what was written before: FlushFileBuffers, for data and metadata alike.
#[inline]
pub(crate) fn sync(file: &File, _kind: SyncKind) -> Outcome {
    file.sync_data().map(|()| 0).map_err(|error| errno_of(&error))
}

/// Asks what `file` is and what may be done with it.
///
/// # Errors
/// Those of the calls.
pub(crate) fn inspect(file: &File) -> Result<Inspection, Errno> {
    let handle = file.as_raw_handle();
    // SAFETY: the handle is open.
    let is_disk = unsafe { GetFileType(handle) } == FILE_TYPE_DISK;
    if !is_disk {
        let identity = Identity { device: 0, inode: 0, kind: Kind::Other };
        return Ok(Inspection {
            kind: Kind::Other,
            identity,
            byte_count: 0,
            is_writable: false,
            is_append_mode: false,
            is_direct: false,
        });
    }
    let metadata = file.metadata().map_err(|error| errno_of(&error))?;
    let kind = if metadata.is_file() { Kind::Regular } else { Kind::Other };
    let mut information = FileInformation::default();
    // SAFETY: the handle is open, and `information` has the documented layout.
    if unsafe { GetFileInformationByHandle(handle, &raw mut information) } == 0 {
        return Err(last_errno());
    }
    let inode = u64::from(information.index_high) << 32 | u64::from(information.index_low);
    let access = granted_access(handle)?;
    Ok(Inspection {
        kind,
        identity: Identity { device: u64::from(information.volume), inode, kind },
        byte_count: metadata.len(),
        is_writable: access & (FILE_WRITE_DATA | FILE_APPEND_DATA) != 0,
        is_append_mode: access & FILE_WRITE_DATA == 0 && access & FILE_APPEND_DATA != 0,
        // FILE_FLAG_NO_BUFFERING cannot be asked for.
        is_direct: false,
    })
}

fn granted_access(handle: RawHandle) -> Result<u32, Errno> {
    let mut status = StatusBlock { status: std::ptr::null_mut(), information: 0 };
    let mut access = 0_u32;
    // SAFETY: the handle is open; class 8 writes one access mask of 4 bytes.
    let result = unsafe {
        NtQueryInformationFile(
            handle,
            &raw mut status,
            (&raw mut access).cast(),
            size_of::<u32>() as u32,
            FILE_ACCESS_INFORMATION,
        )
    };
    if result < 0 { Err(Errno::INVAL) } else { Ok(access) }
}

/// Makes explicit offsets count: a handle with only FILE_APPEND_DATA ignores them, so the file is
/// opened again for writing and the first handle closed.
///
/// # Errors
/// Those of ReOpenFile. The file is closed.
pub(crate) fn leave_append_mode(file: File) -> Result<File, Errno> {
    // SAFETY: the handle is open.
    let handle = unsafe { ReOpenFile(file.as_raw_handle(), GENERIC_WRITE, FILE_SHARE_ALL, 0) };
    if handle as isize == -1 {
        return Err(last_errno());
    }
    // SAFETY: the handle is new and nobody else's.
    Ok(unsafe { File::from_raw_handle(handle) })
}

/// Folders cannot be synced here: NTFS journals their entries itself.
///
/// # Errors
/// Never.
pub(crate) fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Not here.
///
/// # Errors
/// Always.
pub(crate) fn try_lock(_file: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Names an open file to another thread. Does not keep it open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Descriptor(isize);

impl Descriptor {
    pub(crate) fn of(file: &File) -> Self {
        Self(file.as_raw_handle() as isize)
    }

    /// The file, for the length of a call.
    ///
    /// # Safety
    /// The file is open, and stays open for as long as the result is used.
    pub(crate) unsafe fn file(self) -> ManuallyDrop<File> {
        // SAFETY: the handle is open (the caller's promise), and never closed by its new owner.
        ManuallyDrop::new(unsafe { File::from_raw_handle(self.0 as RawHandle) })
    }
}

/// There are no signals: runs `body`.
pub(crate) fn with_signals_blocked<R>(body: impl FnOnce() -> R) -> R {
    body()
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

/// A word that is never zeroed: there is no fork.
///
/// # Errors
/// Never.
pub(crate) fn fork_word() -> Result<&'static AtomicU32, Errno> {
    static WORD: AtomicU32 = AtomicU32::new(0);
    Ok(&WORD)
}

/// Not asked for: memory that cannot be had is refused when it is allocated.
pub(crate) fn memory_bytes() -> Option<u64> {
    None
}

/// Allocates zeroed, page-aligned memory.
///
/// # Errors
/// Too large, or none left.
pub(crate) fn map_zeroed(byte_count: usize) -> Result<NonNull<u8>, Errno> {
    let layout = Layout::from_size_align(byte_count.max(1), PAGE_BYTES)
        .map_err(|_| Errno::new(number::NOMEM))?;
    // SAFETY: the layout has at least one byte.
    NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(Errno::new(number::NOMEM))
}

/// Gives memory back.
///
/// # Safety
/// `base` and `byte_count` are of one [`map_zeroed`], and nothing uses the memory from now on.
pub(crate) unsafe fn unmap(base: NonNull<u8>, byte_count: usize) {
    if let Ok(layout) = Layout::from_size_align(byte_count.max(1), PAGE_BYTES) {
        // SAFETY: the caller's promise: allocated with this very layout.
        unsafe { dealloc(base.as_ptr(), layout) };
    }
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
