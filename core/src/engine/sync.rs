//! Data-syncs and full syncs: the barrier, and sharing one OS call.
//!
//! A sync may start when it is older than the oldest unfinished write and append of its file: one
//! comparison, because both lists are in the order of acceptance. One OS call flies per file; every
//! sync at the front of the list that the barrier lets through shares it. A sync that covers a
//! failure completes with that failure's error, and without an OS call. An alteration has its place
//! among them: syncs accepted after it wait for it (`alter`).
//!
//! A full sync (fsync) is a data-sync that asks for more: the OS call that serves one is a full
//! one.
//!
//! What a sync covers ends at the tail when it was accepted, of the bytes that were appended: its
//! success moves the file's durable tail there. What puts the tail back (a failed append, a
//! truncation) takes the waiting syncs with it: what is appended there next is none of theirs.
//!
//! Worked example: write 1, sync 2, sync 3, write 4, sync 5. When write 1 has ended, one OS call
//! serves 2 and 3, with write 4 in flight beside it; 5 waits for 4 and for that call.

use super::{
    Engine,
    executor::{Executor, Outcome, SyncKind},
    file::{Gate, Health},
    operation::{FULL, Kind, Operation, Stage},
    retry::sync_error,
    storage::Storage,
};
use crate::{Errno, FileSlot, IoFd, StorageIoError, table::records::NIL};

impl<S: Storage> Engine<S> {
    /// Accepts a data-sync; see [`StorageIo::submit_datasync`](crate::StorageIo::submit_datasync).
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn submit_datasync(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        match self.files.live(fd) {
            Some(slot) => self.accept_sync(slot),
            None => self.submit_gated(fd, Kind::Sync, 0),
        }
    }

    /// Accepts a full sync; see
    /// [`StorageIoExt::submit_fsync`](crate::StorageIoExt::submit_fsync).
    ///
    /// # Errors
    /// As there.
    pub fn submit_fsync(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        let token = self.submit_datasync(fd)?;
        let file = self.files.records.at_mut(u32::from(fd.slot));
        self.operations.records.at_mut(file.syncs.tail).flags |= FULL;
        file.durable_obstacles += 1;
        Ok(token)
    }

    pub(super) fn accept_sync(&mut self, slot: u32) -> Result<u64, StorageIoError> {
        let file = self.files.records.at_mut(slot);
        let Some(index) = self.operations.claim(&mut file.held) else {
            return Err(self.refuse_full());
        };
        let token = self.next_token(0);
        let file = self.files.records.at_mut(slot);
        let failure = file.unreported.take();
        *self.operations.records.at_mut(index) = Operation {
            token,
            offset: failure.map_or(file.tail, |failure| failure.token),
            result: failure.map_or(0, |failure| -failure.errno.number()),
            file: slot as u16,
            kind: Kind::Sync,
            stage: Stage::Queued,
            ..Operation::EMPTY
        };
        file.syncs.push_back(&mut self.operations.records, index);
        file.is_fenced = true;
        file.sync_tail = file.tail;
        if file.appends.is_empty() && file.writes.is_empty() {
            self.mark_urgent(slot);
        }
        Ok(token)
    }

    /// The tail went back to `tail`: waiting syncs speak of no more than that.
    #[cold]
    pub(super) fn put_syncs_back(&mut self, slot: u32, tail: u64) {
        let file = self.files.records.at_mut(slot);
        file.sync_tail = file.sync_tail.min(tail);
        let mut index = file.syncs.head;
        while index != NIL {
            let sync = self.operations.records.at_mut(index);
            if sync.result == 0 {
                sync.offset = sync.offset.min(tail);
            }
            index = sync.links.next;
        }
    }

    /// The token of the oldest unfinished write or append of the file.
    #[inline]
    pub(super) fn oldest_token(&self, slot: u32) -> u64 {
        let file = self.files.records.at(slot);
        let token = |index| match index {
            NIL => u64::MAX,
            index => self.operations.records.at(index).token,
        };
        token(file.writes.head).min(token(file.appends.head))
    }

