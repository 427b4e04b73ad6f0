//! What fails with what.
//!
//! - A failed write or append is reported by the first sync that covers it:
//!   [`Engine::record_failure`].
//! - A failed data-sync, or a write error that leaves the bytes unknown, fails the file:
//!   [`Engine::fail_file`]. What is with the executor ends by itself; the rest is cancelled.
//!
//! Worked example: writes 1 and 3, sync 2, sync 4 are accepted; 3 ends with ENOSPC, then 1 with
//! EDQUOT. Failure 3 is noted on sync 4, failure 1 on sync 2, so 2 fails with EDQUOT and 4 with
//! ENOSPC, neither with an OS call; a sync 5 accepted now speaks for everything else.

use super::{
    Engine,
    file::{AppendGate, Failure, Health},
    operation::{ANNOUNCES_FAILURE, Kind, Stage},
    storage::Storage,
};
use crate::{
    Errno,
    table::{fifo::Fifo, records::NIL},
};

impl<S: Storage> Engine<S> {
    /// Notes the failure of a write or append for the first sync that covers it; of several, the
    /// one accepted first counts.
    #[cold]
    pub(super) fn record_failure(&mut self, slot: u32, token: u64, errno: Errno) {
        let file = self.files.records.at_mut(slot);
        let mut index = file.syncs.head;
        while index != NIL {
            let sync = self.operations.records.at_mut(index);
            if sync.token > token && sync.kind == Kind::Sync {
                if sync.result == 0 || token < sync.offset {
                    sync.result = -errno.number();
                    sync.offset = token;
                }
                return;
            }
            index = sync.links.next;
        }
        if file.unreported.is_none_or(|known| token < known.token) {
            file.unreported = Some(Failure { token, errno });
        }
    }

    /// Fails the file, unless it is failed already. Submissions are refused once the completion of
    /// `announcer` has been delivered: of several that failed the file, whichever comes first.
    #[cold]
    pub(super) fn fail_file(&mut self, slot: u32, errno: Errno, announcer: u32) {
        self.operations.records.at_mut(announcer).flags |= ANNOUNCES_FAILURE;
        let file = self.files.records.at_mut(slot);
        if file.health != Health::Sound {
            return;
        }
        file.health = Health::Failed(errno);
        file.write_next = NIL;
        let mut index = file.writes.head;
        self.files.gate(slot);
        while index != NIL {
            let write = self.operations.records.at(index);
            let next = write.links.next;
            if write.stage == Stage::Queued {
                self.finish(index, Err(Errno::CANCELED));
            }
            index = next;
        }
        self.cancel_stopped_appends(slot);
        self.mark_urgent(slot);
    }

    /// Cancels the appends of a failed file that were not handed over, once those that were have
    /// ended. (A failed append does the same by itself.)
    pub(super) fn cancel_stopped_appends(&mut self, slot: u32) {
        let file = self.files.records.at(slot);
        let is_draining = matches!(file.append_gate, AppendGate::Draining(_));
        if file.health != Health::Sound && !file.lanes.has_request() && !is_draining {
            self.cancel_appends(slot);
        }
    }

    /// Cancels all appends of the file, in order. None of them is with the executor.
    pub(super) fn cancel_appends(&mut self, slot: u32) {
        loop {
            let index = self.files.records.at(slot).appends.head;
            if index == NIL {
                break;
            }
            self.finish(index, Err(Errno::CANCELED));
        }
        let file = self.files.records.at_mut(slot);
        self.blocks.drain(&mut file.chain, &mut file.packing);
    }

    /// The file has something to continue at once: a rest to send, or a sync to look at.
    #[inline]
    pub(super) fn mark_urgent(&mut self, slot: u32) {
        mark(&mut self.urgent, &mut self.files.records.at_mut(slot).is_urgent, slot);
    }

    /// The file has something to start.
    #[inline]
    pub(super) fn mark_ready(&mut self, slot: u32) {
        mark(&mut self.ready, &mut self.files.records.at_mut(slot).is_ready, slot);
    }
}

/// Queues a file once.
#[inline]
pub(super) fn mark<Q: crate::Slots<u16>>(
    queue: &mut Fifo<u16, Q>,
    is_queued: &mut bool,
    slot: u32,
) {
    if !*is_queued {
        // Each file is queued at most once and the queue has a slot for every file.
        *is_queued = queue.push(slot as u16).is_ok();
    }
}
