//! Alterations: allocating, truncating, punching holes, closing.
//!
//! A file has at most one unfinished alteration; another is `QueueFull`. It stands among the syncs,
//! so it has its place in the order:
//!
//! | | begins | writes, appends and reads accepted after it | syncs after it |
//! |---|---|---|---|
//! | allocate | at once, beside others | go on | wait for it |
//! | truncate, punch | when all before it has ended | are `QueueFull` meanwhile | wait for it |
//! | close | the same | none: the handle is dead | none |
//!
//! While one that is alone is unfinished, the file is *gated*: its handle leaves the fast path of
//! the submissions, as that of a failed file does, and `admission` says *later*. So the fast path
//! pays nothing, and nothing about the tail has to be guessed while its end is unknown.
//!
//! One that fails changes nothing that the engine knows: the tail stays, the file stays sound, no
//! sync reports it. One that succeeds is durable after the next sync, which is a full one.
//!
//! A close is two requests if the backend wrote beyond the tail: the file is cut back to it first.
//! A failed file's is not cut back.
//!
//! Worked example: tail 1,000. Append A of 100 bytes, sync 2, truncate 3 to 500, sync 4 are
//! accepted; an append is `QueueFull` now. When A and 2 have ended, the file is truncated; then the
//! tail is 500, appends are taken again, and 4 leaves as a full sync.

use super::{
    Engine,
    admission::MAX_OFFSET,
    executor::{Alteration, Executor, Outcome},
    file::{AppendGate, Gate, Health, OpenFile},
    operation::{Kind, Operation, Stage},
    retry::{MAX_ATTEMPTS, sync_error},
    storage::Storage,
};
use crate::{Errno, FileSlot, IoFd, StorageIoError, table::records::NIL};

/// Whether `offset..offset + len` is a range that a file can have.
fn check_range(offset: u64, len: u64) -> Result<(), StorageIoError> {
    let end = offset.checked_add(len).filter(|end| *end <= MAX_OFFSET);
    end.map(|_| ()).ok_or(StorageIoError::Io(Errno::FBIG))
}

impl OpenFile {
    /// The size to which the file is to be cut back before it is closed, because the backend itself
    /// wrote beyond that.
    pub(super) fn cut(&self) -> Option<u64> {
        let is_beyond = self.sent_end > self.tail;
        let is_cut = is_beyond && !self.is_segment && self.health == Health::Sound;
        is_cut.then_some(self.tail)
    }
}

impl<S: Storage> Engine<S> {
    /// Accepts an allocation; see
    /// [`StorageIoExt::submit_allocate`](crate::StorageIoExt::submit_allocate).
    ///
    /// # Errors
    /// As there.
    pub fn submit_allocate(
        &mut self,
        fd: IoFd,
        offset: u64,
        len: u64,
    ) -> Result<u64, StorageIoError> {
        let slot = self.alterable(fd)?;
        check_range(offset, len)?;
        if len == 0 {
            return self.accept_finished(slot, Kind::Alter, 0, 0);
        }
        self.accept_alteration(slot, Alteration::Allocate { offset, len })
    }

    /// Accepts a truncation; see
    /// [`StorageIoExt::submit_truncate`](crate::StorageIoExt::submit_truncate).
    ///
    /// # Errors
    /// As there.
    pub fn submit_truncate(&mut self, fd: IoFd, len: u64) -> Result<u64, StorageIoError> {
        let slot = self.alterable(fd)?;
        let file = self.files.records.at(slot);
        if len > file.limit {
            return Err(StorageIoError::Io(Errno::FBIG));
        }
        if file.beyond_floor(len) != 0 {
            return Err(StorageIoError::Io(Errno::INVAL));
        }
        self.accept_alteration(slot, Alteration::Truncate { len })
    }

