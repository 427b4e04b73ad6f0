//! Does this write overlap something in flight or queued on its file?
//!
//! Three ways to tell, each cheaper than the next and nearly always the last one needed; none grows
//! with the number of writes in flight.
//! - The write is in the file's [`Gap`](super::gap::Gap), or its only one: sequential and circular
//!   writers pass. Each walk that finds a gap looks only at writes that no walk looked at before.
//! - The file's writes are *indexed*, from the first one that neither is in the gap nor may walk,
//!   until none is left: random writers pass if nothing begins in their granule.
//! - The writes that begin near it are compared. Only while a write longer than the longest granule
//!   is unfinished (a *wide* one), all are.
//!
//! A write that overlaps waits until it is its file's oldest.
//!
//! The granule fits the writes that are unfinished when it is chosen: the longest, rounded up to a
//! power of two, if none then crosses a granule's end (pages of a database), else eight times that.
//! It is chosen anew, and the index begun anew, when a longer write comes, or when a chain has
//! become long and the writes that the index was begun with have ended.
//!
//! Worked example: in flight are 0..4096 and 8192..12288. A write at 12288 is in the gap. One at
//! 4096..8192 is not; a walk finds it disjoint. One at 4000..4100 overlaps the first: the index is
//! begun, with granules of 4 KiB which it crosses, so of 32 KiB; it is compared with all in the
//! first granule and waits. So does a later one at 4096..8192 that overlaps the waiting one, so the
//! three keep their order.

use super::{
    file::OpenFile,
    gap::Gap,
    operation::{Kind, Operation},
};
use crate::{
    Slots,
    table::{
        range_index::{Chained, Granule, Link, RangeIndex},
        records::{NIL, Records},
    },
};

/// The shortest and the longest granules: 64 bytes and 64 KiB.
const SHIFTS: (u32, u32) = (6, 16);
/// Where writes cross the ends of granules, how much longer than a write a granule is: eight times.
const ROOM_SHIFT: u32 = 3;
/// Writes compared with one at which shorter granules may be better.
const MANY: u32 = 32;

/// Indexes a new write of an indexed file, unless it crosses the end of its granule. Says whether
/// it may overlap; if it crosses, it may, and is not indexed yet.
#[inline]
pub(super) fn enter<R: Slots<u32>>(
    ranges: &mut RangeIndex<R>,
    file: &OpenFile,
    operation: &mut Operation,
    (index, end): (u32, u64),
) -> bool {
    let number = operation.offset >> file.granule_shift;
    if number != end.wrapping_sub(1) >> file.granule_shift {
        return true;
    }
    let (link, is_shared) = ranges.push(Granule { file: operation.file, number }, index);
    operation.link_to(link);
    is_shared || file.crossing != 0
}

/// Says whether the newest write of a file overlaps one accepted earlier, and indexes it where that
/// is needed and was not done yet. To be asked only if it may overlap.
pub(super) fn overlaps_write<O: Slots<Operation>, R: Slots<u32>>(
    operations: &mut Records<Operation, O>,
    ranges: &mut RangeIndex<R>,
    file: &mut OpenFile,
) -> bool {
    let newest = *operations.at(file.writes.tail);
    let range = (newest.offset, newest.end());
    if !file.is_indexed {
        if is_in_new_gap(operations, file, newest.token, range) {
            return false;
        }
        file.is_indexed = true;
        if u64::from(longest(operations, file)) > 1 << file.granule_shift {
            fit_granule(operations, file);
        }
        index_all(operations, ranges, file);
    } else if crosses(file.granule_shift, range) {
        let is_longer = u64::from(newest.len) > 1 << file.granule_shift;
        if is_longer && file.granule_shift < SHIFTS.1 {
            leave_all(operations, ranges, file, file.writes.tail);
            fit_granule(operations, file);
            index_all(operations, ranges, file);
        } else {
            enter_any(operations, ranges, file, file.writes.tail);
        }
    }
    if file.wide > 0 {
        return overlaps_any(operations, file.writes.head, file.writes.tail, range);
    }
    let whose = (newest.file, file.writes.tail);
    let (overlaps, compared_count) = overlaps_near(operations, ranges, (whose, file), range);
    if compared_count > MANY && operations.at(file.writes.head).token >= file.gap.since {
        leave_all(operations, ranges, file, NIL);
        fit_granule(operations, file);
        index_all(operations, ranges, file);
    }
    overlaps
}

