//! Adjacent positional writes → one request.
//!
//! A *run* is a row of writes of one file, each beginning where the one before it ends. Their data
//! is gathered into as few contiguous pieces as it has in the blocks: packed neighbours make one
//! piece. The first write leads: it has the request id, the piece array and the number of writes.
//!
//! Worked example: three writes of 40 KiB lie at block 0 byte 0, block 1 byte 0 and block 2 byte 0.
//! They leave as one request of 120 KiB in three pieces. The kernel writes 50 KiB: the first write
//! is finished, 10 KiB of the second are done, and it leads the request for the rest.
//!
//! A request ends before a write that would not fit whole (1 MiB, 17 pieces, or no piece array
//! left), except that its leader may go in parts.

use super::{
    Engine,
    executor::{Executor, Outcome, WriteKind},
    operation::{CONTINUED, Operation, Stage},
    storage::Storage,
};
use crate::{
    FileSlot, Piece, Pieces, RequestId,
    limits::{MAX_REQUEST_BYTES, PIECES_PER_VECTOR},
    table::{buffer_ring::Place, piece_table::NO_VECTOR, records::NIL},
};

/// The data of a request being assembled.
#[derive(Clone, Copy)]
pub(super) struct Gathered {
    /// The last piece; the ones before it are in the array.
    last: Piece,
    count: usize,
    pub(super) vector: u16,
}

impl Gathered {
    pub(super) const NOTHING: Self = Self { last: Piece::EMPTY, count: 0, vector: NO_VECTOR };
}

/// A request, assembled.
pub(super) struct Run {
    gathered: Gathered,
    pub(super) byte_count: u32,
    /// The operation behind the run.
    pub(super) after: u32,
}

/// An answer, and to which request.
type Answer = (RequestId, Outcome);

/// Hands the request of one queued write, all of it in one piece, to the executor: what
/// [`Engine::hand_over`] does, without what runs need.
#[inline]
#[allow(unsafe_code)]
pub(super) fn hand_over_one<E: Executor>(
    write: &Operation,
    index: u32,
    piece: Piece,
    executor: &mut E,
) -> Option<Answer> {
    let id = write.request_id(index);
    // SAFETY: as in `write_pieces`, and there is no array.
    let pieces = unsafe { Pieces::new(core::slice::from_ref(&piece), write.len) };
    let file = FileSlot(write.file);
    let outcome = executor.write(id, file, pieces, write.offset, WriteKind::Plain);
    outcome.map(|outcome| (id, outcome))
}

impl<S: Storage> Engine<S> {
    /// Assembles the request that `leader` leads: itself and those queued behind it that join it;
    /// or, if it goes out again, what is left of its run. All of them become `Sent`.
    #[inline(never)]
    pub(super) fn assemble(&mut self, leader: u32) -> Run {
        let first = self.operations.records.at_mut(leader);
        // A run that goes out again keeps its operations; a new one takes whoever joins.
        let fixed_count = if first.stage == Stage::Again { first.run } else { 0 };
        let most = if fixed_count == 0 { u32::MAX } else { fixed_count };
        first.stage = Stage::Sent;
        first.started_ns = self.now_ns;
        let (place, skip, rest) = (first.place, first.done, first.len - first.done);
        let mut is_continued = first.has(CONTINUED) || fixed_count > 0;
        let mut after = first.links.next;
        let mut gathered = Gathered::NOTHING;
        let mut byte_count =
            self.gather(&mut gathered, place, skip, rest.min(MAX_REQUEST_BYTES), false);
        // Where data packed right behind the last piece would begin.
        let mut seam = self.blocks.place_at(place, skip + byte_count);
        let mut count = 1;
        // Of a leader that goes in parts, the first part goes alone.
        is_continued &= byte_count >= rest;
        while is_continued && count < most && after != NIL {
            let operation = self.operations.records.at_mut(after);
            let (place, len) = (operation.place, operation.len);
            if byte_count + len > MAX_REQUEST_BYTES {
                break;
            }
            operation.stage = Stage::Sent;
            operation.started_ns = self.now_ns;
            is_continued = operation.has(CONTINUED) || fixed_count > 0;
            let next = operation.links.next;
            if place == seam && self.blocks.is_in_one_block(place, len) {
                gathered.last.byte_count += len as usize;
                seam.at += len;
            } else if self.gather(&mut gathered, place, 0, len, true) == len {
                seam = self.blocks.place_at(place, len);
            } else {
                if fixed_count == 0 {
                    self.operations.records.at_mut(after).stage = Stage::Queued;
                }
                break;
            }
            byte_count += len;
            count += 1;
            after = next;
        }
        self.store_last(&mut gathered);
        let run = if fixed_count == 0 {
            self.stats.merged_records += u64::from(count - 1);
            count
        } else {
            fixed_count
        };
        let first = self.operations.records.at_mut(leader);
        first.run = run;
        first.vector = gathered.vector;
        Run { gathered, byte_count, after }
    }