    /// Accepts the punching of a hole; see
    /// [`StorageIoExt::submit_punch`](crate::StorageIoExt::submit_punch).
    ///
    /// # Errors
    /// As there.
    pub fn submit_punch(&mut self, fd: IoFd, offset: u64, len: u64) -> Result<u64, StorageIoError> {
        let slot = self.alterable(fd)?;
        check_range(offset, len)?;
        if self.files.records.at(slot).beyond_floor(offset | len) != 0 {
            return Err(StorageIoError::Io(Errno::INVAL));
        }
        if len == 0 {
            return self.accept_finished(slot, Kind::Alter, 0, 0);
        }
        self.accept_alteration(slot, Alteration::Punch { offset, len })
    }

    /// Accepts a close; see [`StorageIoExt::submit_close`](crate::StorageIoExt::submit_close). The
    /// slot is to be freed by [`Engine::finish_close`] when [`Engine::next_idle_closing`] names it.
    ///
    /// # Errors
    /// As there.
    pub fn submit_close(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        if self.is_closed {
            return Err(StorageIoError::Closed);
        }
        let slot = self.known(fd)?;
        let token = self.queue_alteration(slot, Alteration::Close)?;
        self.files.close(slot);
        Ok(token)
    }

    /// The slot of a file that can be altered.
    fn alterable(&self, fd: IoFd) -> Result<u32, StorageIoError> {
        if self.is_closed {
            return Err(StorageIoError::Closed);
        }
        let slot = self.known(fd)?;
        let file = self.files.records.at(slot);
        match file.health {
            Health::Announced(errno) => Err(StorageIoError::Io(errno)),
            _ if file.append_gate == AppendGate::Never => Err(StorageIoError::Io(Errno::INVAL)),
            _ => Ok(slot),
        }
    }

    /// Accepts an alteration of a file whose handle stays good.
    fn accept_alteration(
        &mut self,
        slot: u32,
        alteration: Alteration,
    ) -> Result<u64, StorageIoError> {
        if self.files.records.at(slot).health != Health::Sound {
            // The caller does not know yet.
            return self.accept_finished(slot, Kind::Alter, 0, -Errno::CANCELED.number());
        }
        let token = self.queue_alteration(slot, alteration)?;
        if alteration.is_exclusive() {
            self.files.records.at_mut(slot).gate = Gate::Altering;
            self.files.gate(slot);
        }
        Ok(token)
    }

    fn queue_alteration(
        &mut self,
        slot: u32,
        alteration: Alteration,
    ) -> Result<u64, StorageIoError> {
        let file = self.files.records.at_mut(slot);
        if file.altering != NIL {
            return Err(self.refuse_full());
        }
        let Some(index) = self.operations.claim(&mut file.held) else {
            return Err(self.refuse_full());
        };
        let token = self.next_token(0);
        let (kind, stage) = (Kind::Alter, Stage::Queued);
        *self.operations.records.at_mut(index) =
            Operation { token, file: slot as u16, kind, stage, ..Operation::EMPTY };
        let file = self.files.records.at_mut(slot);
        file.syncs.push_back(&mut self.operations.records, index);
        file.altering = index;
        file.alteration = alteration;
        file.durable_obstacles += 1;
        self.mark_urgent(slot);
        Ok(token)
    }

    /// Starts the file's alteration if it may begin, or go on, now.
    #[cold]
    pub(super) fn start_alteration<E: Executor>(&mut self, slot: u32, executor: &mut E) {
        let barrier = self.oldest_token(slot);
        let file = self.files.records.at_mut(slot);
        let (index, alteration) = (file.altering, file.alteration);
        let token = self.operations.records.at(index).token;
        let is_behind_read = file.has_read_before(&self.operations.records, token);
        let operation = self.operations.records.at_mut(index);
        if operation.stage != Stage::Queued {
            return;
        }
        if file.health != Health::Sound && alteration != Alteration::Close {
            return self.end_alteration(slot, Err(Errno::CANCELED));
        }
        let is_alone = file.syncs.head == index && token < barrier && !is_behind_read;
        if alteration.is_exclusive() && !is_alone || file.is_fused() {
            return;
        }
        if executor.room() == 0 {
            return self.mark_urgent(slot);
        }
        let cut = file.cut().filter(|_| alteration == Alteration::Close && operation.done == 0);
        operation.done = u32::from(cut.is_none());
        operation.stage = Stage::Sent;
        operation.run = 1;
        operation.started_ns = self.now_ns;
        let id = operation.request_id(index);
        file.is_unsynced = true;
        file.was_altered = true;
        self.in_flight += 1;
        self.stats.alter_requests += 1;
        let request = cut.map_or(alteration, |len| Alteration::Truncate { len });
        if let Some(outcome) = executor.alter(id, FileSlot::at(slot), request) {
            self.complete(id, outcome);
        }
    }

