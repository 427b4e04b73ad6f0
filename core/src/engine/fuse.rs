//! *Fusing*: a request of an append stream that carries the data-sync of what it writes.
//!
//! One durable write ([`WriteKind::Durable`](super::executor::WriteKind)) in place of a write and,
//! once that is in, a data-sync: one trip through the executor less for each group of committers.
//! It makes durable its own range and nothing else, so it may stand for a data-sync only where
//! there is nothing else:
//! - a full data-sync has succeeded on this registration (the first one also covers what was
//!   written before);
//! - nothing of the file is unsynced: since something was last handed over as a plain write, a
//!   data-sync was handed over at a moment when nothing was on its way (`is_unsynced`);
//! - no sync that waits asks for all metadata, and no alteration is unfinished;
//! - no data-sync flies and no positional write is unfinished. (No other part of the stream is with
//!   the executor then: that would be unsynced, or a durable write, which flies.)
//! - all that the waiting syncs cover is one request: from where the stream was handed over up to
//!   where the newest sync was accepted. What was appended after that stays for the next request.
//!
//! While it flies it is the file's one data-sync (`flying` counts the syncs it serves), and
//! *nothing else of the file is started*: a data-sync tells of a loss once, to whoever asks first,
//! also of what was written beside it, and an answer to a durable write that may be of either half
//! must leave no doubt about anything but its own range.
//!
//! Worked example: everything below 1,000 is synced. Appends A (1,000..1,100) and B (..1,200), sync
//! 3, append C (..1,300), sync 4, append D (..1,400) are accepted. A, B and C leave as one durable
//! write of 1,000..1,300, and D waits. It is answered
//! - *300 bytes*: A, B and C are finished, then 3 and 4, without a data-sync. D leaves as a plain
//!   write and makes the file unsynced, so what comes next is not fused;
//! - *50 bytes*: 1,050..1,300 goes out again, as a plain write; when that is in, a data-sync serves
//!   3 and 4;
//! - *EINTR, EAGAIN, ECANCELED*: the same from 1,000 on;
//! - *EOPNOTSUPP*: the file takes no such writes (Linux says so before it writes anything). As
//!   above, and nothing of the file is fused any more;
//! - *ENOSPC* (EDQUOT, EFBIG, EINVAL): the write's error or the data-sync's, nobody knows.
//!   1,000..1,300 goes out again as a plain write. If that fails, it was the write's: A fails with
//!   it, B to D are cancelled, the file stays usable. If it succeeds, the data-sync had failed: A,
//!   B and C are finished, 3 and 4 fail with ENOSPC, and so does the file;
//! - *EIO*, or anything else: the data-sync failed, and nobody knows about the bytes: the file is
//!   failed, A fails with it, B to D are cancelled, 3 reports A and 4 that C was cancelled.
//!
//! # Why writing again is not retrying a data-sync
//! A data-sync is never retried, because a loss is told once and the pages that were lost are clean
//! afterwards. Here an answer may hide a data-sync that failed: EINTR may come from its half of the
//! call, and a short count may stand for an error behind the bytes it counts. But nothing else of
//! the file was unsynced or on its way, so all that can have been lost is in the range; and all of
//! the range that the answer has not called durable is written again. That makes its pages dirty
//! again, and the data-sync that follows is the first for them.

use super::{
    Engine,
    executor::{Executor, Outcome},
    file::OpenFile,
    lane::{Fusion, Lane},
    retry::{Verdict, judge},
    storage::Storage,
};
use crate::{Errno, FileSlot, limits::MAX_REQUEST_BYTES, table::records::NIL};

impl OpenFile {
    /// Whether a durable write is with the executor: then nothing else of the file is, or will be.
    #[inline]
    pub(super) fn is_fused(&self) -> bool {
        let lane = self.lanes.get(self.lanes.older());
        self.flying > 0 && !lane.is_empty() && lane.fusion == Fusion::Fused
    }

