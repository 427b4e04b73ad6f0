//! Which file goes next; and answers → the kind of operation they belong to.
//!
//! Two queues of files, each file at most once in each: *ready* ones have something to start,
//! *urgent* ones something to continue (a rest to send again, a sync or an alteration whose barrier
//! may be open).
//! A new group of writes and appends starts at [`Engine::start`] only; what is urgent goes at once.

use super::{
    Engine,
    executor::{Executor, Outcome},
    failure::mark,
    operation::{BLOCKED, FULL, Kind, Operation, Stage},
    order,
    storage::Storage,
};
use crate::{
    Errno, FileSlot, RequestId,
    table::{piece_table::NO_VECTOR, range_index::Chained, records::NIL},
};

/// Polls in a row that may leave the next group to the caller's flush.
const PATIENCE: u8 = 16;

impl<S: Storage> Engine<S> {
    /// Whether [`Engine::start`] has a file to look at.
    #[inline]
    pub fn has_ready(&self) -> bool {
        self.ready.count() > 0 || self.has_urgent()
    }

    /// Whether [`Engine::proceed`] has a file to look at.
    #[inline]
    pub fn has_urgent(&self) -> bool {
        self.urgent.count() > 0
    }

    /// Whether a poll should [`Engine::start`] the next group, before it delivers. It leaves that
    /// to the caller's flush while there is something to deliver, so that callers who react to the
    /// same completions travel together; but not for ever, since the caller may never flush.
    pub fn is_group_due(&mut self) -> bool {
        if self.deliverable() > 0 && self.passed_over < PATIENCE {
            self.passed_over += 1;
            return false;
        }
        true
    }

    /// Hands everything that may run to the executor. Returns the number of requests.
    ///
    /// `now_ns` is any steady clock; it only serves [`FileStatus`](crate::FileStatus).
    #[inline]
    pub fn start<E: Executor>(&mut self, now_ns: u64, executor: &mut E) -> usize {
        let before = self.stats.kernel_requests();
        self.passed_over = 0;
        if self.has_urgent() {
            self.proceed(now_ns, executor);
        }
        self.now_ns = now_ns;
        for _ in 0..self.ready.count() {
            // Who got no room stays ahead of those that come again.
            if executor.room() == 0 {
                break;
            }
            let Some(slot) = self.ready.pop() else { break };
            let slot = u32::from(slot);
            self.files.records.at_mut(slot).is_ready = false;
            self.start_appends(slot, executor);
            self.start_writes(slot, executor);
            self.start_reads(slot, executor);
        }
        // Whatever was done inside the calls above may have opened a barrier.
        if self.has_urgent() {
            self.proceed(now_ns, executor);
        }
        self.stats.in_flight_peak = self.stats.in_flight_peak.max(self.in_flight);
        (self.stats.kernel_requests() - before) as usize
    }

    /// Hands continuations and syncs to the executor, and starts nothing new. To be called after
    /// each round of [`Engine::complete`]. Returns the number of requests.
    #[inline]
    pub fn proceed<E: Executor>(&mut self, now_ns: u64, executor: &mut E) -> usize {
        let before = self.stats.kernel_requests();
        self.now_ns = now_ns;
        for _ in 0..self.urgent.count() {
            if executor.room() == 0 {
                break;
            }
            let Some(slot) = self.urgent.pop() else { break };
            let slot = u32::from(slot);
            let file = self.files.records.at_mut(slot);
            file.is_urgent = false;
            if file.again > 0 {
                self.resend(slot, executor);
            }
            self.resend_lane(slot, executor);
            self.start_syncs(slot, executor);
            if self.files.records.at(slot).altering != NIL {
                self.start_alteration(slot, executor);
            }
        }
        self.stats.in_flight_peak = self.stats.in_flight_peak.max(self.in_flight);
        (self.stats.kernel_requests() - before) as usize
    }

    /// Sends what goes out again, each request once.
    #[cold]
    #[inline(never)]
    fn resend<E: Executor>(&mut self, slot: u32, executor: &mut E) {
        self.resend_writes(slot, executor);
        self.resend_reads(slot, executor);
    }

    fn resend_writes<E: Executor>(&mut self, slot: u32, executor: &mut E) {
        let file = self.files.records.at(slot);
        let mut budget = file.again;
        let mut index = file.writes.head;
        while index != NIL && budget > 0 {
            let operation = self.operations.records.at(index);
            if operation.stage == Stage::Again {
                if executor.room() == 0 {
                    return self.mark_urgent(slot);
                }
                budget -= 1;
                self.files.records.at_mut(slot).again -= 1;
                let run = self.assemble(index);
                self.send(index, &run, executor);
            }
            // An executor that answers at once may have taken it off its list.
            let operation = self.operations.records.at(index);
            index = if operation.stage != Stage::Done {
                operation.links.next
            } else {
                self.files.records.at(slot).writes.head
            };
        }
    }

