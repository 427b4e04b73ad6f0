//! Reads: accepting, starting and finishing them, and the bytes until they are released.
//!
//! A file's unfinished reads are one list in the order of acceptance. A read that touches nothing
//! unfinished goes at the next start, beside everything else; one that overlaps an unfinished write
//! or append waits until all accepted before it have ended (the barrier of a sync: one comparison).
//! A write that overlaps an unfinished read waits for it in turn, so what a read sees is what was
//! accepted before it, and nothing that was accepted after. Syncs do not wait for reads.
//!
//! The bytes land in blocks on the file's account. When the completion has been delivered the read
//! is *kept*: its record is on no list but in the index, under its token, until the caller releases
//! it. Closing the file does not release it.
//!
//! *The end of the file* is its tail when the read is accepted: what is behind that is not asked
//! for, so the length is exact whatever is appended meanwhile, and padding is never read. Where the
//! tail says nothing of the end (segments, devices) the kernel says it, by reading nothing. An
//! append that fails puts the tail back, and cuts what reads will return ([`Engine::cut_reads`]). A
//! read of a gap that an unfinished write has left before itself waits for the write, or the file
//! would end before the gap.
//!
//! *Alignment*: on a file with one, whole aligned blocks are read, and the caller is shown the part
//! that was asked for. An answer that is no multiple of it is the end of the file. The rest of such
//! a block may be written meanwhile, by the end of the stream: with the same bytes before the tail
//! that was (`tail_block`), so what is shown is what was there.
//!
//! Worked example, alignment 512, tail 2,000: a read of 1,000 bytes at 1,300 is for 700. It reads
//! 1,024..2,048 into room for 1,024 bytes; its `offset` is 1,300, its `place` 276 bytes into that
//! room, its `len` the 748 bytes from there to the end of the room, its `result` 700. The kernel
//! reads 976, which ends inside a block: the read is finished with min(976 − 276, 700) = 700.
//!
//! # Safety
//! The room of a read is its own from acceptance to release. The executor writes it only while the
//! request is unanswered, and nobody is shown it before the read is delivered.
#![allow(unsafe_code)]

use super::{
    Engine,
    admission::range_end,
    executor::{Executor, Outcome},
    file::{Gate, OpenFile},
    operation::{BLOCKED, HAS_BYTES, Kind, Operation, Stage},
    order,
    retry::{Verdict, judge},
    run::Gathered,
    storage::Storage,
};
use crate::{
    Errno, FileSlot, IoFd, PiecesMut, Slots, StorageIoError,
    limits::MAX_REQUEST_BYTES,
    table::{
        buffer_ring::Place,
        piece_table::NO_VECTOR,
        range_index::{Chained, Granule},
        records::{NIL, Records},
    },
};

/// No file has this slot (`limits::MAX_FILES`): under it the index has the kept reads.
const KEPT: u16 = u16::MAX;

impl OpenFile {
    /// Whether a read accepted before `token` is unfinished.
    #[inline]
    pub(super) fn has_read_before<O: Slots<Operation>>(
        &self,
        operations: &Records<Operation, O>,
        token: u64,
    ) -> bool {
        !self.reads.is_empty() && operations.at(self.reads.head).token < token
    }

    /// Bytes between the begin of what a read asks the executor for and what the caller asked for.
    const fn lead(&self, read: &Operation) -> u32 {
        self.beyond_floor(read.offset)
    }
}

