//! Does this write overlap something in flight or queued on its file?
//!
//! Three tests, each cheaper than the next and nearly always the last one needed: whether the write
//! begins where nothing was written yet (sequential writers pass), the range filter (random writers
//! pass; it is filled when one is first needed), the operations themselves. A write that overlaps
//! waits until it is its file's oldest.
//!
//! Worked example: in flight are 0..4096 and 8192..12288. A write at 12288 moves forward. A write
//! at 4096..8192 does not, its granule is taken, and the comparison finds it disjoint. A write at
//! 4000..4100 overlaps the first and waits; so does a later one at 4096..8192 that overlaps the
//! waiting one, so the three keep their order.

use super::{file::OpenFile, operation::Operation};
use crate::{
    Slots,
    table::{
        range_filter::{RangeFilter, narrow},
        records::{NIL, Records},
    },
};

/// Counts a positional write in, before it is put on its file's list. Says whether `offset..end`
/// overlaps an unfinished append or positional write of the file.
#[inline]
pub(super) fn enter<O: Slots<Operation>, R: Slots<u32>>(
    operations: &Records<Operation, O>,
    ranges: &mut RangeFilter<R>,
    file: &mut OpenFile,
    slot: u16,
    (offset, end): (u64, u64),
) -> bool {
    let overlaps_append = !file.appends.is_empty()
        && offset < file.tail
        && end > operations.at(file.appends.head).offset;
    if !file.is_filtered {
        // Nothing was ever written there: the writer moves forward.
        if offset >= file.write_end || file.writes.is_empty() {
            return overlaps_append;
        }
        begin_filtering(operations, ranges, file, slot);
    }
    overlaps_append | enter_filtered(operations, ranges, file, slot, (offset, end))
}

/// The same for a file whose writes the filter counts. One call, so that the writers that move
/// forward keep their registers.
#[inline(never)]
fn enter_filtered<O: Slots<Operation>, R: Slots<u32>>(
    operations: &Records<Operation, O>,
    ranges: &mut RangeFilter<R>,
    file: &mut OpenFile,
    slot: u16,
    range: (u64, u64),
) -> bool {
    let is_taken = enter_filter(ranges, file, slot, range) || file.wide > 0;
    is_taken && overlaps_write(operations, file, range)
}

/// Compares a write with each that is in flight or queued.
#[inline(never)]
fn overlaps_write<O: Slots<Operation>>(
    operations: &Records<Operation, O>,
    file: &OpenFile,
    (offset, end): (u64, u64),
) -> bool {
    let mut index = file.writes.head;
    while index != NIL {
        let write = operations.at(index);
        if write.offset < end && offset < write.end() {
            return true;
        }
        index = write.links.next;
    }
    false
}

/// The first write that does not move forward: from here until the file has no write left, the
/// filter counts them all. Writers that only move forward never pay for it.
#[cold]
fn begin_filtering<O: Slots<Operation>, R: Slots<u32>>(
    operations: &Records<Operation, O>,
    ranges: &mut RangeFilter<R>,
    file: &mut OpenFile,
    slot: u16,
) {
    file.is_filtered = true;
    let mut index = file.writes.head;
    while index != NIL {
        let write = operations.at(index);
        enter_filter(ranges, file, slot, (write.offset, write.end()));
        index = write.links.next;
    }
}

/// Whether a range that is counted may overlap this one. A wide one is not looked up: `wide` says
/// that there is one.
#[inline]
fn enter_filter<R: Slots<u32>>(
    ranges: &mut RangeFilter<R>,
    file: &mut OpenFile,
    slot: u16,
    (offset, end): (u64, u64),
) -> bool {
    match narrow(offset, end) {
        Some(granules) => ranges.insert(slot, granules),
        None => {
            file.wide += 1;
            false
        }
    }
}

/// Counts a positional write out, after it was taken off its file's list.
#[inline]
pub(super) fn leave<R: Slots<u32>>(
    ranges: &mut RangeFilter<R>,
    file: &mut OpenFile,
    slot: u16,
    (offset, end): (u64, u64),
) {
    if !file.is_filtered {
        return;
    }
    match narrow(offset, end) {
        Some(granules) => ranges.remove(slot, granules),
        None => file.wide -= 1,
    }
    file.is_filtered = !file.writes.is_empty();
}