    /// An executor's answer. An answer that no request in flight has is dropped (and counted).
    // The way of a write is inlined into every driver: compilers do so by themselves only where a
    // program has one, and calls cost 45 instructions per write.
    #[inline(always)]
    pub fn complete(&mut self, id: RequestId, outcome: Outcome) {
        let index = id.slot();
        if let Ok(byte_count) = outcome
            && let Some(write) = self.operations.records.at_bounded_mut(index)
            && write.stage == Stage::SentSingly
            && write.request_id(index) == id
            && write.len == byte_count
        {
            write.stage = Stage::Done;
            let link = write.link();
            write.result = byte_count as i32;
            let Operation { links, len, place, file, .. } = *write;
            self.in_flight -= 1;
            return self.write_succeeded((index, links), (link, file), (place, len));
        }
        self.complete_otherwise(id, outcome);
    }

    /// The answer to anything but one write with success, or to nothing.
    #[inline(never)]
    fn complete_otherwise(&mut self, id: RequestId, outcome: Outcome) {
        if let Some(stream) = id.stream() {
            return self.stream_answered(id, stream, outcome);
        }
        let leader = id.slot();
        let Some(operation) = self.operations.records.at_bounded_mut(leader) else {
            return self.drop_stale();
        };
        if operation.stage == Stage::SentSingly {
            (operation.stage, operation.run, operation.vector) = (Stage::Sent, 1, NO_VECTOR);
        }
        let is_awaited = operation.stage == Stage::Sent && operation.run > 0;
        if !is_awaited || operation.request_id(leader) != id {
            return self.drop_stale();
        }
        let (slot, kind) = (u32::from(operation.file), operation.kind);
        self.in_flight -= 1;
        // Appends never lead a request: those of a stream have ids of their own.
        match kind {
            Kind::Sync => self.sync_answered(slot, outcome),
            Kind::Read => self.read_answered(slot, leader, outcome),
            Kind::Alter => self.alteration_answered(slot, leader, outcome),
            Kind::Write | Kind::Append => self.write_answered(slot, leader, outcome),
        }
    }

    #[cold]
    pub(super) fn drop_stale(&mut self) {
        self.stats.stale_answers += 1;
    }

    /// Ends an operation: takes it off its file's list, gives its blocks back, and queues its
    /// completion. A failed write or append is noted for the sync that covers it.
    #[inline]
    pub(super) fn finish(&mut self, index: u32, result: Result<u32, Errno>) {
        let record = self.operations.records.at_mut(index);
        record.stage = Stage::Done;
        record.run = 0;
        let link = record.link();
        record.result = match result {
            Ok(byte_count) => byte_count as i32,
            Err(errno) => -errno.number(),
        };
        let Operation { token, len, place, kind, file, flags, .. } = *record;
        let slot = u32::from(file);
        let file = self.files.records.at_mut(slot);
        let records = &mut self.operations.records;
        match kind {
            Kind::Write => {
                file.writes.remove(records, index);
                order::leave(records, &mut self.ranges, file, (index, link));
                if flags & BLOCKED != 0 {
                    file.blocked -= 1;
                }
            }
            Kind::Append => file.appends.remove(records, index),
            Kind::Sync | Kind::Alter => {
                file.syncs.remove(records, index);
                file.durable_obstacles -= u32::from(flags & FULL != 0);
            }
            Kind::Read => {
                file.reads.remove(records, index);
                if flags & BLOCKED != 0 {
                    file.blocked -= 1;
                    file.blocked_reads -= 1;
                }
            }
        }
        // What a read has read is the caller's until it is released.
        let is_kept = kind == Kind::Read && result.is_ok();
        if place.block != NIL && !is_kept {
            self.blocks.release(&mut file.packing, place, len);
        }
        self.finished.push(&mut self.operations.records, index);
        if matches!(kind, Kind::Sync | Kind::Alter) {
            return;
        }
        self.something_ended(slot);
        if let Err(errno) = result
            && kind != Kind::Read
        {
            self.record_failure(slot, token, errno);
        }
    }

    /// A write or append of the file has ended: what waited for it may run.
    #[inline]
    pub(super) fn something_ended(&mut self, slot: u32) {
        let file = self.files.records.at_mut(slot);
        if !file.syncs.is_empty() {
            mark(&mut self.urgent, &mut file.is_urgent, slot);
        }
        if file.blocked > 0 {
            mark(&mut self.ready, &mut file.is_ready, slot);
        }
    }

    /// The slots that have a file.
    pub fn file_slots(&self) -> impl Iterator<Item = FileSlot> {
        let used = |slot: &u32| self.files.is_used(*slot);
        (0..self.files.records.count()).filter(used).map(FileSlot::at)
    }
}
