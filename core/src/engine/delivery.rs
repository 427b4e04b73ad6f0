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
        let mut delivered = 0;
        while self.finished.count() > 0 {
            let mut batch = [IoCompletion { token: 0, result: 0 }; BATCH];
            let offered = self.finished.peek(&self.operations.records, &mut batch);
            let taken = sink.take(batch.get(..offered).unwrap_or_default()).min(offered);
            for _ in 0..taken {
                self.hand_back();
            }
            delivered += taken;
            if taken < offered {
                break;
            }
        }
        self.stats.completed += delivered as u64;
        delivered
    }

    /// The oldest finished operation has been delivered: frees its slot.
    #[inline]
    fn hand_back(&mut self) {
        let Some(index) = self.finished.pop(&mut self.operations.records) else { return };
        let operation = self.operations.records.at(index);
        let (slot, flags) = (u32::from(operation.file), operation.flags);
        let file = self.files.records.at_mut(slot);
        self.operations.release(index, &mut file.held);
        if flags & NOTABLE != 0 {
            self.announce(slot, flags);
        }
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
