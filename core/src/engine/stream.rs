//! The requests of an append stream: ranges of it, at most two in flight per file.
//!
//! While two requests fly, everything accepted packs behind them in the same blocks and leaves as
//! one larger request: the slower the disk, the larger the requests. A request may begin and end
//! inside an append. The older request is settled first, whatever order the answers come in, so
//! what is finished is always a prefix of the stream.
//!
//! Worked example: the stream is 1,000..1,500, of which 1,000..1,200 and 1,200..1,300 fly. The
//! second is answered: it has *landed* and waits. The first is answered with 150 bytes: appends
//! that end at or below 1,150 are finished, 1,150..1,200 goes out again. When that is in, the
//! second counts too: everything below 1,300 is finished, and the next start may send 1,300..1,500.
//!
//! *Halves*: where none flies and 64 KiB or more wait, they leave as two requests, so that one is
//! with the executor while the answer to the other comes in and its appends make room for the next.
//! As one request they would leave and come back together for ever, with nobody working in between.
//! Not where a data-sync waits for them: it waits for both.
//!
//! *Hold*: while a data-sync flies, appends that another sync waits for do not start. Whoever
//! submits meanwhile travels with them, so that committers do not split into phases.

use super::{
    Engine,
    executor::{Executor, Outcome, WriteKind},
    file::{AppendGate, OpenFile},
    lane::{Fusion, Lane, LaneStage},
    retry::{Verdict, counted},
    run::Gathered,
    storage::Storage,
};
use crate::{
    FileSlot, RequestId,
    table::{piece_table::NO_VECTOR, records::NIL},
};

/// Bytes from which on a lone request is sent as two.
const HALVED_BYTES: u64 = 64 << 10;

impl OpenFile {
    /// Where a request that would fly alone ends, so that another one can go out behind it.
    #[inline]
    fn half(&self) -> u64 {
        let waiting = self.tail.saturating_sub(self.sent);
        let is_lone = !self.lanes.has_request() && self.sync_tail <= self.sent;
        let is_halved = is_lone && waiting >= HALVED_BYTES;
        if is_halved { self.floor(self.sent + waiting / 2) } else { self.tail }
    }
}

impl<S: Storage> Engine<S> {
    /// Starts what of the file's stream may run now.
    #[inline]
    pub(super) fn start_appends<E: Executor>(&mut self, slot: u32, executor: &mut E) {
        let file = self.files.records.at(slot);
        if file.appends.is_empty() {
            return;
        }
        let mut goal = file.half();
        loop {
            let file = self.files.records.at_mut(slot);
            let has_more = !file.appends.is_empty() && file.sent < file.tail;
            if !has_more || file.is_stream_stopped() || file.is_fused() {
                return;
            }
            let Some(lane) = file.lanes.free() else { return };
            // Two requests never write the same block: what begins inside one waits for its end.
            if file.beyond_floor(file.sent) != 0 && file.lanes.has_request() {
                return;
            }
            // A group that a sync waits for is held while a data-sync flies.
            if file.flying > 0 && file.sync_tail > file.sent {
                return;
            }
            if executor.room() == 0 {
                return self.mark_ready(slot);
            }
            let request = self.next_lane(slot, goal, executor);
            let file = self.files.records.at_mut(slot);
            *file.lanes.get_mut(lane) = request;
            goal = file.tail;
            self.send_lane(slot, lane, executor);
        }
    }

    /// Sends the rest of the older request again.
    #[cold]
    pub(super) fn resend_lane<E: Executor>(&mut self, slot: u32, executor: &mut E) {
        let lanes = &self.files.records.at(slot).lanes;
        let older = lanes.older();
        if lanes.get(older).stage != LaneStage::Again {
            return;
        }
        if executor.room() == 0 {
            return self.mark_urgent(slot);
        }
        self.send_lane(slot, older, executor);
    }

    /// Hands what is left of a lane to the executor, or as much of it as one request can carry.
    fn send_lane<E: Executor>(&mut self, slot: u32, lane: usize, executor: &mut E) {
        let file = self.files.records.at(slot);
        let Lane { begin, end, .. } = *file.lanes.get(lane);
        let (chain, first, whole) = (file.chain, file.floor(begin), file.floor(end));
        let mut gathered = Gathered::NOTHING;
        let mut position = first;
        while position < whole {
            let rest = (whole - position) as u32;
            let Some(piece) = self.blocks.piece_of(&chain, position, rest) else { break };
            if !self.push_piece(&mut gathered, piece) {
                break;
            }
            position += piece.byte_count as u64;
        }
        let mut beyond = position;
        if whole < end && position == whole && self.push_tail_block(&mut gathered, slot, end) {
            (position, beyond) = (end, whole + u64::from(self.files.records.at(slot).mask) + 1);
        }
        self.store_last(&mut gathered);
        self.stats.write_requests += 1;
        self.in_flight += 1;
        let id = RequestId::of_stream(self.stats.write_requests, slot as u16, lane);
        let file = self.files.records.at_mut(slot);
        let entry = file.lanes.get_mut(lane);
        if file.sent == begin {
            // A new range: what did not fit leaves with the next.
            entry.end = position;
            file.sent = position;
            file.sent_end = file.sent_end.max(beyond);
        }
        entry.id = id;
        entry.started_ns = self.now_ns;
        entry.stage = LaneStage::Sent;
        entry.vector = gathered.vector;
        if position < end && entry.fusion == Fusion::Fused {
            // There is no room for all of it in one request.
            entry.fusion = Fusion::None;
        }
        let kind = match entry.fusion {
            Fusion::Fused => WriteKind::Durable,
            Fusion::None | Fusion::Doubted(_) => WriteKind::Plain,
        };
        file.is_unsynced |= kind == WriteKind::Plain;
        if kind == WriteKind::Durable {
            self.board_all(slot);
        }
        let pieces = (&gathered, (beyond - first) as u32);
        let request = (id, FileSlot::at(slot), kind);
        if let Some(outcome) = self.write_pieces(executor, request, pieces, first) {
            self.complete(id, outcome);
        }
    }

