//! O_DIRECT of Linux: the alignment that a file asks for, and reading a part of a block.
//!
//! # Safety
//! Calls of libc. Descriptors are borrowed from a `File`, so they are open during the call.
#![allow(unsafe_code)]

use std::{
    fs::File,
    mem::MaybeUninit,
    ops::Range,
    os::{fd::AsRawFd, unix::fs::FileExt},
};

use ringzero_core::{Errno, limits::LARGEST_ALIGNMENT};

use super::unix::last_errno;
use crate::error::errno_of;

/// What offset, length and memory address of each request of a file that was opened with O_DIRECT
/// must be a multiple of: what statx(2) says (STATX_DIOALIGN, since Linux 6.1; the larger of the
/// two), a page where it says nothing.
///
/// # Errors
/// EINVAL: the file does not take O_DIRECT (an alignment of 0), or asks for more than a page, or
/// for no power of two. Others of the calls.
pub(crate) fn alignment(file: &File) -> Result<u32, Errno> {
    let mut answer = MaybeUninit::<libc::statx>::zeroed();
    let (flags, mask) = (libc::AT_EMPTY_PATH, libc::STATX_DIOALIGN);
    let descriptor = file.as_raw_fd();
    // SAFETY: the descriptor is open, the path ends with a zero byte, `answer` can be written to.
    let result = unsafe { libc::statx(descriptor, c"".as_ptr(), flags, mask, answer.as_mut_ptr()) };
    if result < 0 {
        return match last_errno() {
            // Before Linux 4.11.
            errno if errno.number() == libc::ENOSYS => Ok(LARGEST_ALIGNMENT),
            errno => Err(errno),
        };
    }
    // SAFETY: numbers only, and all of them were zeroed.
    let answer = unsafe { answer.assume_init() };
    if answer.stx_mask & libc::STATX_DIOALIGN == 0 {
        return Ok(LARGEST_ALIGNMENT);
    }
    let (memory, offset) = (answer.stx_dio_mem_align, answer.stx_dio_offset_align);
    let alignment = memory.max(offset);
    let is_right = memory > 0 && offset > 0 && alignment.is_power_of_two();
    if is_right && alignment <= LARGEST_ALIGNMENT { Ok(alignment) } else { Err(Errno::INVAL) }
}

/// The bytes of `range`, which begins at a multiple of `alignment` and is shorter; zeros where the
/// file has none.
///
/// # Errors
/// EBADF: not open for reading. Others of pread(2).
pub(crate) fn read_lead(file: &File, range: Range<u64>, alignment: u32) -> Result<Vec<u8>, Errno> {
    let mut lead = vec![0; (range.end - range.start) as usize];
    if lead.is_empty() {
        return Ok(lead);
    }
    let mut memory = vec![0; 2 * alignment as usize];
    let skip = memory.as_ptr().align_offset(alignment as usize);
    let block = memory.get_mut(skip..).and_then(|it| it.get_mut(..alignment as usize));
    let block = block.ok_or(Errno::INVAL)?;
    let read = loop {
        match file.read_at(block, range.start).map_err(|error| errno_of(&error)) {
            Err(Errno::INTR) => {}
            other => break other?,
        }
    };
    // At the end of the file fewer bytes come; a device or a file with more gives whole blocks.
    for (to, from) in lead.iter_mut().zip(block.iter().take(read)) {
        *to = *from;
    }
    Ok(lead)
}
