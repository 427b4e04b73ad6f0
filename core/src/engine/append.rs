//! Appends: one stream of bytes per file, at most two requests of it in flight.
//!
//! While two requests fly, everything accepted packs behind them in the same blocks and leaves as
//! one larger request: the slower the disk, the larger the requests. The older request is settled
//! first, whatever order the answers come in, so what is finished is always a prefix.
//!
//! Worked example: appends of 100 bytes at tail 1,000. Append A leaves alone (1,000..1,100), B and C
//! as the second request (1,100..1,300), D and E wait. B and C's request is answered first: it waits
//! for A's. A's answer is ENOSPC: A fails, B to E are cancelled, the tail goes back to 1,000 (or to
//! the end of the highest positional write, if that is beyond), appends are refused from the
//! delivery of A on until they are resumed.
//!
//! *Hold*: while a data-sync flies, appends that another sync waits for do not start. Whoever
//! submits meanwhile travels with them, so that committers do not split into phases.

use super::{
    Engine,
    executor::{Executor, Outcome},
    failure::mark,
    file::{AppendGate, Lane},
    operation::{ANNOUNCES_APPEND_FAILURE, CONTINUED, Kind, Operation, Stage},
    retry::{Verdict, judge},
    storage::Storage,
};
use crate::{
    Errno, IoFd, StorageIoError,
    table::{buffer_ring::Fit, records::NIL},
};

impl<S: Storage> Engine<S> {
    /// Accepts an append of `data`; see [`StorageIo::submit_append`](crate::StorageIo::submit_append).
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn submit_append(&mut self, fd: IoFd, data: &[u8]) -> Result<u64, StorageIoError> {
        let Some(file) = self.files.live_mut(fd) else {
            return self.submit_gated(fd, Kind::Append, data.len());
        };
        let offset = file.tail;
        let has_room =
            data.len() <= self.max_write && data.len() as u64 <= file.limit.saturating_sub(offset);
        if file.append_gate != AppendGate::Open || !has_room || data.is_empty() {
            return self.append_otherwise(fd, data.len());
        }
        let Some(index) = self.operations.claim(&mut file.held) else {
            return Err(self.refuse_full());
        };
        let Some(place) = self.blocks.place(&mut file.packing, data, Fit::Packed) else {
            self.operations.release(index, &mut file.held);
            return Err(self.refuse_exhausted());
        };
        file.tail = offset + data.len() as u64;
        let token = self.next_token;
        self.next_token += 1;
        self.stats.bytes += data.len() as u64;
        let records = &mut self.operations.records;
        *records.at_mut(index) = Operation {
            token,
            offset,
            len: data.len() as u32,
            links: file.appends.links_for_back(),
            place,
            file: fd.slot,
            kind: Kind::Append,
            stage: Stage::Queued,
            ..Operation::EMPTY
        };
        if let Some(before) = file.appends.push_back_linked(records, index) {
            before.flags |= CONTINUED;
        }
        if file.append_next == NIL {
            file.append_next = index;
        }
        mark(&mut self.ready, &mut file.is_ready, u32::from(fd.slot));
        Ok(token)
    }

    /// An append that is refused, cancelled, or has no bytes.
    #[cold]
    fn append_otherwise(&mut self, fd: IoFd, len: usize) -> Result<u64, StorageIoError> {
        let slot = u32::from(fd.slot);
        let Some(offset) = self.append_offset(slot, len)? else {
            return self.accept_cancelled(slot, Kind::Append, len);
        };
        let file = self.files.records.at_mut(slot);
        if file.appends.is_empty() {
            return self.accept_finished(slot, Kind::Append, 0, 0);
        }
        // No bytes, but it has its place in the order.
        let Some(index) = self.operations.claim(&mut file.held) else {
            return Err(self.refuse_full());
        };
        let token = self.next_token(0);
        let (kind, stage) = (Kind::Append, Stage::Queued);
        let operation = Operation { token, offset, file: fd.slot, kind, stage, ..Operation::EMPTY };
        *self.operations.records.at_mut(index) = operation;
        let file = self.files.records.at_mut(slot);
        file.appends.push_back(&mut self.operations.records, index);
        if file.append_next == NIL {
            file.append_next = index;
        }
        self.mark_ready(slot);
        Ok(token)
    }