impl<S: Storage> Engine<S> {
    /// Accepts a read of `len` bytes at `offset`; see
    /// [`StorageIoExt::submit_read`](crate::StorageIoExt::submit_read).
    ///
    /// # Errors
    /// As there.
    pub fn submit_read(
        &mut self,
        fd: IoFd,
        len: usize,
        offset: u64,
    ) -> Result<u64, StorageIoError> {
        if self.is_closed {
            return Err(StorageIoError::Closed);
        }
        let slot = self.known(fd)?;
        match self.files.records.at(slot).gate {
            Gate::Open => {}
            Gate::Altering => return Err(self.refuse_full()),
            Gate::SyncsOnly => return Err(StorageIoError::Io(Errno::INVAL)),
        }
        let end = range_end(self.max_write, len, offset)?;
        let file = self.files.records.at_mut(slot);
        let end = if file.is_segment { end } else { end.min(file.tail) };
        let len = end.saturating_sub(offset) as u32;
        if len == 0 {
            return self.accept_finished(slot, Kind::Read, 0, 0);
        }
        let lead = file.beyond_floor(offset);
        let room = u64::from(lead) + u64::from(len) + u64::from(file.mask);
        let room = file.floor(room) as usize;
        if room > self.max_write {
            return Err(StorageIoError::Io(Errno::MSGSIZE));
        }
        let Some(index) = self.operations.claim(&mut file.held) else {
            return Err(self.refuse_full());
        };
        let file = self.files.records.at_mut(slot);
        let reserved = self.blocks.reserve(&mut file.packing, &mut file.chain, room);
        let Some(Place { block, at }) = reserved else {
            self.operations.release(index, &mut file.held);
            return Err(self.refuse_exhausted());
        };
        let token = self.next_token(0);
        *self.operations.records.at_mut(index) = Operation {
            token,
            offset,
            len: room as u32 - lead,
            place: Place { block, at: at + lead },
            result: len as i32,
            file: slot as u16,
            kind: Kind::Read,
            stage: Stage::Queued,
            flags: HAS_BYTES,
            ..Operation::EMPTY
        };
        let must_wait =
            self.may_be_beyond_end(slot, end) || self.overlaps_unfinished(slot, (offset, end));
        let file = self.files.records.at_mut(slot);
        file.reads.push_back(&mut self.operations.records, index);
        if must_wait {
            self.operations.records.at_mut(index).flags |= BLOCKED;
            file.blocked += 1;
            file.blocked_reads += 1;
        }
        if file.read_next == NIL {
            file.read_next = index;
        }
        self.mark_ready(slot);
        Ok(token)
    }

    /// Whether what lies before `end` may be missing in the file, because something accepted
    /// earlier is to make the file longer and is unfinished: a read that does not wait would find
    /// the end of the file there.
    fn may_be_beyond_end(&mut self, slot: u32, end: u64) -> bool {
        let file = self.files.records.at_mut(slot);
        if file.is_segment {
            return false;
        }
        if file.writes.is_empty() {
            let unfinished = match file.appends.head {
                NIL => file.tail,
                first => self.operations.records.at(first).offset,
            };
            file.settled_end = unfinished.min(file.tail);
        }
        end > file.settled_end
    }

    /// Whether a range of the file overlaps an unfinished write or append.
    fn overlaps_unfinished(&self, slot: u32, range: (u64, u64)) -> bool {
        let file = self.files.records.at(slot);
        let records = &self.operations.records;
        if !file.appends.is_empty() && range.1 > records.at(file.appends.head).offset {
            return true;
        }
        order::overlaps_range(records, &self.ranges, (slot as u16, file), range)
    }

    /// Whether a range of the file overlaps an unfinished read.
    #[cold]
    pub(super) fn overlaps_read(&self, slot: u32, (offset, end): (u64, u64)) -> bool {
        let mut index = self.files.records.at(slot).reads.head;
        while index != NIL {
            let read = self.operations.records.at(index);
            if read.offset < end && offset < read.end() {
                return true;
            }
            index = read.links.next;
        }
        false
    }

    /// Starts the file's reads that may run now.
    #[inline]
    pub(super) fn start_reads<E: Executor>(&mut self, slot: u32, executor: &mut E) {
        if self.files.records.at(slot).reads.is_empty() {
            return;
        }
        self.start_some_reads(slot, executor);
    }