    /// Where the next request of the stream ends, if it may carry the data-sync of all that waits.
    #[inline]
    fn fusible_end(&self) -> Option<u64> {
        let byte_count = self.sync_tail.saturating_sub(self.sent);
        let is_one_request = byte_count > 0 && byte_count <= u64::from(MAX_REQUEST_BYTES);
        let is_synced = self.had_full_sync && !self.is_unsynced;
        let is_alone = self.flying == 0 && self.writes.is_empty();
        let is_free = self.durable_obstacles == 0;
        (is_one_request && is_synced && is_alone && is_free).then_some(self.sync_tail)
    }
}

impl Lane {
    /// What an answer to this request means. What only says that one half of a durable write failed
    /// sends it out again, as a plain one.
    #[inline]
    pub(super) fn judge(&self, outcome: Outcome) -> Verdict {
        match (self.fusion, judge(outcome, self.attempts)) {
            (Fusion::Fused, Verdict::Failed(errno))
                if errno.keeps_file_usable() || errno == Errno::OPNOTSUPP =>
            {
                Verdict::Again
            }
            (_, verdict) => verdict,
        }
    }
}

impl<S: Storage> Engine<S> {
    /// The next request of the file's stream, as far as it is known before its data is gathered: up
    /// to `goal` at most, or up to the newest sync if it carries the data-sync for that.
    #[inline]
    pub(super) fn next_lane<E: Executor>(&self, slot: u32, goal: u64, executor: &E) -> Lane {
        let file = self.files.records.at(slot);
        let begin = file.sent;
        match file.fusible_end() {
            Some(end) if executor.can_write_durably(FileSlot::at(slot)) => {
                Lane { begin, end, fusion: Fusion::Fused, ..Lane::EMPTY }
            }
            _ => {
                let most = file.floor(begin) + u64::from(MAX_REQUEST_BYTES);
                Lane { begin, end: goal.min(most), ..Lane::EMPTY }
            }
        }
    }

    /// A durable write is handed over: it flies for all syncs that wait.
    pub(super) fn board_all(&mut self, slot: u32) {
        let mut count = 0;
        let mut index = self.files.records.at(slot).syncs.head;
        while index != NIL {
            count += 1;
            index = self.operations.records.at(index).links.next;
        }
        self.files.records.at_mut(slot).flying = count;
        self.stats.durable_writes += 1;
    }

    /// A request of the stream was answered: what it is from here on. Where the answer settles
    /// nothing about the data-sync, the syncs that it flew for wait for one of their own.
    #[inline(never)]
    pub(super) fn settle_fusion(
        &mut self,
        (slot, lane): (u32, usize),
        verdict: Verdict,
        outcome: Outcome,
    ) {
        let file = self.files.records.at_mut(slot);
        let entry = file.lanes.get_mut(lane);
        let rest = entry.end - entry.begin;
        entry.fusion = match (entry.fusion, verdict) {
            (Fusion::None, _) => return,
            (Fusion::Fused, Verdict::Progress(count)) if u64::from(count) >= rest => return,
            (Fusion::Doubted(_), Verdict::Progress(_) | Verdict::Again) => return,
            (fusion, _) => {
                let error = outcome.err();
                file.durable_obstacles += u32::from(error == Some(Errno::OPNOTSUPP));
                let doubt = error.filter(|it| it.keeps_file_usable() && fusion == Fusion::Fused);
                if doubt.is_none() {
                    file.flying = 0;
                    file.is_unsynced = true;
                }
                doubt.map_or(Fusion::None, Fusion::Doubted)
            }
        };
        self.mark_ready(slot);
    }

    /// A request of the stream is in, all of it, and what it wrote is finished: so are the syncs
    /// that it flew for.
    #[inline(never)]
    pub(super) fn end_fusion(&mut self, slot: u32, fusion: Fusion) {
        match fusion {
            Fusion::None => {}
            Fusion::Fused => {
                let count = self.files.records.at(slot).flying;
                self.stats.shared_syncs += u64::from(count).saturating_sub(1);
                self.end_flight(slot, Ok(0));
            }
            Fusion::Doubted(errno) => self.end_flight(slot, Err(errno)),
        }
    }
}