    /// Where an append of `len` bytes would go; `None` if it would be accepted but cancelled.
    #[inline]
    pub(super) fn append_offset(
        &self,
        slot: u32,
        len: usize,
    ) -> Result<Option<u64>, StorageIoError> {
        let file = self.files.records.at(slot);
        match file.append_gate {
            AppendGate::Open => {}
            AppendGate::Draining(_) | AppendGate::Undelivered(_) => return Ok(None),
            AppendGate::Refusing(errno) => return Err(StorageIoError::Io(errno)),
            AppendGate::Never => return Err(StorageIoError::Io(Errno::INVAL)),
        }
        if len > self.max_write {
            return Err(StorageIoError::Io(Errno::MSGSIZE));
        }
        if len as u64 > file.limit.saturating_sub(file.tail) {
            return Err(StorageIoError::Io(Errno::FBIG));
        }
        Ok(Some(file.tail))
    }

    /// Starts the file's appends that may run now.
    #[inline]
    pub(super) fn start_appends<E: Executor>(&mut self, slot: u32, executor: &mut E) {
        loop {
            let file = self.files.records.at(slot);
            let leader = file.append_next;
            if leader == NIL || file.lanes[1].leader != NIL || self.is_held(slot) {
                return;
            }
            let append = self.operations.records.at_mut(leader);
            if append.len == 0 {
                append.stage = Stage::Sent;
                let next = append.links.next;
                self.files.records.at_mut(slot).append_next = next;
                self.finish_empty_appends(slot);
                continue;
            }
            if executor.room() == 0 {
                self.mark_ready(slot);
                return;
            }
            let (begin, end) = (append.offset, append.end());
            let run = self.assemble(leader);
            let file = self.files.records.at_mut(slot);
            file.append_next = run.after;
            // A leader that goes in parts counts whole: its rest follows without coming by here.
            file.sent_end = file.sent_end.max(end).max(begin + u64::from(run.byte_count));
            let lane = usize::from(file.lanes[0].leader != NIL);
            file.lanes[lane] = Lane { leader, landed: None };
            self.send(leader, &run, executor);
        }
    }

    /// Whether the next append waits with its group for the data-sync in flight.
    #[inline]
    fn is_held(&self, slot: u32) -> bool {
        let file = self.files.records.at(slot);
        if file.flying == 0 {
            return false;
        }
        let next_token = self.operations.records.at(file.append_next).token;
        self.operations.records.at(file.syncs.tail).token > next_token
    }

    /// The request that `leader` leads was answered.
    #[inline]
    pub(super) fn append_answered(&mut self, slot: u32, leader: u32, outcome: Outcome) {
        let file = self.files.records.at_mut(slot);
        if file.lanes[0].leader != leader {
            file.lanes[1].landed = Some(outcome);
            self.operations.records.at_mut(leader).stage = Stage::Landed;
            return;
        }
        let mut next = Some((leader, outcome));
        while let Some((leader, outcome)) = next {
            self.settle_lane(slot, leader, outcome);
            self.finish_empty_appends(slot);
            let file = self.files.records.at_mut(slot);
            if file.lanes[0].leader != NIL {
                return;
            }
            file.lanes[0] = file.lanes[1];
            file.lanes[1] = Lane::EMPTY;
            next = file.lanes[0].landed.take().map(|outcome| (file.lanes[0].leader, outcome));
        }
        let file = self.files.records.at(slot);
        if file.append_next != NIL {
            self.mark_ready(slot);
        } else if file.lanes[0].leader == NIL && !file.appends.is_empty() {
            self.end_stream(slot);
        }
    }

