//! Appends: one stream of bytes per file, at most two requests of it in flight.
//!
//! Here appends are accepted, and failed appends dealt with; the requests are in `stream`.
//!
//! Worked example: appends of 100 bytes at tail 1,000. Append A leaves alone (1,000..1,100), B and
//! C as the second request (1,100..1,300), D and E wait. B and C's request is answered first: it
//! waits for A's. A's answer is ENOSPC: A fails, B to E are cancelled, the tail goes back to 1,000
//! (or to the end of the highest positional write, if that is beyond), appends are refused from the
//! delivery of A on until they are resumed.

use super::{
    Engine,
    content::{Content, Slices},
    failure::mark,
    file::AppendGate,
    operation::{ANNOUNCES_APPEND_FAILURE, Kind, Operation, Stage},
    storage::Storage,
};
use crate::{Errno, IoFd, StorageIoError, table::buffer_ring::Place};

impl<S: Storage> Engine<S> {
    /// Accepts an append of `data`; see
    /// [`StorageIo::submit_append`](crate::StorageIo::submit_append).
    ///
    /// # Errors
    /// As there.
    #[inline(always)]
    pub fn submit_append(&mut self, fd: IoFd, data: &[u8]) -> Result<u64, StorageIoError> {
        self.accept_append(fd, data)
    }

    /// Accepts an append of several slices, one behind the other; see
    /// [`StorageIoExt::submit_appendv`](crate::StorageIoExt::submit_appendv).
    ///
    /// # Errors
    /// As there.
    pub fn submit_appendv(&mut self, fd: IoFd, slices: &[&[u8]]) -> Result<u64, StorageIoError> {
        self.accept_append(fd, Slices::new(slices))
    }

    /// Accepts an append, whatever brings its bytes.
    // Also called where it begins inside a block: compilers would make one function of both.
    #[inline(always)]
    pub(super) fn accept_append<C: Content>(
        &mut self,
        fd: IoFd,
        content: C,
    ) -> Result<u64, StorageIoError> {
        let byte_count = content.byte_count();
        let Some(file) = self.files.live_mut(fd) else {
            return self.submit_gated(fd, Kind::Append, byte_count);
        };
        let offset = file.tail;
        let has_room = byte_count <= file.max_append as usize
            && byte_count as u64 <= file.limit.saturating_sub(offset);
        if file.append_gate != AppendGate::Open || !has_room || byte_count == 0 {
            return self.append_otherwise(fd, byte_count);
        }
        if file.appends.is_empty() {
            file.sent = offset;
            if file.beyond_floor(offset) != 0 && file.chain.is_empty() {
                return self.append_inside_block(fd, content);
            }
        }
        if !self.operations.reserve(&mut file.held) {
            return Err(self.refuse_full());
        }
        let (chain, packing) = (&mut file.chain, &mut file.packing);
        if content.extend(&mut self.blocks, chain, packing, offset).is_none() {
            self.operations.settle(&mut file.held, 1);
            return Err(self.refuse_exhausted());
        }
        file.tail = offset + byte_count as u64;
        let token = self.next_token;
        self.next_token += 1;
        self.stats.bytes += byte_count as u64;
        let (len, links) = (byte_count as u32, file.appends.links_for_back());
        let name = (token, Kind::Append, fd.slot);
        let (index, operation) = self.operations.take();
        operation.begin(name, (offset, len), (links, Place::NONE));
        file.appends.push_back_linked(&mut self.operations.records, index);
        mark(&mut self.ready, &mut file.is_ready, u32::from(fd.slot));
        Ok(token)
    }

    /// An append that is refused, cancelled, or has no bytes.
    #[cold]
    pub(super) fn append_otherwise(&mut self, fd: IoFd, len: usize) -> Result<u64, StorageIoError> {
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
        if len > file.max_append as usize {
            return Err(StorageIoError::Io(Errno::MSGSIZE));
        }
        if len as u64 > file.limit.saturating_sub(file.tail) {
            return Err(StorageIoError::Io(Errno::FBIG));
        }
        Ok(Some(file.tail))
    }

    /// Nothing of the stream is with the executor any more, and what is left of it will not be.
    #[cold]
    pub(super) fn end_stream(&mut self, slot: u32) {
        let file = self.files.records.at(slot);
        let AppendGate::Draining(errno) = file.append_gate else {
            return self.cancel_stopped_appends(slot);
        };
        let failed = file.appends.head;
        let begin = self.operations.records.at(failed).offset;
        self.keep_tail_block(slot, begin);
        self.finish(failed, Err(errno));
        self.cancel_appends(slot);
        self.append_failed(slot, failed, begin, errno);
    }

    /// The append that began at `begin` failed, and nothing of the stream is left: puts the tail
    /// back, also the one that waiting syncs speak of, and closes the gate.
    #[cold]
    pub(super) fn append_failed(&mut self, slot: u32, failed: u32, begin: u64, errno: Errno) {
        let file = self.files.records.at_mut(slot);
        file.tail = begin.max(file.write_end);
        file.settled_end = file.settled_end.min(file.tail);
        file.append_gate = AppendGate::Undelivered(errno);
        let (tail, is_segment) = (file.tail, file.is_segment);
        self.put_syncs_back(slot, tail);
        self.operations.records.at_mut(failed).flags |= ANNOUNCES_APPEND_FAILURE;
        if !is_segment {
            self.cut_reads(slot, tail);
        }
        if !errno.keeps_file_usable() {
            self.fail_file(slot, errno, failed);
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