/// The newest write is outside its file's gap. Says whether it is in another, which is the file's
/// from now on. Walks only if all writes that the last walk found have ended.
fn is_in_new_gap<O: Slots<Operation>>(
    operations: &Records<Operation, O>,
    file: &mut OpenFile,
    token: u64,
    (offset, end): (u64, u64),
) -> bool {
    let newest = file.writes.tail;
    if operations.at(file.writes.head).token < file.gap.since {
        return false;
    }
    if offset >= file.gap.begin {
        file.gap.restart_behind(end);
        return true;
    }
    let mut gap_end = u64::MAX;
    let mut index = file.writes.head;
    while index != newest && index != NIL {
        let write = operations.at(index);
        if write.offset >= end {
            gap_end = gap_end.min(write.offset);
        } else if offset < write.end() {
            return false;
        }
        index = write.links.next;
    }
    file.gap = Gap { begin: end, end: gap_end, since: token };
    true
}

/// Chooses the granule that fits the file's writes.
fn fit_granule<O: Slots<Operation>>(operations: &Records<Operation, O>, file: &mut OpenFile) {
    let longest = longest(operations, file);
    let shift = (u32::BITS - (longest - 1).leading_zeros()).max(SHIFTS.0);
    let is_crossed = each(operations, file, false, |is_crossed, write| {
        is_crossed | crosses(shift, (write.offset, write.end()))
    });
    let room_shift = if is_crossed { ROOM_SHIFT } else { 0 };
    file.granule_shift = (shift + room_shift).min(SHIFTS.1);
}

/// Indexes all writes of the file.
fn index_all<O: Slots<Operation>, R: Slots<u32>>(
    operations: &mut Records<Operation, O>,
    ranges: &mut RangeIndex<R>,
    file: &mut OpenFile,
) {
    file.gap.since = operations.at(file.writes.tail).token;
    let mut index = file.writes.head;
    while index != NIL {
        enter_any(operations, ranges, file, index);
        index = operations.at(index).links.next;
    }
}

/// The length of the file's longest write, at least 1.
fn longest<O: Slots<Operation>>(operations: &Records<Operation, O>, file: &OpenFile) -> u32 {
    each(operations, file, 1, |longest, write| longest.max(write.len))
}

/// Takes the file's writes before `until` out of the index.
fn leave_all<O: Slots<Operation>, R: Slots<u32>>(
    operations: &mut Records<Operation, O>,
    ranges: &mut RangeIndex<R>,
    file: &mut OpenFile,
    until: u32,
) {
    let mut index = file.writes.head;
    while index != until && index != NIL {
        let link = operations.at(index).link();
        leave_any(operations, ranges, file, (index, link));
        index = operations.at(index).links.next;
    }
}

/// Folds the file's writes.
fn each<T, O: Slots<Operation>>(
    operations: &Records<Operation, O>,
    file: &OpenFile,
    first: T,
    fold: impl Fn(T, &Operation) -> T,
) -> T {
    let (mut value, mut index) = (first, file.writes.head);
    while index != NIL {
        let write = operations.at(index);
        value = fold(value, write);
        index = write.links.next;
    }
    value
}

/// Whether a range is in more than one granule.
#[inline]
const fn crosses(shift: u32, (offset, end): (u64, u64)) -> bool {
    offset >> shift != end.wrapping_sub(1) >> shift
}

