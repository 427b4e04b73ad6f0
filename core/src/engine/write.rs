//! Positional writes: accepting, starting and finishing them.
//!
//! A file's writes are one list in the order of acceptance, from acceptance until they have ended;
//! the barrier of a sync and the wait of an overlapping write look at its head. `write_next` walks
//! along it, and skips writes that must wait.

use super::{
    Engine,
    admission::range_end,
    content::{Content, Slices},
    executor::{Executor, Outcome},
    failure::mark,
    operation::{ALONE, BLOCKED, CONTINUED, Kind, Stage},
    order,
    retry::{Verdict, counted, judge},
    run::hand_over_one,
    storage::Storage,
};
use crate::{
    Errno, IoFd, StorageIoError,
    table::{buffer_ring::Place, list::Links, range_index::Link, records::NIL},
};

impl<S: Storage> Engine<S> {
    /// Accepts a write of `data` at `offset`; see
    /// [`StorageIo::submit_write`](crate::StorageIo::submit_write).
    ///
    /// # Errors
    /// As there.
    #[inline(always)]
    pub fn submit_write(
        &mut self,
        fd: IoFd,
        data: &[u8],
        offset: u64,
    ) -> Result<u64, StorageIoError> {
        self.accept_write(fd, data, offset)
    }

    /// Accepts a write of several slices, one behind the other; see
    /// [`StorageIoExt::submit_writev`](crate::StorageIoExt::submit_writev).
    ///
    /// # Errors
    /// As there.
    pub fn submit_writev(
        &mut self,
        fd: IoFd,
        slices: &[&[u8]],
        offset: u64,
    ) -> Result<u64, StorageIoError> {
        self.accept_write(fd, Slices::new(slices), offset)
    }

    /// Accepts a write, whatever brings its bytes.
    #[inline(always)]
    pub(super) fn accept_write<C: Content>(
        &mut self,
        fd: IoFd,
        content: C,
        offset: u64,
    ) -> Result<u64, StorageIoError> {
        let byte_count = content.byte_count();
        let Some(file) = self.files.live_mut(fd) else {
            return self.submit_gated(fd, Kind::Write, byte_count);
        };
        let end = range_end(self.max_write, byte_count, offset)?;
        if file.beyond_floor(offset | byte_count as u64) != 0 {
            return Err(StorageIoError::Io(Errno::INVAL));
        }
        if byte_count == 0 {
            return self.accept_finished(u32::from(fd.slot), Kind::Write, 0, 0);
        }
        if end > file.tail && !file.appends.is_empty() {
            return Err(self.refuse_full());
        }
        if !self.operations.reserve(&mut file.held) {
            return Err(self.refuse_full());
        }
        let Some(place) = content.place(&mut self.blocks, &mut file.packing, &mut file.chain)
        else {
            self.operations.settle(&mut file.held, 1);
            return Err(self.refuse_exhausted());
        };
        // Nothing accepted before a sync is merged with what comes after it.
        let is_fenced = core::mem::take(&mut file.is_fenced);
        if end > file.write_end {
            file.write_end = end;
            file.tail = file.tail.max(end);
        }
        let token = self.next_token;
        self.next_token += 1;
        self.stats.bytes += byte_count as u64;
        let (len, links) = (byte_count as u32, file.writes.links_for_back());
        let name = (token, Kind::Write, fd.slot);
        let (index, operation) = self.operations.take();
        operation.begin(name, (offset, len), (links, place));
        let may_overlap = if file.is_indexed {
            order::enter(&mut self.ranges, file, operation, (index, end))
        } else if file.gap.admits((offset, end)) {
            false
        } else if file.writes.is_empty() {
            file.gap.restart_behind(end);
            false
        } else {
            true
        };
        let records = &mut self.operations.records;
        if let Some(before) = file.writes.push_back_linked(records, index)
            && before.end() == offset
            && !is_fenced
            && before.flags & (BLOCKED | ALONE) == 0
        {
            before.flags |= CONTINUED;
        }
        if file.write_next == NIL {
            file.write_next = index;
        }
        mark(&mut self.ready, &mut file.is_ready, u32::from(fd.slot));
        // Calls that nothing follows, so that the common way keeps its registers.
        if may_overlap {
            return Ok(self.compare_with_writes(u32::from(fd.slot), token));
        }
        if file.appends.head & file.reads.head != NIL {
            return Ok(self.compare_with_others(u32::from(fd.slot), token));
        }
        Ok(token)
    }

    /// The newest write may overlap another: if it does, it waits. Returns its token.
    #[cold]
    fn compare_with_writes(&mut self, slot: u32, token: u64) -> u64 {
        let file = self.files.records.at_mut(slot);
        if order::overlaps_write(&mut self.operations.records, &mut self.ranges, file) {
            self.block_newest(slot);
            return token;
        }
        self.compare_with_others(slot, token)
    }

    /// The same for the appends, which are one range up to the tail (while there are some no write
    /// ends beyond it), and for the reads.
    #[cold]
    fn compare_with_others(&mut self, slot: u32, token: u64) -> u64 {
        let file = self.files.records.at(slot);
        let newest = self.operations.records.at(file.writes.tail);
        let range = (newest.offset, newest.end());
        let overlaps_append = !file.appends.is_empty()
            && range.1 > self.operations.records.at(file.appends.head).offset;
        if overlaps_append || self.overlaps_read(slot, range) {
            self.block_newest(slot);
        }
        token
    }

