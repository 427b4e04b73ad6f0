//! Does this write overlap something in flight or queued on its file?
//!
//! Three tests, each cheaper than the next and nearly always the last one needed: the hull of what
//! is in flight (sequential writers pass), the range filter (random writers pass), the operations
//! themselves. A write that overlaps waits until it is its file's oldest.
//!
//! Worked example: in flight are 0..4096 and 8192..12288. A write at 12288 is outside the hull. A
//! write at 4096..8192 is inside it, its granule is taken, and the comparison finds it disjoint. A
//! write at 4000..4100 overlaps the first and waits; so does a later one at 4096..8192 that
//! overlaps the waiting one, so the three keep their order.

use super::{Engine, file::OpenFile, operation::Operation, storage::Storage};
use crate::table::{range_filter::narrow, records::NIL};

impl<S: Storage> Engine<S> {
    /// Whether `offset..end` overlaps an unfinished append or positional write of the file.
    #[inline]
    pub(super) fn overlaps(&self, slot: u32, file: &OpenFile, offset: u64, end: u64) -> bool {
        if !file.appends.is_empty() && offset < file.tail {
            let stream_begin = self.operations.records.at(file.appends.head).offset;
            if end > stream_begin {
                return true;
            }
        }
        if file.writes.is_empty() || offset >= file.hull_end || end <= file.hull_begin {
            return false;
        }
        match narrow(offset, end) {
            Some(granules) if file.wide == 0 && !self.ranges.is_taken(slot as u16, granules) => {
                false
            }
            _ => self.overlaps_any(file, offset, end),
        }
    }

    #[cold]
    fn overlaps_any(&self, file: &OpenFile, offset: u64, end: u64) -> bool {
        let mut index = file.writes.head;
        while index != NIL {
            let write = self.operations.records.at(index);
            if write.offset < end && offset < write.end() {
                return true;
            }
            index = write.links.next;
        }
        false
    }

    /// Counts a positional write in, before it is put on its file's list.
    #[inline]
    pub(super) fn enter_range(&mut self, slot: u32, offset: u64, end: u64) {
        let file = self.files.records.at_mut(slot);
        if file.writes.is_empty() {
            file.hull_begin = offset;
            file.hull_end = end;
        } else {
            file.hull_begin = file.hull_begin.min(offset);
            file.hull_end = file.hull_end.max(end);
        }
        match narrow(offset, end) {
            Some(granules) => self.ranges.insert(slot as u16, granules),
            None => file.wide += 1,
        }
    }

    /// Counts a positional write out.
    #[inline]
    pub(super) fn leave_range(&mut self, write: &Operation) {
        match narrow(write.offset, write.end()) {
            Some(granules) => self.ranges.remove(write.file, granules),
            None => self.files.records.at_mut(write.file as u32).wide -= 1,
        }
    }
}
