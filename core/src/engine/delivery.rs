//! Finished operations → the caller.
//!
//! Delivery is where a failure becomes the caller's knowledge: from here on the gate refuses what
//! it accepted and cancelled before. It ends every operation but a read that has bytes to show.

use super::{
    Engine,
    file::{AppendGate, Health},
    operation::{
        ANNOUNCES_APPEND_FAILURE, ANNOUNCES_FAILURE, HAS_BYTES, Kind, NOTABLE, ORPHAN, Operation,
    },
    storage::Storage,
};
use crate::{CompletionSink, Errno, IoCompletion, table::completion_queue::BATCH};

impl<S: Storage> Engine<S> {
    /// Finished operations that wait for delivery.
    #[inline]
    pub const fn deliverable(&self) -> usize {
        self.finished.count() as usize
    }

    /// Puts finished operations into `sink`, oldest first, until it takes no more. Returns how
    /// many it took; the rest stays.
    #[inline]
    pub fn deliver(&mut self, sink: &mut dyn CompletionSink) -> usize {
        let pending = self.pending_count() as u32;
        self.stats.pending_peak = self.stats.pending_peak.max(pending);
        let mut delivered = 0;
        while self.finished.count() > 0 {
            let mut batch = [IoCompletion { token: 0, result: 0 }; BATCH];
            let first = self.finished.first();
            let file = self.operations.records.at(first).file;
            // Mostly a batch is of one file and has nothing notable: then it is settled as a whole.
            let (mut other, mut flags) = (0, 0);
            let (offered, peeked) = self.finished.peek(
                &self.operations.records,
                &mut batch,
                |operation: &Operation| {
                    other |= operation.file ^ file;
                    flags |= operation.flags;
                },
            );
            let taken = sink.take(batch.get(..offered).unwrap_or_default()).min(offered);
            if taken == offered && other == 0 && flags & NOTABLE == 0 {
                let record = self.files.records.at_mut(u32::from(file));
                self.operations.settle(&mut record.held, taken as u32);
                self.finished.drop_front(taken as u32, peeked.behind);
                self.operations.free_chain(first, peeked.last);
            } else {
                self.hand_back(taken as u32);
            }
            delivered += taken;
            // Here and not behind the loop: a sink that panics must not make the count wrong.
            self.stats.completed += taken as u64;
            if taken < offered {
                break;
            }
        }
        delivered
    }

    /// The `count` oldest finished operations have been delivered: frees their slots one by one, or
    /// keeps them.
    #[inline(never)]
    fn hand_back(&mut self, count: u32) {
        for _ in 0..count {
            let index = self.finished.first();
            let operation = self.operations.records.at(index);
            let (slot, next) = (u32::from(operation.file), operation.links.next);
            let is_kept = operation.has(HAS_BYTES) && operation.result >= 0;
            if operation.flags & NOTABLE != 0 {
                let operation = *operation;
                self.announce(slot, &operation);
            }
            self.finished.drop_front(1, next);
            if is_kept {
                self.keep_read(index);
            } else {
                self.operations.release(index, &mut self.files.records.at_mut(slot).held);
            }
        }
    }

    #[cold]
    fn announce(&mut self, slot: u32, operation: &Operation) {
        let flags = operation.flags;
        let file = self.files.records.at_mut(slot);
        if flags & ORPHAN != 0 {
            file.orphans -= 1;
            return;
        }
        if flags & ANNOUNCES_FAILURE != 0
            && let Health::Failed(errno) = file.health
        {
            // Of several errors that fail the file, the caller knows the one delivered first. (An
            // append that a request ahead of its own has failed or cancelled says another error.)
            let own = Errno::new(operation.result.wrapping_neg());
            let fails_the_file =
                operation.kind == Kind::Sync || own != Errno::CANCELED && !own.keeps_file_usable();
            file.health = Health::Announced(if fails_the_file { own } else { errno });
        }
        if flags & ANNOUNCES_APPEND_FAILURE != 0
            && let AppendGate::Undelivered(errno) = file.append_gate
        {
            file.append_gate = AppendGate::Refusing(errno);
        }
    }
}
