//! A vectored write where the system has none at a position: the pieces one after the other.
//!
//! # Safety
//! Turns a piece into a slice for the length of one call, as its caller promised.
#![allow(unsafe_code)]

use std::{fs::File, slice};

use ringzero_core::{Outcome, Piece};

use super::write_at;

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