    #[inline(never)]
    fn start_some_reads<E: Executor>(&mut self, slot: u32, executor: &mut E) {
        if self.files.records.at(slot).blocked_reads > 0 {
            self.unblock_reads(slot);
        }
        let mut index = self.files.records.at(slot).read_next;
        while index != NIL {
            let read = self.operations.records.at(index);
            let next = read.links.next;
            if read.stage == Stage::Queued && !read.has(BLOCKED) {
                if executor.room() == 0 {
                    self.mark_ready(slot);
                    break;
                }
                self.send_read(slot, index, executor);
            }
            index = next;
        }
        self.files.records.at_mut(slot).read_next = index;
    }

    /// The reads that had to wait and are older than what is unfinished may start.
    fn unblock_reads(&mut self, slot: u32) {
        let barrier = self.oldest_token(slot);
        let file = self.files.records.at_mut(slot);
        let mut index = file.reads.head;
        while index != NIL && file.blocked_reads > 0 {
            let read = self.operations.records.at_mut(index);
            let Operation { token, links, .. } = *read;
            if token > barrier {
                return;
            }
            if read.has(BLOCKED) {
                read.flags &= !BLOCKED;
                file.blocked -= 1;
                file.blocked_reads -= 1;
                let next = file.read_next;
                if next == NIL || token < self.operations.records.at(next).token {
                    file.read_next = index;
                }
            }
            index = links.next;
        }
    }

    /// Sends the reads that go out again.
    #[cold]
    pub(super) fn resend_reads<E: Executor>(&mut self, slot: u32, executor: &mut E) {
        let mut index = self.files.records.at(slot).reads.head;
        while index != NIL && self.files.records.at(slot).again > 0 {
            let read = self.operations.records.at(index);
            let next = read.links.next;
            if read.stage == Stage::Again {
                if executor.room() == 0 {
                    return self.mark_urgent(slot);
                }
                self.files.records.at_mut(slot).again -= 1;
                self.send_read(slot, index, executor);
            }
            index = next;
        }
    }

    /// Hands what is left of a read to the executor, or as much of it as one request can carry.
    fn send_read<E: Executor>(&mut self, slot: u32, index: u32, executor: &mut E) {
        let file = self.files.records.at(slot);
        let read = self.operations.records.at(index);
        let (lead, done) = (file.lead(read), read.done);
        let place = Place { block: read.place.block, at: read.place.at - lead };
        // No more than is wanted: it may have been cut, and behind that the next append be on its
        // way.
        let wanted = file.floor(u64::from(lead) + read.result as u64 + u64::from(file.mask)) as u32;
        let rest = wanted.saturating_sub(done).min(MAX_REQUEST_BYTES);
        if rest == 0 {
            return self.finish_read(index, lead);
        }
        let offset = file.floor(read.offset) + u64::from(done);
        let mut gathered = Gathered::NOTHING;
        let byte_count = self.gather(&mut gathered, place, done, rest, false);
        self.store_last(&mut gathered);
        let read = self.operations.records.at_mut(index);
        read.stage = Stage::Sent;
        read.started_ns = self.now_ns;
        read.run = 1;
        read.vector = gathered.vector;
        let id = read.request_id(index);
        self.in_flight += 1;
        self.stats.read_requests += 1;
        let raw = self.raw_pieces(&gathered);
        // SAFETY: the pieces lie in room that belongs to this read alone until it is finished: no
        // other operation has it, and nobody is shown it before. The array, if there is one, is
        // claimed until the request is answered.
        let pieces = unsafe { PiecesMut::new(raw, byte_count) };
        let outcome = executor.read(id, FileSlot::at(slot), pieces, offset);
        if let Some(outcome) = outcome {
            self.answered_inline((id, outcome));
        }
    }

