//! The log's format: pure functions over bytes. No I/O, no allocation, no panic on any input.
//!
//! A log is one growing file, or a chain of *segments*: files of a fixed size that are written from
//! their beginning and never grow. Either way it is a sequence of *records*, back to back: a file
//! holds nothing else, a segment a header before them and anything behind them. A record is one
//! *fragment*, or several in a row when it is longer than [`MAX_PAYLOAD_BYTES`], so
//! that neither the writer nor the reader ever needs to hold a whole record.
//!
//! ```text
//! fragment   bytes 0..4  length   u32 LE   bits 0..29: bytes of payload, at most 65,528
//!                                          bit 29: always set
//!                                          bit 30: continues the fragment before it
//!                                          bit 31: is continued by the fragment behind it
//!            bytes 4..8  crc      u32 LE   CRC32C of bytes 0..4 and of the payload, begun
//!                                          with the seal of the segment, if it is in one
//!            bytes 8..   payload
//! ```
//!
//! Worked example: the record `ab` is `02 00 00 20 | b9 79 21 7e | 61 62`, ten bytes. A record of
//! 10,000,000 bytes is a first fragment, 151 in the middle and a last one: 152 × 65,528 payload
//! bytes make 9,960,256, the last one carries 39,744; with 153 heads 10,001,224 bytes.
//!
//! What [`Scanner`] checks, beside each fragment by itself: one that is continued is followed by
//! one that continues, and only such a one is. Zeros (a segment's, or a file that grew but whose
//! bytes never arrived) do not read as empty records, because of the bit that is always set. Of a
//! chain, a segment is entered only if its header has the number that it is named after, and says
//! that just so many records and fragments are before it; another is passed over, so that what is
//! behind a gap is not read. A record may go on in the next segment.
//!
//! # Why no record of a segment's former life is ever taken for a new one
//! A recycled segment is full of them, each whole and with a good checksum; a record of now may end
//! exactly where an old one begins. But:
//! - A life of a file has a *sequence*, a number that the log has never used before and that is the
//!   file's name, which recycling changes first. So the header of the life before is no header for
//!   it, and until it has a new one it holds nothing. A header lies in one sector, old or new.
//! - The checksum of every fragment begins with the *seal*, the CRC32C of log and sequence. Two
//!   sequences of one log differ in 32 bits in a row at most, and a CRC of 32 bits finds every such
//!   difference: no two seals of a log are the same. From two beginnings, a CRC of the same bytes
//!   never ends the same. So an old fragment's checksum is wrong with certainty, not by chance.
//! - A segment of *another* log passes by chance, once in four billion. The log's number is random
//!   besides, so that no text that is logged can be made to look like a fragment of a coming life.
//!
//! It takes three rules of whoever writes: a sequence is used once (a log that is opened again goes
//! on in a new segment, never behind the end of one: what a crash left there may have its seal); it
//! goes on in the next segment when everything in the last one is known to be durable; and what a
//! recovery found is synced before anything is built on it.
//!
//! What a crash leaves is a whole prefix, then anything. [`recover`] finds where the prefix ends:
//! before the first record that is cut off or damaged. It never looks behind the first flaw, so it
//! cannot tell a torn tail from damage in the middle.
//!
//! Used by the example's writer and reader; a test shares the folder with `#[path]`.

mod fragment;
mod scan;
mod segment;

#[allow(unused_imports, reason = "each program that shares the folder uses a part of it")]
pub(crate) use self::{
    fragment::{Damage, FRAGMENT_BYTES, HEAD_BYTES, MAX_PAYLOAD_BYTES, Part, encode_head},
    scan::{Recovered, Scanner, Step, Tail, recover},
    segment::{HEADER_BYTES, Header, Seal},
};