    /// Settles the older request: its lane is empty afterwards, or it goes out again.
    #[inline]
    fn settle_lane(&mut self, slot: u32, leader: u32, outcome: Outcome) {
        self.release_vector(leader);
        let attempts = self.operations.records.at(leader).attempts;
        let verdict = judge(outcome, attempts);
        let file = self.files.records.at_mut(slot);
        file.lanes[0] = Lane::EMPTY;
        if matches!(file.append_gate, AppendGate::Draining(_)) {
            // Cancelled whatever it says; but an error that leaves the bytes unknown still counts.
            if let Verdict::Failed(errno) = verdict
                && !errno.keeps_file_usable()
            {
                self.fail_file(slot, errno, leader);
            }
            return;
        }
        match verdict {
            Verdict::Progress(byte_count) => {
                if let Some(rest) = self.advance(slot, leader, byte_count) {
                    self.stats.short_results += 1;
                    self.operations.records.at_mut(rest).attempts = 0;
                    self.files.records.at_mut(slot).lanes[0].leader = rest;
                    self.send_again(slot, rest);
                }
            }
            Verdict::Again => {
                self.stats.retries += 1;
                file.lanes[0].leader = leader;
                self.operations.records.at_mut(leader).attempts = attempts + 1;
                self.send_again(slot, leader);
            }
            Verdict::Failed(errno) => {
                file.append_gate = AppendGate::Draining(errno);
                file.append_next = NIL;
            }
        }
    }

    /// Nothing of the stream is with the executor any more, and what is left of it will not be.
    #[cold]
    fn end_stream(&mut self, slot: u32) {
        let file = self.files.records.at(slot);
        let AppendGate::Draining(errno) = file.append_gate else {
            return self.cancel_stopped_appends(slot);
        };
        let failed = file.appends.head;
        let begin = self.operations.records.at(failed).offset;
        self.finish(failed, Err(errno));
        self.cancel_appends(slot);
        self.append_failed(slot, failed, begin, errno);
    }

    /// The append that began at `begin` failed, and nothing of the stream is left: puts the tail
    /// back and closes the gate.
    #[cold]
    pub(super) fn append_failed(&mut self, slot: u32, failed: u32, begin: u64, errno: Errno) {
        let file = self.files.records.at_mut(slot);
        file.tail = begin.max(file.write_end);
        file.append_gate = AppendGate::Undelivered(errno);
        self.operations.records.at_mut(failed).flags |= ANNOUNCES_APPEND_FAILURE;
        if !errno.keeps_file_usable() {
            self.fail_file(slot, errno, failed);
        }
    }

    /// Finishes appends of no bytes that have become the oldest.
    #[inline]
    fn finish_empty_appends(&mut self, slot: u32) {
        loop {
            let index = self.files.records.at(slot).appends.head;
            if index == NIL {
                return;
            }
            let append = self.operations.records.at(index);
            if append.len != 0 || append.stage != Stage::Sent {
                return;
            }
            self.finish(index, Ok(0));
        }
    }

    /// Takes appends again after one failed; see
    /// [`StorageIoExt::resume_append`](crate::StorageIoExt::resume_append).
    ///
    /// # Errors
    /// As there.
    pub fn resume_append(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        let slot = self.known(fd)?;
        let file = self.files.records.at_mut(slot);
        if let Some(errno) = file.failed() {
            return Err(StorageIoError::Io(errno));
        }
        match file.append_gate {
            AppendGate::Draining(_) | AppendGate::Undelivered(_) => Err(StorageIoError::QueueFull),
            AppendGate::Never => Err(StorageIoError::Io(Errno::INVAL)),
            AppendGate::Open | AppendGate::Refusing(_) => {
                file.append_gate = AppendGate::Open;
                Ok(file.tail)
            }
        }
    }
}
