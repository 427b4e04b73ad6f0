//! Positional writes: accepting, starting and finishing them.
//!
//! A file's writes are one list in the order of acceptance, from acceptance until they have ended;
//! the barrier of a sync and the wait of an overlapping write look at its head. `write_next` walks
//! along it, and skips writes that must wait.

use super::{
    Engine,
    executor::{Executor, Outcome},
    operation::{ALONE, BLOCKED, FENCED, Kind, Operation, Stage},
    retry::{Verdict, judge},
    storage::Storage,
};
use crate::{
    IoFd, StorageIoError,
    table::{buffer_ring::Fit, records::NIL},
};

impl<S: Storage> Engine<S> {
    /// Accepts a write of `data` at `offset`; see [`StorageIo::submit_write`](crate::StorageIo::submit_write).
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn submit_write(
        &mut self,
        fd: IoFd,
        data: &[u8],
        offset: u64,
    ) -> Result<u64, StorageIoError> {
        let Some(slot) = self.files.live(fd) else {
            return self.submit_gated(fd, Kind::Write, data.len());
        };
        let end = self.range_end(data.len(), offset)?;
        if data.is_empty() {
            return self.accept_finished(slot, Kind::Write, 0, 0);
        }
        let file = self.files.records.at_mut(slot);
        if end > file.tail && !file.appends.is_empty() {
            return Err(self.refuse_full());
        }
        let Some(index) = self.operations.claim(&mut file.held) else {
            return Err(self.refuse_full());
        };
        let Some(place) = self.blocks.place(&mut file.packing, data, Fit::Whole) else {
            self.operations.release(index, &mut file.held);
            return Err(self.refuse_exhausted());
        };
        let fenced = if file.is_fenced { FENCED } else { 0 };
        file.is_fenced = false;
        file.tail = file.tail.max(end);
        file.write_end = file.write_end.max(end);
        let overlaps = self.overlaps(slot, self.files.records.at(slot), offset, end);
        let token = self.next_token(data.len());
        *self.operations.records.at_mut(index) = Operation {
            token,
            offset,
            len: data.len() as u32,
            place,
            file: slot as u16,
            kind: Kind::Write,
            stage: Stage::Queued,
            flags: fenced | if overlaps { BLOCKED } else { 0 },
            ..Operation::EMPTY
        };
        self.enter_range(slot, offset, end);
        let file = self.files.records.at_mut(slot);
        file.writes.push_back(&mut self.operations.records, index);
        if file.write_next == NIL {
            file.write_next = index;
        }
        self.mark_ready(slot);
        Ok(token)
    }

    /// Starts the file's writes that may run now.
    #[inline]
    pub(super) fn start_writes<E: Executor>(&mut self, slot: u32, executor: &mut E) {
        self.unblock_oldest(slot, executor);
        loop {
            let index = self.files.records.at(slot).write_next;
            if index == NIL {
                return;
            }
            let write = self.operations.records.at(index);
            if write.has(BLOCKED) {
                self.files.records.at_mut(slot).write_next = write.links.next;
                continue;
            }
            if executor.room() == 0 {
                self.mark_ready(slot);
                return;
            }
            let run = self.assemble(index);
            self.files.records.at_mut(slot).write_next = run.after;
            self.hand_over(index, &run, executor);
        }
    }

    /// A write that had to wait may run once everything accepted before it has ended.
    #[inline]
    fn unblock_oldest<E: Executor>(&mut self, slot: u32, executor: &mut E) {
        let file = self.files.records.at(slot);
        let index = file.writes.head;
        if index == NIL {
            return;
        }
        let write = self.operations.records.at(index);
        if write.stage != Stage::Queued || !write.has(BLOCKED) {
            return;
        }
        let is_oldest = file.appends.is_empty()
            || write.token < self.operations.records.at(file.appends.head).token;
        if !is_oldest {
            return;
        }
        if file.write_next == index {
            self.operations.records.at_mut(index).flags &= !BLOCKED;
            return;
        }
        if executor.room() == 0 {
            self.mark_ready(slot);
            return;
        }
        let write = self.operations.records.at_mut(index);
        write.flags = write.flags & !BLOCKED | ALONE;
        let run = self.assemble(index);
        self.hand_over(index, &run, executor);
    }

    /// The request that `leader` leads was answered.
    #[inline]
    pub(super) fn write_answered(&mut self, slot: u32, leader: u32, outcome: Outcome) {
        self.release_vector(leader);
        let attempts = self.operations.records.at(leader).attempts;
        match judge(outcome, attempts) {
            Verdict::Progress(byte_count) => {
                if let Some(rest) = self.advance(leader, byte_count) {
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
