//! May this submission be taken? What all kinds of submissions check and claim.
//!
//! The fast path of a submission passes one compare for the handle. Everything unusual (shut down,
//! stale, failed, being altered) arrives at [`Engine::submit_gated`].

use super::{
    Engine,
    file::{Gate, Health},
    operation::{HAS_BYTES, Kind, Operation, Stage},
    storage::Storage,
};
use crate::{Errno, IoFd, StorageIoError};

/// The last byte position a file can have: offsets are signed in every kernel (off_t).
pub(super) const MAX_OFFSET: u64 = i64::MAX as u64;

/// Where a write of `len` bytes at `offset` ends.
#[inline]
pub(super) fn range_end(max_write: usize, len: usize, offset: u64) -> Result<u64, StorageIoError> {
    if len > max_write {
        return Err(StorageIoError::Io(Errno::MSGSIZE));
    }
    // No overflow: `len` is at most `i32::MAX`, and an offset beyond `i64::MAX` is refused too.
    let end = offset.wrapping_add(len as u64);
    if offset > MAX_OFFSET || end > MAX_OFFSET {
        let errno = if offset == u64::MAX { Errno::INVAL } else { Errno::FBIG };
        return Err(StorageIoError::Io(errno));
    }
    Ok(end)
}

impl<S: Storage> Engine<S> {
    #[cold]
    pub(super) fn refuse_full(&mut self) -> StorageIoError {
        self.stats.queue_full += 1;
        StorageIoError::QueueFull
    }

    #[cold]
    pub(super) fn refuse_exhausted(&mut self) -> StorageIoError {
        self.stats.buffer_exhausted += 1;
        StorageIoError::BufferExhausted
    }

    /// The token of a submission that is accepted now.
    #[inline]
    pub(super) fn next_token(&mut self, byte_count: usize) -> u64 {
        let token = self.next_token;
        self.next_token += 1;
        self.stats.bytes += byte_count as u64;
        token
    }

    /// Accepts a submission on which nothing is left to do, with this result.
    pub(super) fn accept_finished(
        &mut self,
        slot: u32,
        kind: Kind,
        len: u32,
        result: i32,
    ) -> Result<u64, StorageIoError> {
        let file = self.files.records.at_mut(slot);
        let Some(index) = self.operations.claim(&mut file.held) else {
            return Err(self.refuse_full());
        };
        let token = self.next_token(len as usize);
        let file = slot as u16;
        let flags = if kind == Kind::Read { HAS_BYTES } else { 0 };
        *self.operations.records.at_mut(index) =
            Operation { token, len, result, file, kind, flags, ..Operation::EMPTY };
        self.finished.push(&mut self.operations.records, index);
        Ok(token)
    }

    /// Accepts a write or append that will not be executed, because something accepted earlier
    /// failed and the caller does not know yet. It completes with ECANCELED, an append not before
    /// the appends ahead of it.
    pub(super) fn accept_cancelled(
        &mut self,
        slot: u32,
        kind: Kind,
        len: usize,
    ) -> Result<u64, StorageIoError> {
        if len > self.max_write {
            return Err(StorageIoError::Io(Errno::MSGSIZE));
        }
        let file = self.files.records.at_mut(slot);
        if kind == Kind::Write || file.appends.is_empty() {
            let canceled = -Errno::CANCELED.number();
            let token = self.accept_finished(slot, kind, len as u32, canceled)?;
            self.record_failure(slot, token, Errno::CANCELED);
            return Ok(token);
        }
        let Some(index) = self.operations.claim(&mut file.held) else {
            return Err(self.refuse_full());
        };
        let token = self.next_token(len);
        // Behind every position that can ever be written: it is not finished, only cancelled.
        let offset = MAX_OFFSET;
        let (file, len) = (slot as u16, len as u32);
        *self.operations.records.at_mut(index) =
            Operation { token, offset, len, file, kind, stage: Stage::Queued, ..Operation::EMPTY };
        let file = self.files.records.at_mut(slot);
        file.appends.push_back(&mut self.operations.records, index);
        Ok(token)
    }

    /// A submission whose handle does not admit it.
    ///
    /// A failed file accepts and cancels until its failure has been delivered: the caller could not
    /// know, and a loop that walks a batch of completions must not see half of it refused.
    #[cold]
    pub(super) fn submit_gated(
        &mut self,
        fd: IoFd,
        kind: Kind,
        len: usize,
    ) -> Result<u64, StorageIoError> {
        let slot = self.admit_gated(fd, kind)?;
        if kind == Kind::Sync {
            return self.accept_sync(slot);
        }
        if kind == Kind::Append {
            self.append_offset(slot, len)?;
        }
        self.accept_cancelled(slot, kind, len)
    }

    /// The slot of a handle that does not admit submissions, if it is a sync, which is accepted all
    /// the same, or something that will be accepted and cancelled.
    #[cold]
    pub(super) fn admit_gated(&mut self, fd: IoFd, kind: Kind) -> Result<u32, StorageIoError> {
        if self.is_closed {
            return Err(StorageIoError::Closed);
        }
        let slot = self.known(fd)?;
        let file = self.files.records.at(slot);
        match file.health {
            Health::Announced(errno) => Err(StorageIoError::Io(errno)),
            Health::Failed(_) | Health::Sound if kind == Kind::Sync => Ok(slot),
            _ if file.gate == Gate::SyncsOnly => Err(StorageIoError::Io(Errno::INVAL)),
            // An alteration is unfinished.
            Health::Sound => Err(self.refuse_full()),
            Health::Failed(_) => Ok(slot),
        }
    }
}