    /// The request of the file's alteration was answered.
    #[cold]
    pub(super) fn alteration_answered(&mut self, slot: u32, index: u32, outcome: Outcome) {
        let file = self.files.records.at_mut(slot);
        let operation = self.operations.records.at_mut(index);
        let is_closing = file.alteration == Alteration::Close;
        let is_close = is_closing && operation.done == 1;
        let outcome = match outcome {
            // The descriptor is gone all the same.
            Err(Errno::INTR) if is_close => Ok(0),
            outcome => outcome,
        };
        let is_refused = matches!(outcome, Err(Errno::INTR | Errno::AGAIN | Errno::CANCELED));
        if is_refused && operation.attempts < MAX_ATTEMPTS {
            operation.attempts += 1;
            operation.stage = Stage::Queued;
            self.stats.retries += 1;
            return self.mark_urgent(slot);
        }
        let result = outcome.map(|_| 0).map_err(sync_error);
        if !is_closing {
            return self.end_alteration(slot, result);
        }
        let is_unable = outcome == Err(Errno::OPNOTSUPP);
        if !is_close {
            // What the executor cannot do is left to the driver, if the close is.
            if !is_unable {
                file.sent_end = file.tail;
            }
            operation.result = result.map_or_else(|errno| errno.number(), |_| 0);
            operation.done = 1;
            operation.attempts = 0;
            operation.stage = Stage::Queued;
            return self.mark_urgent(slot);
        }
        // EINVAL is no answer of close(2): a ring with a polling thread refuses it before Linux
        // 5.12.
        let is_left = is_unable || outcome == Err(Errno::INVAL);
        file.was_closed = !is_refused && !is_left;
        if file.was_closed {
            file.sent_end = file.tail;
        }
        let result = match operation.result {
            0 if is_left => Ok(0),
            0 => result,
            number if is_unable && number == Errno::OPNOTSUPP.number() => Ok(0),
            number => Err(Errno::new(number)),
        };
        self.end_alteration(slot, result);
    }

    /// The file's alteration has ended: what waited for it may run.
    fn end_alteration(&mut self, slot: u32, result: Outcome) {
        let file = self.files.records.at_mut(slot);
        let index = core::mem::replace(&mut file.altering, NIL);
        let alteration = file.alteration;
        file.durable_obstacles -= 1;
        if result.is_ok() {
            self.note_alteration(slot, alteration);
        }
        self.finish(index, result);
        self.mark_urgent(slot);
        let file = self.files.records.at_mut(slot);
        if file.gate == Gate::Altering {
            file.gate = Gate::Open;
            if file.health == Health::Sound && !self.is_closed {
                self.files.ungate(slot);
            }
        }
    }

    /// The file is altered: what the engine knows of it follows.
    fn note_alteration(&mut self, slot: u32, alteration: Alteration) {
        let file = self.files.records.at_mut(slot);
        match alteration {
            Alteration::Truncate { len } => {
                (file.tail, file.settled_end) = (len, len);
                file.sent_end = len;
                file.write_end = file.write_end.min(len);
                file.durable_tail = file.durable_tail.min(len);
                self.put_syncs_back(slot, len);
            }
            Alteration::Punch { offset, len } => {
                // What is written again with the next append is zeros from here on.
                let block = file.floor(file.tail);
                if file.beyond_floor(file.tail) != 0 && (offset..offset + len).contains(&block) {
                    self.tail_blocks.fill(slot, &[], file.mask + 1);
                }
            }
            Alteration::Allocate { .. } | Alteration::Close => {}
        }
    }
}
