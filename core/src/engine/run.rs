//! Adjacent operations → one request.
//!
//! A *run* is a row of operations of one list, each beginning in the file where the one before it
//! ends. Their data is gathered into as few contiguous pieces as it has in the blocks: packed
//! neighbours make one piece. The first operation leads: it has the request id, the piece array and
//! the number of operations.
//!
//! Worked example: three appends of 40 KiB lie in blocks of 64 KiB at block 0 byte 0, block 0 byte
//! 40 Ki and block 1 byte 16 Ki. They leave as one request of 120 KiB in two pieces (or one, if the
//! blocks are neighbours). The kernel writes 50 KiB: the first append is finished, 10 KiB of the
//! second are done, and it leads the request for the rest.
//!
//! A request ends before an operation that would not fit whole (1 MiB, 17 pieces, or no piece array
//! left), except that its leader may go in parts.

use super::{
    Engine,
    executor::Executor,
    operation::{ALONE, BLOCKED, FENCED, Operation, Stage},
    storage::Storage,
};
use crate::{
    FileSlot, Piece, Pieces,
    limits::{MAX_REQUEST_BYTES, PIECES_PER_VECTOR},
    table::{buffer_ring::Place, piece_table::NO_VECTOR, records::NIL},
};

/// The data of a request being assembled.
#[derive(Clone, Copy)]
struct Gathered {
    /// The last piece; with `vector == NO_VECTOR`, the only one.
    last: Piece,
    count: usize,
    vector: u16,
}

/// A request, assembled.
pub(super) struct Run {
    gathered: Gathered,
    pub(super) byte_count: u32,
    /// The operation behind the run.
    pub(super) after: u32,
}

/// Whether `next` may leave in the request of `before`, which it follows on their list.
#[inline]
fn joins(before: &Operation, next: &Operation) -> bool {
    next.stage == Stage::Queued
        && next.flags & (BLOCKED | ALONE | FENCED) == 0
        && before.flags & ALONE == 0
        && next.offset == before.end()
        && next.len > 0
}

impl<S: Storage> Engine<S> {
    /// Assembles the request that `leader` leads: itself and those queued behind it that join it;
    /// or, if it goes out again, what is left of its run. All of them become `Sent`.
    #[inline]
    pub(super) fn assemble(&mut self, leader: u32) -> Run {
        let first = self.operations.records.at_mut(leader);
        // A run that goes out again keeps its operations; a new one takes whoever joins.
        let fixed_count = if first.stage == Stage::Again { first.run } else { 0 };
        let mut gathered = Gathered { last: Piece::EMPTY, count: 0, vector: NO_VECTOR };
        let mut index = leader;
        let mut count = 0;
        let mut byte_count = 0;
        let after = loop {
            let operation = self.operations.records.at_mut(index);
            let (place, done, next) = (operation.place, operation.done, operation.links.next);
            let rest = operation.len - done;
            if count > 0 && byte_count + rest > MAX_REQUEST_BYTES {
                break index;
            }
            let want = rest.min(MAX_REQUEST_BYTES);
            let added = gather(self, &mut gathered, place, done, want, count > 0);
            if added == 0 {
                break index;
            }
            let operation = self.operations.records.at_mut(index);
            operation.stage = Stage::Sent;
            operation.started_ns = self.now_ns;
            byte_count += added;
            count += 1;
            if added < rest || count == fixed_count || next == NIL {
                break next;
            }
            let operation = self.operations.records.at(index);
            if fixed_count == 0 && !joins(operation, self.operations.records.at(next)) {
                break next;
            }
            index = next;
        };
        if gathered.count == 1 && gathered.vector != NO_VECTOR {
            self.vectors.release(gathered.vector);
            gathered.vector = NO_VECTOR;
        }
        if fixed_count == 0 {
            self.stats.merged_records += u64::from(count.max(1) - 1);
        }
        let first = self.operations.records.at_mut(leader);
        first.run = if fixed_count == 0 { count } else { fixed_count };
        first.vector = gathered.vector;
        first.stage = Stage::Sent;
        Run { gathered, byte_count, after }
    }

