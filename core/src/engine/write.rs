//! Positional writes: accepting, starting and finishing them.
//!
//! A file's writes are one list in the order of acceptance, from acceptance until they have ended;
//! the barrier of a sync and the wait of an overlapping write look at its head. `write_next` walks
//! along it, and skips writes that must wait.

use super::{
    Engine,
    admission::range_end,
    executor::{Executor, Outcome},
    failure::mark,
    operation::{ALONE, BLOCKED, CONTINUED, Kind, Operation},
    order,
    retry::{Verdict, judge},
    storage::Storage,
};
use crate::{IoFd, StorageIoError, table::records::NIL};

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
        let Some(file) = self.files.live_mut(fd) else {
            return self.submit_gated(fd, Kind::Write, data.len());
        };
        let end = range_end(self.max_write, data.len(), offset)?;
        if data.is_empty() {
            return self.accept_finished(u32::from(fd.slot), Kind::Write, 0, 0);
        }
        if end > file.tail && !file.appends.is_empty() {
            return Err(self.refuse_full());
        }
        let Some(index) = self.operations.claim(&mut file.held) else {
            return Err(self.refuse_full());
        };
        let Some(place) = self.blocks.place(&mut file.packing, &mut file.chain, data) else {
            self.operations.release(index, &mut file.held);
            return Err(self.refuse_exhausted());
        };
        let records = &mut self.operations.records;
        let range = (offset, end);
        let overlaps = order::overlaps(records, &mut self.ranges, file, fd.slot, range);
        // Nothing accepted before a sync is merged with what comes after it.
        let is_fenced = core::mem::take(&mut file.is_fenced);
        order::enter(&mut self.ranges, file, fd.slot, range);
        if end > file.write_end {
            file.write_end = end;
            file.tail = file.tail.max(end);
        }
        let token = self.next_token;
        self.next_token += 1;
        self.stats.bytes += data.len() as u64;
        let (len, links) = (data.len() as u32, file.writes.links_for_back());
        let name = (token, Kind::Write, fd.slot);
        records.at_mut(index).begin(name, (offset, len), (links, place));
        if let Some(before) = file.writes.push_back_linked(records, index)
            && before.end() == offset
            && !is_fenced
            && !overlaps
            && before.flags & (BLOCKED | ALONE) == 0
        {
            before.flags |= CONTINUED;
        }
        if overlaps {
            records.at_mut(index).flags = BLOCKED;
            file.blocked += 1;
        }
        if file.write_next == NIL {
            file.write_next = index;
        }
        mark(&mut self.ready, &mut file.is_ready, u32::from(fd.slot));
        Ok(token)
    }

    /// Starts the file's writes that may run now.
    #[inline]
    pub(super) fn start_writes<E: Executor>(&mut self, slot: u32, executor: &mut E) {
        self.unblock_oldest(slot, executor);
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
            let write = self.operations.records.at(index);
            let (outcome, after) = if write.flags & (BLOCKED | CONTINUED) == 0
                && let Some(piece) = self.blocks.whole(write.place, write.len)
            {
                let after = write.links.next;
                (self.hand_over_one(index, piece, executor), after)
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
    #[inline]
    fn unblock_oldest<E: Executor>(&mut self, slot: u32, executor: &mut E) {
        let file = self.files.records.at(slot);
        if file.blocked == 0 {
            return;
        }
        let index = file.writes.head;
        let write = self.operations.records.at(index);
        let is_oldest = file.appends.is_empty()
            || write.token < self.operations.records.at(file.appends.head).token;
        if !write.has(BLOCKED) || !is_oldest {
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
    pub(super) fn write_succeeded(&mut self, index: u32, write: Operation) {
        let slot = u32::from(write.file);
        let file = self.files.records.at_mut(slot);
        let records = &mut self.operations.records;
        file.writes.remove_linked(records, index, write.links);
        order::leave(&mut self.ranges, file, write.file, (write.offset, write.end()));
        self.blocks.release(&mut file.packing, write.place, write.len);
        self.finished.push(records, index);
        if !file.syncs.is_empty() || file.blocked > 0 {
            self.something_ended(slot);
        }
    }

    /// The request that `leader` leads was answered.
    #[inline(never)]
    pub(super) fn write_answered(&mut self, slot: u32, leader: u32, outcome: Outcome) {
        self.release_vector(leader);
        let attempts = self.operations.records.at(leader).attempts;
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
