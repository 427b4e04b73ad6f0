//! What is done to a file other than to write and sync it: [`alter`].
//!
//! Blocks can be reserved and given back on Linux; elsewhere that is EOPNOTSUPP.
//!
//! # Safety
//! Calls of libc. Descriptors are borrowed from a `File`, so they are open during the call.
#![allow(unsafe_code)]

use std::fs::File;
#[cfg(unix)]
use std::os::fd::AsRawFd;
#[cfg(windows)]
use std::os::windows::io::{AsRawHandle, FromRawHandle};

#[cfg(not(target_os = "linux"))]
use ringzero_core::Errno;
use ringzero_core::{Alteration, Outcome};

use crate::error::errno_of;

/// Alters `file`: fallocate(2), ftruncate(2), close(2).
///
/// # Safety
/// After [`Alteration::Close`] nobody uses the file, and whoever owns it forgets it.
pub(crate) unsafe fn alter(file: &File, what: Alteration) -> Outcome {
    match what {
        Alteration::Allocate { offset, len } => reserve(file, Blocks::Taken, offset, len),
        Alteration::Punch { offset, len } => reserve(file, Blocks::GivenBack, offset, len),
        Alteration::Truncate { len } => {
            file.set_len(len).map(|()| 0).map_err(|error| errno_of(&error))
        }
        // SAFETY: the caller's promise.
        Alteration::Close => unsafe { close(file) },
    }
}

#[derive(Clone, Copy, Debug)]
enum Blocks {
    Taken,
    GivenBack,
}

#[cfg(target_os = "linux")]
fn reserve(file: &File, blocks: Blocks, offset: u64, len: u64) -> Outcome {
    let mode = match blocks {
        Blocks::Taken => libc::FALLOC_FL_KEEP_SIZE,
        Blocks::GivenBack => libc::FALLOC_FL_KEEP_SIZE | libc::FALLOC_FL_PUNCH_HOLE,
    };
    // SAFETY: the descriptor is open.
    let result = unsafe { libc::fallocate64(file.as_raw_fd(), mode, offset as i64, len as i64) };
    super::unix::outcome(result as isize)
}

#[cfg(not(target_os = "linux"))]
const fn reserve(_file: &File, _blocks: Blocks, _offset: u64, _len: u64) -> Outcome {
    Err(Errno::OPNOTSUPP)
}

/// # Safety
/// As [`alter`].
#[cfg(unix)]
unsafe fn close(file: &File) -> Outcome {
    // SAFETY: the descriptor is open, and nobody uses it after this (the caller's promise).
    super::unix::outcome(unsafe { libc::close(file.as_raw_fd()) } as isize)
}

/// # Safety
/// As [`alter`].
#[cfg(windows)]
unsafe fn close(file: &File) -> Outcome {
    // SAFETY: the handle is open, and nobody uses it after this (the caller's promise).
    drop(unsafe { File::from_raw_handle(file.as_raw_handle()) });
    Ok(0)
}