/// Indexes any write of an indexed file.
fn enter_any<O: Slots<Operation>, R: Slots<u32>>(
    operations: &mut Records<Operation, O>,
    ranges: &mut RangeIndex<R>,
    file: &mut OpenFile,
    index: u32,
) {
    let write = operations.at_mut(index);
    let is_crossing = crosses(file.granule_shift, (write.offset, write.end()));
    file.crossing += u32::from(is_crossing);
    if u64::from(write.len) > 1 << file.granule_shift {
        file.wide += 1;
        write.link_to(Link::NONE);
        return;
    }
    let number = write.offset >> file.granule_shift;
    let (link, _) = ranges.push(Granule { file: write.file, number }, index);
    write.link_to(if is_crossing { link.without_bucket() } else { link });
}

/// Whether a write that begins in a granule near a range, other than the newest, overlaps it, and
/// how many were compared.
fn overlaps_near<O: Slots<Operation>, R: Slots<u32>>(
    operations: &Records<Operation, O>,
    ranges: &RangeIndex<R>,
    ((slot, newest), file): ((u16, u32), &OpenFile),
    (offset, end): (u64, u64),
) -> (bool, u32) {
    let mut compared_count = 0;
    let first = offset >> file.granule_shift;
    // Only what crosses the end of a granule reaches into the next.
    let from = if file.crossing > 0 { first.saturating_sub(1) } else { first };
    for number in from..=end.wrapping_sub(1) >> file.granule_shift {
        let mut index = ranges.head(Granule { file: slot, number });
        while index != NIL {
            let write = operations.at(index);
            let is_older = write.file == slot && write.kind == Kind::Write && index != newest;
            if is_older && write.offset < end && offset < write.end() {
                return (true, compared_count);
            }
            compared_count += 1;
            index = write.link().next();
        }
    }
    (false, compared_count)
}

/// Whether an unfinished write of a file, which is in that slot, overlaps a range.
pub(super) fn overlaps_range<O: Slots<Operation>, R: Slots<u32>>(
    operations: &Records<Operation, O>,
    ranges: &RangeIndex<R>,
    (slot, file): (u16, &OpenFile),
    range: (u64, u64),
) -> bool {
    if file.writes.is_empty() || !file.is_indexed && file.gap.has(range) {
        return false;
    }
    let granule_count = (range.1 - range.0) >> file.granule_shift;
    if !file.is_indexed || file.wide > 0 || granule_count > u64::from(MANY) {
        return overlaps_any(operations, file.writes.head, NIL, range);
    }
    overlaps_near(operations, ranges, ((slot, NIL), file), range).0
}

/// Whether one of the file's writes before the newest overlaps a range.
fn overlaps_any<O: Slots<Operation>>(
    operations: &Records<Operation, O>,
    head: u32,
    newest: u32,
    (offset, end): (u64, u64),
) -> bool {
    let mut index = head;
    while index != newest && index != NIL {
        let write = operations.at(index);
        if write.offset < end && offset < write.end() {
            return true;
        }
        index = write.links.next;
    }
    false
}

/// A positional write was taken off its file's list: if the file is indexed, takes it out of the
/// index. `link` is what it kept while it was unfinished.
#[inline]
pub(super) fn leave<O: Slots<Operation>, R: Slots<u32>>(
    operations: &mut Records<Operation, O>,
    ranges: &mut RangeIndex<R>,
    file: &mut OpenFile,
    (index, link): (u32, Link),
) {
    if !file.is_indexed {
        return;
    }
    if !ranges.remove_only(index, link) {
        leave_any(operations, ranges, file, (index, link));
    }
    file.is_indexed = !file.writes.is_empty();
}

/// What [`enter_any`] did is undone.
#[cold]
#[inline(never)]
fn leave_any<O: Slots<Operation>, R: Slots<u32>>(
    operations: &mut Records<Operation, O>,
    ranges: &mut RangeIndex<R>,
    file: &mut OpenFile,
    (index, link): (u32, Link),
) {
    let write = operations.at(index);
    let is_crossing = crosses(file.granule_shift, (write.offset, write.end()));
    file.crossing -= u32::from(is_crossing);
    if u64::from(write.len) > 1 << file.granule_shift {
        file.wide -= 1;
        return;
    }
    let granule = Granule { file: write.file, number: write.offset >> file.granule_shift };
    ranges.remove(operations, granule, (index, link));
}

#[cfg(test)]
mod tests;