    /// Hands an assembled request to the executor, and takes its answer if it has one already.
    #[inline]
    #[allow(unsafe_code)]
    pub(super) fn hand_over<E: Executor>(&mut self, leader: u32, run: &Run, executor: &mut E) {
        self.in_flight += 1;
        self.stats.in_flight_peak = self.stats.in_flight_peak.max(self.in_flight);
        self.stats.write_requests += 1;
        let first = self.operations.records.at(leader);
        let id = first.request_id(leader);
        let file = FileSlot(first.file);
        let offset = first.offset + u64::from(first.done);
        let Gathered { last, count, vector } = run.gathered;
        let raw = if vector == NO_VECTOR {
            core::slice::from_ref(&last)
        } else {
            self.vectors.get(vector, count)
        };
        // SAFETY: the pieces lie in blocks on which the run's operations hold references until
        // they are finished, and nothing writes to a part of a block that has an owner. The array,
        // if there is one, is claimed until the request is answered.
        let pieces = unsafe { Pieces::new(raw, run.byte_count) };
        if let Some(outcome) = executor.write(id, file, pieces, offset) {
            self.complete(id, outcome);
        }
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
    pub(super) fn advance(&mut self, leader: u32, byte_count: u32) -> Option<u32> {
        let mut left = byte_count;
        let mut index = leader;
        let mut count = self.operations.records.at(leader).run;
        while count > 0 {
            let operation = self.operations.records.at_mut(index);
            let rest = operation.len - operation.done;
            if left < rest {
                operation.done += left;
                operation.run = count;
                return Some(index);
            }
            left -= rest;
            count -= 1;
            let next = operation.links.next;
            let len = operation.len;
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

/// Adds up to `want` bytes from `skip` on of the data at `place`, and returns how many. With
/// `is_whole`, all of them or none.
#[inline]
fn gather<S: Storage>(
    engine: &mut Engine<S>,
    gathered: &mut Gathered,
    place: Place,
    skip: u32,
    want: u32,
    is_whole: bool,
) -> u32 {
    let before = *gathered;
    let mut added = 0;
    while added < want {
        let Some(piece) = engine.blocks.piece(place, skip + added, want - added) else { break };
        if !push_piece(engine, gathered, piece) {
            break;
        }
        added += piece.byte_count as u32;
    }
    if is_whole && added < want {
        let vector = gathered.vector;
        *gathered = Gathered { vector, ..before };
        if vector != NO_VECTOR {
            engine.vectors.set(vector, before.count - 1, before.last);
        }
        return 0;
    }
    added
}

/// Adds a piece, or extends the last one by it. `false`, and nothing changed, if there is no room.
#[inline]
fn push_piece<S: Storage>(engine: &mut Engine<S>, gathered: &mut Gathered, piece: Piece) -> bool {
    if gathered.count == 0 {
        gathered.last = piece;
        gathered.count = 1;
        return true;
    }
    let last_end = gathered.last.base.wrapping_add(gathered.last.byte_count);
    if last_end == piece.base {
        gathered.last.byte_count += piece.byte_count;
        if gathered.vector != NO_VECTOR {
            engine.vectors.set(gathered.vector, gathered.count - 1, gathered.last);
        }
        return true;
    }
    if gathered.vector == NO_VECTOR {
        let Some(vector) = engine.vectors.claim() else { return false };
        engine.vectors.set(vector, 0, gathered.last);
        gathered.vector = vector;
    }
    if gathered.count == PIECES_PER_VECTOR {
        return false;
    }
    engine.vectors.set(gathered.vector, gathered.count, piece);
    gathered.last = piece;
    gathered.count += 1;
    true
}
