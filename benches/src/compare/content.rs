//! The bytes of record `i`, and checking that a file holds the records it should.
//!
//! A record is filled with a constant. On both sides of each sector of 512 bytes (and at both ends
//! of a shorter record) stands a stamp of 8 bytes, derived from the record's number and its place
//! in the record. So a record that is missing, swapped with another, shifted, torn between sectors
//! or within one, or never written, is found.
//!
//! A buffer that holds a record already becomes the next one by two stores per sector
//! ([`stamp_record`]), so records cost most contestants next to nothing, and all alike. Memory that
//! may hold anything becomes a record by writing all of it ([`make_record`]).
//!
//! Worked example, 128 bytes: record 7 is `stamp(7, 0)`, 112 times [`FILL`], `stamp(7, 120)`.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use crate::Failure;

/// What stands between the stamps.
pub const FILL: u8 = 0x5A;
/// Enough for every device: the alignment of memory, offset and length that O_DIRECT asks for.
pub const ALIGNMENT: usize = 4_096;
const STAMP_BYTES: usize = 8;
const SECTOR_BYTES: usize = 512;
const READ_BYTES: usize = 1 << 20;

/// A buffer in which records are made, one after another. Aligned as O_DIRECT needs it.
#[derive(Debug)]
pub struct Record {
    memory: Vec<u8>,
    /// Bytes before the first aligned one.
    skipped: usize,
}

impl Record {
    /// For records of `bytes` bytes: 16 to 512, or a multiple of 512.
    pub fn new(bytes: u32) -> Self {
        let mut memory = vec![FILL; bytes as usize + ALIGNMENT];
        let skipped = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        memory.truncate(skipped + bytes as usize);
        Self { memory, skipped }
    }

    /// The bytes of record `index`.
    #[inline]
    pub fn of(&mut self, index: u64) -> &[u8] {
        let bytes = self.memory.get_mut(self.skipped..).unwrap_or_default();
        stamp_record(bytes, index);
        bytes
    }

    /// The same bytes, of which every one is written anew.
    #[inline]
    pub fn made(&mut self, index: u64) -> &[u8] {
        let bytes = self.memory.get_mut(self.skipped..).unwrap_or_default();
        make_record([bytes, &mut []], index);
        bytes
    }
}

/// Makes record `index` of whatever is in `parts`, of which the second follows the first in the
/// file.
///
/// Sectors are made where they belong. One that the seam of the parts cuts is made aside and copied
/// to both.
#[inline]
pub fn make_record([front, back]: [&mut [u8]; 2], index: u64) {
    let cut_bytes = if back.is_empty() { 0 } else { front.len() % SECTOR_BYTES };
    let (front, cut_front) = front.split_at_mut(front.len() - cut_bytes);
    let mut place = front.len() as u64;
    make_sectors(front, index, 0);
    let mut behind = back;
    if cut_bytes > 0 {
        let rest_bytes = behind.len().min(SECTOR_BYTES - cut_bytes);
        let (cut_back, rest) = behind.split_at_mut(rest_bytes);
        let mut sector = [0; SECTOR_BYTES];
        let (sector, _) = sector.split_at_mut(cut_bytes + rest_bytes);
        make_sectors(sector, index, place);
        let (left, right) = sector.split_at(cut_bytes);
        cut_front.copy_from_slice(left);
        cut_back.copy_from_slice(right);
        place += SECTOR_BYTES as u64;
        behind = rest;
    }
    make_sectors(behind, index, place);
}

/// Makes the bytes from `place` on of record `index`.
#[inline]
fn make_sectors(sectors: &mut [u8], index: u64, place: u64) {
    sectors.fill(FILL);
    stamp_sectors(sectors, index, place);
}

/// Stamps `record`, already full of [`FILL`] or of another record, as record `index`.
#[inline]
pub fn stamp_record(record: &mut [u8], index: u64) {
    stamp_sectors(record, index, 0);
}