    /// The request of a read was answered.
    #[inline(never)]
    pub(super) fn read_answered(&mut self, slot: u32, index: u32, outcome: Outcome) {
        self.release_vector(index);
        let file = self.files.records.at(slot);
        let (lead, mask) = (file.lead(self.operations.records.at(index)), file.mask);
        let read = self.operations.records.at_mut(index);
        if outcome == Ok(0) {
            return self.finish_read(index, lead);
        }
        match judge(outcome, read.attempts) {
            Verdict::Progress(byte_count) => {
                read.done = read.done.saturating_add(byte_count);
                read.attempts = 0;
                let is_all = read.done >= lead + read.result as u32;
                if is_all || byte_count & mask != 0 {
                    return self.finish_read(index, lead);
                }
                self.stats.short_results += 1;
            }
            Verdict::Again => {
                read.attempts += 1;
                self.stats.retries += 1;
            }
            Verdict::Failed(errno) => return self.finish(index, Err(errno)),
        }
        self.operations.records.at_mut(index).stage = Stage::Again;
        self.files.records.at_mut(slot).again += 1;
        self.mark_urgent(slot);
    }

    /// A read has come to its end, or to that of the file.
    fn finish_read(&mut self, index: u32, lead: u32) {
        let read = self.operations.records.at_mut(index);
        let byte_count = read.done.saturating_sub(lead).min(read.result as u32);
        self.finish(index, Ok(byte_count));
    }

    /// The file ends at `end` from now on, because an append failed: reads accepted before return
    /// nothing that is behind it.
    #[cold]
    pub(super) fn cut_reads(&mut self, slot: u32, end: u64) {
        let mut index = self.files.records.at(slot).reads.head;
        while index != NIL {
            let read = self.operations.records.at_mut(index);
            let most = end.saturating_sub(read.offset).min(u64::from(u32::MAX)) as u32;
            read.result = (read.result as u32).min(most) as i32;
            index = read.links.next;
        }
    }

    /// A read has been delivered: its bytes are kept for the caller, under its token.
    #[cold]
    pub(super) fn keep_read(&mut self, index: u32) {
        let read = self.operations.records.at_mut(index);
        read.run = read.result as u32;
        read.stage = Stage::Kept;
        let (slot, token) = (u32::from(read.file), read.token);
        let (link, _) = self.ranges.push(Granule { file: KEPT, number: token }, index);
        read.link_to(link.without_bucket());
        self.files.records.at_mut(slot).kept_reads += 1;
    }

    /// The record of a kept read.
    fn kept(&self, token: u64) -> Result<u32, StorageIoError> {
        let mut index = self.ranges.head(Granule { file: KEPT, number: token });
        while index != NIL {
            let read = self.operations.records.at(index);
            if read.stage == Stage::Kept && read.token == token {
                return Ok(index);
            }
            index = read.link().next();
        }
        Err(StorageIoError::Io(Errno::INVAL))
    }

    /// What a read has read; see [`StorageIoExt::read_bytes`](crate::StorageIoExt::read_bytes).
    ///
    /// # Errors
    /// As there.
    pub fn read_bytes(&self, token: u64, skip: usize) -> Result<&[u8], StorageIoError> {
        let read = self.operations.records.at(self.kept(token)?);
        let rest = (read.run as usize).saturating_sub(skip) as u32;
        if rest == 0 {
            return Ok(&[]);
        }
        Ok(self.blocks.bytes(read.place, skip as u32, rest))
    }

    /// Gives the memory of a read back; see
    /// [`StorageIoExt::release_read`](crate::StorageIoExt::release_read).
    ///
    /// # Errors
    /// As there.
    pub fn release_read(&mut self, token: u64) -> Result<(), StorageIoError> {
        let index = self.kept(token)?;
        let read = *self.operations.records.at(index);
        let granule = Granule { file: KEPT, number: token };
        self.ranges.remove(&mut self.operations.records, granule, (index, read.link()));
        let file = self.files.records.at_mut(u32::from(read.file));
        file.kept_reads -= 1;
        if read.place.block != NIL {
            self.blocks.release(&mut file.packing, read.place, read.len);
        }
        debug_assert!(read.vector == NO_VECTOR, "a read that is on its way was kept");
        self.operations.release(index, &mut file.held);
        Ok(())
    }
}
