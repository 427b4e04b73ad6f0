//! The log's format: pure functions over bytes. No I/O, no allocation, no panic on any input.
//!
//! A segment is a sequence of *records* from offset 0, back to back: no header, no padding. A
//! record is one *fragment*, or several in a row when it is longer than [`MAX_PAYLOAD_BYTES`], so
//! that neither the writer nor the reader ever needs to hold a whole record.
//!
//! ```text
//! fragment   bytes 0..4  length   u32 LE   bits 0..30: bytes of payload, at most 65,528
//!                                          bit 30: continues the fragment before it
//!                                          bit 31: is continued by the fragment behind it
//!            bytes 4..8  crc      u32 LE   CRC32C of bytes 0..4 and of the payload
//!            bytes 8..   payload
//! ```
//!
//! Worked example: the record `ab` is `02 00 00 00 | ad 82 65 9f | 61 62`, ten bytes. A record of
//! 10,000,000 bytes is a first fragment, 151 in the middle and a last one: 152 × 65,528 payload
//! bytes make 9,960,256, the last one carries 39,744; with 153 heads 10,001,224 bytes.
//!
//! What [`Scanner`] checks, beside each fragment by itself: one that is continued is followed by
//! one that continues, and only such a one is. The checksum speaks for the length too, so zeros (a
//! file that grew, but whose bytes never arrived) do not read as empty records: the CRC32C of four
//! zero bytes is not zero.
//!
//! What a crash leaves is a whole prefix, then anything. [`recover`] finds where the prefix ends:
//! before the first record that is cut off or damaged. It never looks behind the first flaw, so it
//! cannot tell a torn tail from damage in the middle.
//!
//! Used by the example's writer and reader; a test shares the folder with `#[path]`.

mod fragment;
mod scan;

#[allow(unused_imports, reason = "each program that shares the folder uses a part of it")]
pub(crate) use self::{
    fragment::{Damage, FRAGMENT_BYTES, HEAD_BYTES, MAX_PAYLOAD_BYTES, Part, encode_head},
    scan::{Recovered, Scanner, Step, Tail, recover},
};