/// Stamps the bytes from `place` on of record `index`.
#[inline]
fn stamp_sectors(sectors: &mut [u8], index: u64, mut place: u64) {
    for sector in sectors.chunks_mut(SECTOR_BYTES) {
        let last = sector.len().saturating_sub(STAMP_BYTES);
        if let Some(first) = sector.first_chunk_mut() {
            *first = stamp(index, place);
        }
        if let Some(end) = sector.last_chunk_mut() {
            *end = stamp(index, place + last as u64);
        }
        place += SECTOR_BYTES as u64;
    }
}

/// Never all zero, and different for any two records and places in use.
#[inline]
fn stamp(index: u64, place: u64) -> [u8; STAMP_BYTES] {
    ((index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ place.wrapping_mul(0xFF51_AFD7_ED55_8CCD))
        .to_le_bytes()
}

/// Position `index` of a fixed random order of `0..count`, `count` a power of two: every number
/// once. Any two passes over it have the same order, so two operations on one block are `count`
/// operations apart, and the last version of each block is known whatever runs in parallel.
#[inline]
pub const fn shuffled(index: u64, count: u64) -> u64 {
    let mask = count - 1;
    let half = count.trailing_zeros() / 2 + 1;
    let mut value = index & mask;
    // Each step is a bijection of the numbers below `count`.
    value = value.wrapping_mul(0x9E37_79B9_7F4A_7C15) & mask;
    value ^= value >> half;
    value = value.wrapping_mul(0xC2B2_AE3D_27D4_EB4F).wrapping_add(0x1656_67B1) & mask;
    value ^ (value >> half)
}

/// The record that block `block` of `blocks` holds before it is overwritten.
pub const fn earlier(block: u64) -> u64 {
    (1 << 48) + block
}

/// The record in each of `blocks` blocks after `operations` overwrites in [`shuffled`] order.
pub fn overwritten(blocks: u64, operations: u64) -> Vec<u64> {
    let mut expected: Vec<u64> = (0..blocks).map(earlier).collect();
    for index in operations.saturating_sub(blocks)..operations {
        if let Some(block) = expected.get_mut(shuffled(index, blocks) as usize) {
            *block = index;
        }
    }
    expected
}

/// What a file holds from some point to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nothing: it ends there.
    End,
    /// Zeros, and it ends at this length.
    ZerosTo(u64),
}

/// Checks that the file at `path` holds exactly these records, in this order, and then `rest`.
///
/// # Errors
/// The first record that is not as expected, or a wrong length.
pub fn check(
    path: &Path,
    record_bytes: u32,
    records: impl IntoIterator<Item = u64>,
    rest: Rest,
) -> Result<(), Failure> {
    let mut reader = BufReader::with_capacity(READ_BYTES, File::open(path)?);
    let mut found = vec![0; record_bytes as usize];
    let mut expected = Record::new(record_bytes);
    let mut length = 0;
    for (position, index) in records.into_iter().enumerate() {
        let bytes = read_full(&mut reader, &mut found)?;
        if bytes < found.len() {
            return Err(format!("the file ends within record {position}").into());
        }
        if found != expected.of(index) {
            return Err(format!("record {position} does not hold the bytes of {index}").into());
        }
        length += u64::from(record_bytes);
    }
    let mut buffer = vec![0; READ_BYTES];
    let end = match rest {
        Rest::End => length,
        Rest::ZerosTo(end) => end,
    };
    loop {
        let bytes = read_full(&mut reader, &mut buffer)?;
        length += bytes as u64;
        if bytes == 0 && length == end {
            return Ok(());
        }
        if bytes == 0 || length > end {
            return Err(format!("the file is {length} bytes long, not {end}").into());
        }
        if buffer.iter().take(bytes).any(|byte| *byte != 0) {
            return Err("there are bytes behind the last record".into());
        }
    }
}

/// Reads until `buffer` is full or the file ends.
fn read_full(reader: &mut impl Read, buffer: &mut [u8]) -> Result<usize, Failure> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match reader.read(room)? {
            0 => break,
            bytes => filled += bytes,
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests;