    /// Adds up to `want` bytes from `skip` on of the data at `place`, and returns how many. With
    /// `is_whole`, all of them or none.
    pub(super) fn gather(
        &mut self,
        gathered: &mut Gathered,
        place: Place,
        skip: u32,
        want: u32,
        is_whole: bool,
    ) -> u32 {
        let before = *gathered;
        let mut added = 0;
        while added < want {
            let Some(piece) = self.blocks.piece(place, skip + added, want - added) else { break };
            if !self.push_piece(gathered, piece) {
                break;
            }
            added += piece.byte_count as u32;
        }
        if is_whole && added < want {
            *gathered = Gathered { vector: gathered.vector, ..before };
            return 0;
        }
        added
    }

    /// Adds a piece, or extends the last one by it. `false`, and nothing changed, if there is no
    /// room. The last piece is not in the array yet.
    pub(super) fn push_piece(&mut self, gathered: &mut Gathered, piece: Piece) -> bool {
        let last_end = gathered.last.base.wrapping_add(gathered.last.byte_count);
        if gathered.count > 0 && last_end == piece.base {
            gathered.last.byte_count += piece.byte_count;
            return true;
        }
        if gathered.count > 0 {
            if gathered.count == PIECES_PER_VECTOR {
                return false;
            }
            if gathered.vector == NO_VECTOR {
                let Some(vector) = self.vectors.claim() else { return false };
                gathered.vector = vector;
            }
            self.vectors.set(gathered.vector, gathered.count - 1, gathered.last);
        }
        gathered.last = piece;
        gathered.count += 1;
        true
    }

    /// Completes the array with the last piece; a single piece needs none.
    pub(super) fn store_last(&mut self, gathered: &mut Gathered) {
        if gathered.vector == NO_VECTOR {
            return;
        }
        if gathered.count > 1 {
            self.vectors.set(gathered.vector, gathered.count - 1, gathered.last);
        } else {
            self.vectors.release(gathered.vector);
            gathered.vector = NO_VECTOR;
        }
    }

    /// Hands an assembled request to the executor. `Some` is its answer, if it has one already.
    pub(super) fn hand_over<E: Executor>(
        &mut self,
        leader: u32,
        run: &Run,
        executor: &mut E,
    ) -> Option<Answer> {
        self.in_flight += 1;
        self.stats.write_requests += 1;
        let first = self.operations.records.at(leader);
        let id = first.request_id(leader);
        let file = FileSlot(first.file);
        let offset = first.offset + u64::from(first.done);
        let pieces = (&run.gathered, run.byte_count);
        let request = (id, file, WriteKind::Plain);
        let outcome = self.write_pieces(executor, request, pieces, offset);
        outcome.map(|outcome| (id, outcome))
    }

    /// The array of what was gathered, or the one piece.
    #[inline]
    pub(super) fn raw_pieces<'a>(&'a self, gathered: &'a Gathered) -> &'a [Piece] {
        if gathered.vector == NO_VECTOR {
            core::slice::from_ref(&gathered.last)
        } else {
            self.vectors.get(gathered.vector, gathered.count)
        }
    }

