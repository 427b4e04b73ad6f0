//! Finished operations → the caller.
//!
//! Delivery is where a failure becomes the caller's knowledge: from here on the gate refuses what
//! it accepted and cancelled before.

use super::{
    Engine,
    file::{AppendGate, Health},
    operation::{ANNOUNCES_APPEND_FAILURE, ANNOUNCES_FAILURE, NOTABLE, ORPHAN},
    storage::Storage,
};
use crate::{CompletionSink, IoCompletion, table::completion_queue::BATCH};

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
            let offered = self.finished.peek(&self.operations.records, &mut batch);
            let taken = sink.take(batch.get(..offered).unwrap_or_default()).min(offered);
            self.hand_back(taken as u32);
            delivered += taken;
            if taken < offered {
                break;
            }
        }
        self.stats.completed += delivered as u64;
        delivered
    }

    /// The `count` oldest finished operations have been delivered: frees their slots.
    #[inline]
    fn hand_back(&mut self, count: u32) {
        if count == 0 {
            return;
        }
        let first = self.finished.first();
        let (mut index, mut last) = (first, first);
        // Neighbours are mostly of one file: their accounts are settled together.
        let mut slot = u32::from(self.operations.records.at(first).file);
        let mut of_slot = 0;
        for _ in 0..count {
            let operation = self.operations.records.at(index);
            let (file, flags) = (u32::from(operation.file), operation.flags);
            (last, index) = (index, operation.links.next);
            if file != slot {
                self.operations.settle(&mut self.files.records.at_mut(slot).held, of_slot);
                (slot, of_slot) = (file, 0);
            }
            of_slot += 1;
            if flags & NOTABLE != 0 {
                self.announce(file, flags);
            }
        }
        self.operations.settle(&mut self.files.records.at_mut(slot).held, of_slot);
        self.finished.drop_front(count, index);
        self.operations.free_chain(first, last);
    }

    #[cold]
    fn announce(&mut self, slot: u32, flags: u8) {
        let file = self.files.records.at_mut(slot);
        if flags & ORPHAN != 0 {
            file.orphans -= 1;
            return;
        }
        if flags & ANNOUNCES_FAILURE != 0
            && let Health::Failed(errno) = file.health
        {
            file.health = Health::Announced(errno);
        }
        if flags & ANNOUNCES_APPEND_FAILURE != 0
            && let AppendGate::Undelivered(errno) = file.append_gate
        {
            file.append_gate = AppendGate::Refusing(errno);
        }
    }
}
