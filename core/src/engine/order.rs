//! Does this write overlap something in flight or queued on its file?
//!
//! Three tests, each cheaper than the next and nearly always the last one needed: whether the write
//! begins where nothing was written yet (sequential writers pass), the range filter (random writers
//! pass; it is filled when one is first needed), the operations themselves. The first two are in
//! the submission itself. A write that overlaps waits until it is its file's oldest.
//!
//! Worked example: in flight are 0..4096 and 8192..12288. A write at 12288 moves forward. A write
//! at 4096..8192 does not, its granule is taken, and the comparison finds it disjoint. A write at
//! 4000..4100 overlaps the first and waits; so does a later one at 4096..8192 that overlaps the
//! waiting one, so the three keep their order.

use super::{file::OpenFile, operation::Operation};
use crate::{
    Slots,
    table::{
        range_filter::{Counted, RangeFilter, narrow},
        records::{NIL, Records},
    },
};

/// Counts the newest write of a file in, where that was not done yet, and says whether it overlaps
/// one accepted earlier. To be asked only if it may.
pub(super) fn overlaps_write<O: Slots<Operation>, R: Slots<u32>>(
    operations: &mut Records<Operation, O>,
    ranges: &mut RangeFilter<R>,
    file: &mut OpenFile,
) -> bool {
    let newest = file.writes.tail;
    let Operation { offset, result, file: slot, .. } = *operations.at(newest);
    let end = operations.at(newest).end();
    if !file.is_filtered {
        begin_filtering(operations, ranges, file);
    } else if Counted::from_i32(result) == Counted::SEVERAL {
        let had_wide = file.wide > 0;
        let is_taken = enter_several(ranges, file, slot, (offset, end));
        if !is_taken && !had_wide {
            return false;
        }
    }
    let mut index = file.writes.head;
    while index != newest && index != NIL {
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
fn begin_filtering<O: Slots<Operation>, R: Slots<u32>>(
    operations: &mut Records<Operation, O>,
    ranges: &mut RangeFilter<R>,
    file: &mut OpenFile,
) {
    file.is_filtered = true;
    let mut index = file.writes.head;
    while index != NIL {
        let write = operations.at_mut(index);
        let range = (write.offset, write.end());
        let (counted, _) = ranges.insert(write.file, range);
        write.result = counted.to_i32();
        if counted == Counted::SEVERAL {
            enter_several(ranges, file, write.file, range);
        }
        index = write.links.next;
    }
}

/// Counts a range of several granules in. Says whether it is wide, or one of its granules taken.
fn enter_several<R: Slots<u32>>(
    ranges: &mut RangeFilter<R>,
    file: &mut OpenFile,
    slot: u16,
    (offset, end): (u64, u64),
) -> bool {
    match narrow(offset, end) {
        Some(granules) => ranges.insert_several(slot, granules),
        None => {
            file.wide += 1;
            true
        }
    }
}

/// Counts a positional write out, after it was taken off its file's list.
#[inline]
pub(super) fn leave<O: Slots<Operation>, R: Slots<u32>>(
    operations: &Records<Operation, O>,
    ranges: &mut RangeFilter<R>,
    file: &mut OpenFile,
    (index, counted): (u32, Counted),
) {
    if !file.is_filtered {
        return;
    }
    if counted == Counted::SEVERAL {
        leave_several(ranges, file, operations.at(index));
    } else {
        ranges.remove(counted);
    }
    file.is_filtered = !file.writes.is_empty();
}

/// What [`enter_several`] did is undone.
#[cold]
fn leave_several<R: Slots<u32>>(
    ranges: &mut RangeFilter<R>,
    file: &mut OpenFile,
    write: &Operation,
) {
    match narrow(write.offset, write.end()) {
        Some(granules) => ranges.remove_several(write.file, granules),
        None => file.wide -= 1,
    }
}