    /// Starts the file's next data-sync if the barrier lets one through.
    #[inline]
    pub(super) fn start_syncs<E: Executor>(&mut self, slot: u32, executor: &mut E) {
        loop {
            let file = self.files.records.at(slot);
            let leader = file.syncs.head;
            if leader == NIL || file.flying > 0 {
                return;
            }
            let health = file.health;
            let barrier = self.oldest_token(slot);
            let sync = self.operations.records.at(leader);
            if sync.token > barrier || sync.kind == Kind::Alter {
                return;
            }
            if sync.result != 0 {
                let errno = Errno::new(-sync.result);
                self.finish(leader, Err(errno));
            } else if health != Health::Sound {
                self.finish(leader, Err(Errno::CANCELED));
            } else if executor.room() == 0 {
                return self.mark_urgent(slot);
            } else {
                self.fly(slot, leader, barrier, executor);
            }
        }
    }

    /// Hands one data-sync to the executor for `leader` and all behind it that may share it.
    fn fly<E: Executor>(&mut self, slot: u32, leader: u32, barrier: u64, executor: &mut E) {
        let mut count = 0;
        let mut flags = 0;
        let mut index = leader;
        while index != NIL {
            let sync = self.operations.records.at_mut(index);
            if sync.token > barrier || sync.result != 0 || sync.kind == Kind::Alter {
                break;
            }
            sync.stage = Stage::Sent;
            sync.started_ns = self.now_ns;
            count += 1;
            flags |= sync.flags;
            index = sync.links.next;
        }
        let sync = self.operations.records.at_mut(leader);
        sync.run = count;
        let id = sync.request_id(leader);
        let file = self.files.records.at_mut(slot);
        file.flying = count;
        // With nothing on its way, all that was handed over is in, and the call covers it.
        let is_altering = file.altering != NIL;
        file.is_unsynced &= is_altering || !file.writes.is_empty() || file.lanes.has_request();
        let is_data = file.had_full_sync && !file.was_altered && flags & FULL == 0;
        file.was_altered &= is_altering;
        let kind = if is_data { SyncKind::Data } else { SyncKind::Full };
        self.in_flight += 1;
        self.stats.sync_requests += 1;
        self.stats.shared_syncs += u64::from(count) - 1;
        if let Some(outcome) = executor.sync(id, FileSlot::at(slot), kind) {
            self.complete(id, outcome);
        }
    }

    /// The data-sync that flew for `leader` was answered.
    #[inline(never)]
    pub(super) fn sync_answered(&mut self, slot: u32, outcome: Outcome) {
        let result = match outcome {
            Ok(_) => {
                let file = self.files.records.at_mut(slot);
                // Of a directory nothing but metadata is to be had.
                file.had_full_sync = file.gate != Gate::SyncsOnly;
                Ok(0)
            }
            Err(errno) => Err(sync_error(errno)),
        };
        self.end_flight(slot, result);
    }

    /// The file's data-sync in flight has ended, and with it the syncs that it flew for.
    pub(super) fn end_flight(&mut self, slot: u32, result: Result<u32, Errno>) {
        let file = self.files.records.at_mut(slot);
        let mut count = core::mem::take(&mut file.flying);
        let mut index = file.syncs.head;
        let mut announcer = index;
        let mut is_told = false;
        let mut durable_tail = file.durable_tail;
        while count > 0 && index != NIL {
            let sync = self.operations.records.at(index);
            let next = sync.links.next;
            // One that a durable write flew for may have a failure to report.
            let noted = Errno::new(-sync.result);
            let own = if sync.result == 0 { result } else { Err(noted) };
            if own.is_ok() {
                durable_tail = durable_tail.max(sync.offset);
            }
            if sync.result == 0 && !is_told {
                announcer = index;
                is_told = true;
            }
            self.finish(index, own);
            index = next;
            count -= 1;
        }
        self.files.records.at_mut(slot).durable_tail = durable_tail;
        if let Err(errno) = result {
            self.fail_file(slot, errno, announcer);
        }
        let file = self.files.records.at(slot);
        let has_waiting_sync = !file.syncs.is_empty();
        let has_waiting_append = file.sent < file.tail && !file.appends.is_empty();
        if has_waiting_append || file.write_next != NIL {
            self.mark_ready(slot);
        }
        if has_waiting_sync {
            self.mark_urgent(slot);
        }
    }
}