    /// Hands gathered pieces to the executor.
    #[allow(unsafe_code)]
    pub(super) fn write_pieces<E: Executor>(
        &self,
        executor: &mut E,
        (id, file, kind): (RequestId, FileSlot, WriteKind),
        (gathered, byte_count): (&Gathered, u32),
        offset: u64,
    ) -> Option<Outcome> {
        let raw = self.raw_pieces(gathered);
        // SAFETY: the pieces lie in blocks that stay with the request's operations until those are
        // finished (writes hold references, a stream holds its chain), and nothing is written to a
        // part of a block that has an owner. The array, if there is one, is claimed until the
        // request is answered.
        let pieces = unsafe { Pieces::new(raw, byte_count) };
        debug_assert!(
            self.files.records.at(u32::from(file.0)).is_aligned(raw, offset),
            "{raw:?} at {offset}"
        );
        executor.write(id, file, pieces, offset, kind)
    }

    /// Hands an assembled request over, and takes its answer if the executor has one already.
    pub(super) fn send<E: Executor>(&mut self, leader: u32, run: &Run, executor: &mut E) {
        if let Some(answer) = self.hand_over(leader, run, executor) {
            self.answered_inline(answer);
        }
    }

    /// An executor answered inside the call.
    #[inline(never)]
    pub(super) fn answered_inline(&mut self, (id, outcome): Answer) {
        self.complete(id, outcome);
    }

    /// Gives the piece array of an answered request back.
    #[inline]
    pub(super) fn release_vector(&mut self, leader: u32) {
        let first = self.operations.records.at_mut(leader);
        if first.vector != NO_VECTOR {
            self.vectors.release(first.vector);
            first.vector = NO_VECTOR;
        }
    }

    /// Spreads `byte_count` written bytes over the run of `leader`: finishes what is complete.
    /// `Some` is the operation that leads what is left.
    #[inline]
    pub(super) fn advance(&mut self, slot: u32, leader: u32, byte_count: u32) -> Option<u32> {
        let file = self.files.records.at_mut(slot);
        if file.writes.head != leader || file.is_indexed {
            return self.advance_singly(leader, byte_count);
        }
        // No write on the list was ever indexed, so each `result` is the length.
        let records = &mut self.operations.records;
        let mut left = byte_count;
        let mut unfinished = records.at(leader).run;
        let (mut index, mut last, mut ended) = (leader, NIL, 0);
        // Neighbours share blocks: references to one are given back together.
        let (mut block, mut references) = (NIL, 0);
        while unfinished > 0 {
            let operation = records.at_mut(index);
            let rest = operation.len - operation.done;
            if left < rest {
                operation.done += left;
                operation.run = unfinished;
                break;
            }
            left -= rest;
            unfinished -= 1;
            operation.stage = Stage::Done;
            if !self.blocks.is_in_one_block(operation.place, operation.len) {
                self.blocks.release(&mut file.packing, operation.place, operation.len);
            } else if operation.place.block == block {
                references += 1;
            } else {
                if references > 0 {
                    self.blocks.release_references(&mut file.packing, block, references);
                }
                (block, references) = (operation.place.block, 1);
            }
            last = index;
            ended += 1;
            index = operation.links.next;
        }
        if references > 0 {
            self.blocks.release_references(&mut file.packing, block, references);
        }
        if ended > 0 {
            file.writes.split_front(records, last);
            self.finished.push_chain(records, leader, last, ended);
            self.something_ended(slot);
        }
        (unfinished > 0).then_some(index)
    }

    /// The same for a run that is not the front part of its list, or is indexed.
    #[inline(never)]
    fn advance_singly(&mut self, leader: u32, byte_count: u32) -> Option<u32> {
        let mut unfinished = self.operations.records.at(leader).run;
        let mut left = byte_count;
        let mut index = leader;
        while unfinished > 0 {
            let operation = self.operations.records.at_mut(index);
            let rest = operation.len - operation.done;
            if left < rest {
                operation.done += left;
                operation.run = unfinished;
                return Some(index);
            }
            left -= rest;
            unfinished -= 1;
            let (len, next) = (operation.len, operation.links.next);
            self.finish(index, Ok(len));
            index = next;
        }
        None
    }

    /// Puts what `leader` leads on the way again.
    #[cold]
    pub(super) fn send_again(&mut self, slot: u32, leader: u32) {
        self.operations.records.at_mut(leader).stage = Stage::Again;
        self.files.records.at_mut(slot).again += 1;
        self.mark_urgent(slot);
    }
}