    /// A request of the stream was answered.
    #[inline(never)]
    pub(super) fn stream_answered(
        &mut self,
        id: RequestId,
        (slot, lane): (u32, usize),
        outcome: Outcome,
    ) {
        let Some(file) = self.files.records.at_bounded_mut(slot) else {
            return self.drop_stale();
        };
        let mask = file.mask;
        let entry = file.lanes.get_mut(lane);
        if entry.id != id || entry.stage != LaneStage::Sent {
            return self.drop_stale();
        }
        let outcome = counted(outcome, entry.begin as u32 & mask, mask);
        entry.stage = LaneStage::Landed(outcome);
        let vector = core::mem::replace(&mut entry.vector, NO_VECTOR);
        let (begin, verdict) = (entry.begin, entry.judge(outcome));
        let is_older = lane == file.lanes.older();
        if vector != NO_VECTOR {
            self.vectors.release(vector);
        }
        self.in_flight -= 1;
        // It counts for the file at once, even if the request ahead of it has not been answered.
        if let Verdict::Failed(errno) = verdict
            && !errno.keeps_file_usable()
        {
            let failed = self.append_at(slot, begin);
            self.fail_file(slot, errno, failed);
        }
        if is_older {
            self.settle_lanes(slot);
        }
    }

    /// The unfinished append that byte `position` of the file belongs to.
    #[cold]
    fn append_at(&self, slot: u32, position: u64) -> u32 {
        let mut index = self.files.records.at(slot).appends.head;
        while index != NIL {
            let append = self.operations.records.at(index);
            if append.end() > position {
                break;
            }
            index = append.links.next;
        }
        index
    }

    /// Settles what has landed, the older request first.
    fn settle_lanes(&mut self, slot: u32) {
        loop {
            let lanes = &self.files.records.at(slot).lanes;
            let older = lanes.older();
            let LaneStage::Landed(outcome) = lanes.get(older).stage else { break };
            self.settle_lane(slot, older, outcome);
            let lanes = &mut self.files.records.at_mut(slot).lanes;
            if lanes.has_request() {
                return;
            }
            let fusion = lanes.get(older).fusion;
            lanes.turn();
            if fusion != Fusion::None {
                self.end_fusion(slot, fusion);
            }
        }
        let file = self.files.records.at(slot);
        let is_stopped = file.is_stream_stopped();
        if is_stopped && !file.lanes.has_request() && !file.appends.is_empty() {
            self.end_stream(slot);
        } else if !is_stopped && file.sent < file.tail {
            self.mark_ready(slot);
        }
    }

    /// Settles the older request: its lane is empty afterwards, or goes out again.
    #[inline]
    fn settle_lane(&mut self, slot: u32, lane: usize, outcome: Outcome) {
        let file = self.files.records.at_mut(slot);
        let is_draining = matches!(file.append_gate, AppendGate::Draining(_));
        let verdict = file.lanes.get(lane).judge(outcome);
        if file.lanes.get(lane).fusion != Fusion::None {
            self.settle_fusion((slot, lane), verdict, outcome);
        }
        let file = self.files.records.at_mut(slot);
        let entry = file.lanes.get_mut(lane);
        match verdict {
            _ if is_draining => {
                // An append ahead of it failed: cancelled, whatever it says.
                *entry = Lane::EMPTY;
            }
            Verdict::Progress(byte_count) => {
                entry.begin = entry.end.min(entry.begin + u64::from(byte_count));
                entry.attempts = 0;
                let (done, is_whole) = (entry.begin, entry.begin == entry.end);
                entry.stage = if is_whole { LaneStage::Empty } else { LaneStage::Again };
                if !is_whole {
                    self.stats.short_results += 1;
                    self.mark_urgent(slot);
                }
                self.finish_below(slot, done);
            }
            Verdict::Again => {
                entry.attempts += 1;
                entry.stage = LaneStage::Again;
                self.stats.retries += 1;
                self.mark_urgent(slot);
            }
            Verdict::Failed(errno) => {
                *entry = Lane::EMPTY;
                file.append_gate = AppendGate::Draining(errno);
            }
        }
    }

    /// Everything of the stream below `position` is written: finishes the appends that end there.
    #[inline]
    fn finish_below(&mut self, slot: u32, position: u64) {
        let file = self.files.records.at_mut(slot);
        let records = &mut self.operations.records;
        let first = file.appends.head;
        let (mut index, mut last, mut count) = (first, NIL, 0);
        while index != NIL {
            let append = records.at(index);
            if append.end() > position {
                break;
            }
            (last, index) = (index, append.links.next);
            count += 1;
        }
        if count == 0 {
            return;
        }
        file.appends.split_front(records, last);
        self.finished.push_chain(records, first, last, count);
        self.stats.merged_records += u64::from(count - 1);
        if file.appends.is_empty() {
            self.blocks.drain(&mut file.chain, &mut file.packing);
        } else {
            let position = match file.mask {
                0 => position,
                // If the oldest append fails, the bytes before it in its block are wanted again.
                _ => file.floor(position.min(records.at(file.appends.head).offset)),
            };
            self.blocks.shorten(&mut file.chain, &mut file.packing, position);
        }
        self.something_ended(slot);
    }
}