    /// The newest write waits until it is its file's oldest, and is merged with none.
    fn block_newest(&mut self, slot: u32) {
        let file = self.files.records.at_mut(slot);
        file.blocked += 1;
        let newest = self.operations.records.at_mut(file.writes.tail);
        newest.flags = BLOCKED;
        let before = newest.links.prev;
        if file.writes.head != file.writes.tail {
            self.operations.records.at_mut(before).flags &= !CONTINUED;
        }
    }

    /// Starts the file's writes that may run now.
    #[inline]
    pub(super) fn start_writes<E: Executor>(&mut self, slot: u32, executor: &mut E) {
        if self.files.records.at(slot).is_fused() {
            return;
        }
        if self.files.records.at(slot).blocked > 0 {
            self.unblock_oldest(slot, executor);
        }
        let file = self.files.records.at_mut(slot);
        let mut index = file.write_next;
        if index == NIL {
            return;
        }
        // Also by what must wait and goes out later: until then the file has a write.
        file.is_unsynced = true;
        while index != NIL {
            if executor.room() == 0 {
                self.mark_ready(slot);
                break;
            }
            let write = self.operations.records.at_mut(index);
            let (outcome, after) = if write.flags & (BLOCKED | CONTINUED) == 0
                && let Some(piece) = self.blocks.whole(write.place, write.len)
            {
                let after = write.links.next;
                debug_assert!(
                    self.files.records.at(slot).is_aligned(&[piece], write.offset),
                    "{piece:?} at {}",
                    write.offset
                );
                write.stage = Stage::SentSingly;
                write.started_ns = self.now_ns;
                self.in_flight += 1;
                self.stats.write_requests += 1;
                (hand_over_one(write, index, piece, executor), after)
            } else if write.has(BLOCKED) {
                index = write.links.next;
                continue;
            } else {
                let run = self.assemble(index);
                (self.hand_over(index, &run, executor), run.after)
            };
            index = after;
            if let Some(outcome) = outcome {
                // The answer may cancel what comes behind.
                self.files.records.at_mut(slot).write_next = after;
                self.answered_inline(outcome);
                index = self.files.records.at(slot).write_next;
            }
        }
        self.files.records.at_mut(slot).write_next = index;
    }

    /// A write that had to wait may run once everything accepted before it has ended.
    #[inline(never)]
    fn unblock_oldest<E: Executor>(&mut self, slot: u32, executor: &mut E) {
        let file = self.files.records.at(slot);
        let index = file.writes.head;
        if index == NIL {
            return;
        }
        let write = self.operations.records.at(index);
        let is_oldest = file.appends.is_empty()
            || write.token < self.operations.records.at(file.appends.head).token;
        let is_behind_read = file.has_read_before(&self.operations.records, write.token);
        if !write.has(BLOCKED) || !is_oldest || is_behind_read {
            return;
        }
        if executor.room() == 0 {
            return self.mark_ready(slot);
        }
        self.operations.records.at_mut(index).flags &= !BLOCKED;
        let file = self.files.records.at_mut(slot);
        file.blocked -= 1;
        if file.write_next == index {
            return;
        }
        let write = self.operations.records.at_mut(index);
        write.flags |= ALONE;
        let run = self.assemble(index);
        self.send(index, &run, executor);
    }

    /// The request of one write was answered with success. Its record is `Done` already.
    #[inline(always)]
    pub(super) fn write_succeeded(
        &mut self,
        (index, links): (u32, Links),
        (link, slot): (Link, u16),
        (place, len): (Place, u32),
    ) {
        let file = self.files.records.at_mut(u32::from(slot));
        let records = &mut self.operations.records;
        file.writes.remove_linked(records, index, links);
        order::leave(records, &mut self.ranges, file, (index, link));
        self.blocks.release(&mut file.packing, place, len);
        self.finished.push(records, index);
        if !file.syncs.is_empty() || file.blocked > 0 {
            self.something_ended(u32::from(slot));
        }
    }

    /// The request that `leader` leads was answered.
    #[inline(never)]
    pub(super) fn write_answered(&mut self, slot: u32, leader: u32, outcome: Outcome) {
        self.release_vector(leader);
        let attempts = self.operations.records.at(leader).attempts;
        let outcome = counted(outcome, 0, self.files.records.at(slot).mask);
        match judge(outcome, attempts) {
            Verdict::Progress(byte_count) => {
                if let Some(rest) = self.advance(slot, leader, byte_count) {
                    self.stats.short_results += 1;
                    self.operations.records.at_mut(rest).attempts = 0;
                    self.send_again(slot, rest);
                }
            }
            Verdict::Again => {
                self.stats.retries += 1;
                self.operations.records.at_mut(leader).attempts = attempts + 1;
                self.send_again(slot, leader);
            }
            Verdict::Failed(errno) => {
                self.take_apart(slot, leader);
                self.finish(leader, Err(errno));
                if !errno.keeps_file_usable() {
                    self.fail_file(slot, errno, leader);
                }
            }
        }
    }

    /// The others of a request that failed go out again, each alone: no result depends on merging.
    #[cold]
    fn take_apart(&mut self, slot: u32, leader: u32) {
        let first = self.operations.records.at(leader);
        let mut count = first.run;
        let mut index = first.links.next;
        while count > 1 {
            let write = self.operations.records.at_mut(index);
            write.flags |= ALONE;
            write.attempts = 0;
            write.run = 1;
            let next = write.links.next;
            self.send_again(slot, index);
            index = next;
            count -= 1;
        }
    }
}
