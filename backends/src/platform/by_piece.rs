//! Where the system is not Linux: vectored I/O as one piece after the other, and files that
//! take bytes anywhere.
//!
//! # Safety
//! Turns a piece into a slice for the length of one call, as its caller promised.
#![allow(unsafe_code)]

use std::{fs::File, ops::Range, slice};

use ringzero_core::{Errno, Outcome, Piece};

#[cfg(unix)]
use super::other_unix::{read_at, write_at};
#[cfg(windows)]
use super::windows::{read_at, write_at};

/// What requests of the file must be aligned to: nothing is known of O_DIRECT here.
///
/// # Errors
/// Never.
pub(crate) fn alignment(_file: &File) -> Result<u32, Errno> {
    Ok(1)
}

/// The bytes of an empty range, since nothing is aligned here.
///
/// # Errors
/// Never.
pub(crate) fn read_lead(
    _file: &File,
    _range: Range<u64>,
    _alignment: u32,
) -> Result<Vec<u8>, Errno> {
    Ok(Vec::new())
}

/// The flags with which a write also syncs what it writes: there are none.
pub(crate) const fn durable_write_flags(_file: &File) -> i32 {
    0
}

/// Writes `pieces` at `offset`, one behind the other, until one is short or fails, and says how
/// many bytes were written. The engine goes on behind them, and meets the error again.
///
/// # Safety
/// The bytes of every piece are readable during the call.
pub(crate) unsafe fn write_pieces_at(
    file: &File,
    pieces: &[Piece],
    offset: u64,
    rw_flags: i32,
) -> Outcome {
    let mut total = 0;
    for piece in pieces {
        // SAFETY: the caller's promise.
        let data = unsafe { slice::from_raw_parts(piece.base, piece.byte_count) };
        match write_at(file, data, offset + u64::from(total), rw_flags) {
            Ok(byte_count) => {
                total += byte_count;
                if (byte_count as usize) < piece.byte_count {
                    break;
                }
            }
            Err(errno) if total == 0 => return Err(errno),
            Err(_) => break,
        }
    }
    Ok(total)
}

/// Reads from `offset` on into `pieces`, one behind the other, until one is short or fails, and
/// says how many bytes were read. The engine goes on behind them, and meets the error again.
///
/// # Safety
/// The bytes of every piece are writable, through its pointer, and nobody else's during the call.
pub(crate) unsafe fn read_pieces_at(file: &File, pieces: &[Piece], offset: u64) -> Outcome {
    let mut total = 0;
    for piece in pieces {
        // SAFETY: the caller's promise.
        let room = unsafe { slice::from_raw_parts_mut(piece.base.cast_mut(), piece.byte_count) };
        match read_at(file, room, offset + u64::from(total)) {
            Ok(byte_count) => {
                total += byte_count;
                if (byte_count as usize) < piece.byte_count {
                    break;
                }
            }
            Err(errno) if total == 0 => return Err(errno),
            Err(_) => break,
        }
    }
    Ok(total)
}
