//! [`OpenFile`]: the record of one registered file.
//!
//! Invariants, while the handle is known:
//! - `appends`, `writes`, `syncs` and `reads` are each in the order of their tokens; the
//!   alteration, if there is one, is among the syncs, since it has its place in the order as they
//!   have;
//! - appends are adjacent: each begins where the one before it ends, and the last ends at `tail`
//!   (while `append_gate` is `Open`);
//! - while appends are unfinished, `sent` is how far the stream was handed to the executor, and the
//!   lanes hold what of that is unfinished: the older one begins in the oldest append, the other
//!   behind it;
//! - `write_next` is the first write that no start has looked at yet, `NIL` if there is none;
//! - every positional write accepted so far ends at or before `write_end`, and at or before `tail`
//!   unless the tail was put back by a failed append.

use crate::{
    Errno, Piece,
    table::{
        buffer_ring::{Packing, chain::Chain},
        fd_table::{Entry, Serials},
        list::List,
        records::NIL,
    },
};

use super::{executor::Alteration, gap::Gap, lane::Lanes};

/// Whether appends are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppendGate {
    /// Taken.
    Open,
    /// One failed; the request behind it is still with the executor. What comes is cancelled.
    Draining(Errno),
    /// The failure waits for delivery. What comes is cancelled.
    Undelivered(Errno),
    /// The failure was delivered: refused until `resume_append`.
    Refusing(Errno),
    /// The file has no end to append to.
    Never,
}

/// What a sound file takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    /// No write and no append before its alteration has ended.
    Altering,
    /// Nothing but syncs, ever: a directory.
    SyncsOnly,
}

/// A failed write or append that no sync has reported.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) token: u64,
    pub(crate) errno: Errno,
}

/// Why the file is failed, and whether the caller knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Sound,
    /// What comes is cancelled.
    Failed(Errno),
    /// What comes is refused.
    Announced(Errno),
}

/// The record of one file. Opaque; storage is filled with [`OpenFile::EMPTY`].
///
/// ```
/// let files = [ringzero_core::OpenFile::EMPTY; 4];
/// assert_eq!(files.len(), 4);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct OpenFile {
    pub(crate) serials: Serials,
    pub(crate) tail: u64,
    pub(crate) appends: List,
    pub(crate) sent: u64,
    pub(crate) append_gate: AppendGate,
    pub(crate) chain: Chain,
    pub(crate) packing: Packing,
    pub(crate) held: u32,
    pub(crate) limit: u64,
    /// The alignment less one: 0 for a file that takes bytes anywhere.
    pub(crate) mask: u32,
    /// The longest append, in bytes.
    pub(crate) max_append: u32,

    pub(crate) writes: List,
    pub(crate) write_next: u32,
    /// Writes and reads with the flag `BLOCKED`.
    pub(crate) blocked: u32,
    /// The range index has the positional writes in flight or queued.
    pub(crate) is_indexed: bool,
    /// A granule has 2 to the power of this bytes.
    pub(crate) granule_shift: u32,
    /// While it is indexed: writes that reach beyond the granule they begin in.
    pub(crate) crossing: u32,
    /// Of those, the ones longer than a granule, which the range index does not have.
    pub(crate) wide: u32,
    pub(crate) gap: Gap,
    pub(crate) write_end: u64,

    pub(crate) lanes: Lanes,
    /// The syncs, and the alteration.
    pub(crate) syncs: List,
    /// The unfinished alteration's record, `NIL` if there is none.
    pub(crate) altering: u32,
    /// What that does.
    pub(crate) alteration: Alteration,
    pub(crate) gate: Gate,
    /// Syncs at the front of `syncs` that the OS call in flight serves, or the durable write.
    pub(crate) flying: u32,
    /// Writes and reads in stage `Again`.
    pub(crate) again: u32,
    /// The tail when the newest sync was accepted.
    pub(crate) sync_tail: u64,
    /// The furthest tail that a sync which succeeded was accepted at. Not above `tail`.
    pub(crate) durable_tail: u64,
    pub(crate) unreported: Option<Failure>,
    pub(crate) health: Health,
    /// The furthest that appends, and the padding behind them, were handed to the executor.
    pub(crate) sent_end: u64,
    /// Operations of earlier registrations of this slot, finished and not delivered.
    pub(crate) orphans: u32,
    pub(crate) is_segment: bool,
    pub(crate) is_ready: bool,
    pub(crate) is_urgent: bool,
    /// A sync was accepted since the last positional write was.
    pub(crate) is_fenced: bool,
    pub(crate) had_full_sync: bool,
    /// Something was handed over as a plain write, and no data-sync since covers all of that.
    pub(crate) is_unsynced: bool,
    /// It was altered, or is being altered, and no data-sync that began after that was a full one.
    pub(crate) was_altered: bool,
    /// The executor has closed it.
    pub(crate) was_closed: bool,
    /// Reasons not to send a durable write: syncs that ask for all metadata, and the alteration,
    /// while they are unfinished; and that the file takes none, once that is known.
    pub(crate) durable_obstacles: u32,

    pub(crate) reads: List,
    /// The file has at least as many bytes, as far as the engine knows.
    pub(crate) settled_end: u64,
    /// The first read that is queued and that no start has looked at since it may run, or `NIL`.
    pub(crate) read_next: u32,
    /// Reads with the flag `BLOCKED`.
    pub(crate) blocked_reads: u32,
    /// Reads that were delivered and not released, of earlier registrations too.
    pub(crate) kept_reads: u32,
}

impl OpenFile {
    /// A slot with no file.
    pub const EMPTY: Self = Self {
        serials: Serials::FREE,
        tail: 0,
        appends: List::EMPTY,
        sent: 0,
        append_gate: AppendGate::Open,
        chain: Chain::EMPTY,
        packing: Packing::EMPTY,
        held: 0,
        limit: 0,
        mask: 0,
        max_append: 0,
        writes: List::EMPTY,
        write_next: NIL,
        blocked: 0,
        is_indexed: false,
        granule_shift: 0,
        crossing: 0,
        wide: 0,
        gap: Gap::ALL,
        write_end: 0,
        lanes: Lanes::EMPTY,
        syncs: List::EMPTY,
        altering: NIL,
        alteration: Alteration::Close,
        gate: Gate::Open,
        flying: 0,
        again: 0,
        sync_tail: 0,
        durable_tail: 0,
        unreported: None,
        health: Health::Sound,
        sent_end: 0,
        orphans: 0,
        is_segment: false,
        is_ready: false,
        is_urgent: false,
        is_fenced: false,
        had_full_sync: false,
        is_unsynced: false,
        was_altered: false,
        was_closed: false,
        durable_obstacles: 0,
        reads: List::EMPTY,
        settled_end: 0,
        read_next: NIL,
        blocked_reads: 0,
        kept_reads: 0,
    };

    /// The last position up to `position` that requests of this file may begin or end at.
    #[inline]
    pub(crate) const fn floor(&self, position: u64) -> u64 {
        position & !(self.mask as u64)
    }

    /// How many bytes `position` is beyond [`OpenFile::floor`].
    #[inline]
    pub(crate) const fn beyond_floor(&self, position: u64) -> u32 {
        position as u32 & self.mask
    }

    /// Whether a request is what this file's alignment asks for.
    pub(crate) fn is_aligned(&self, pieces: &[Piece], offset: u64) -> bool {
        let bits = pieces.iter().map(|piece| piece.base.addr() | piece.byte_count);
        bits.fold(offset as usize, |all, bits| all | bits) & self.mask as usize == 0
    }

    /// Whether appends were stopped: what is not with the executor will not be.
    pub(crate) fn is_stream_stopped(&self) -> bool {
        self.append_gate != AppendGate::Open || self.health != Health::Sound
    }

    /// Whether a write or append is queued or in flight.
    #[inline]
    pub(crate) const fn has_queued(&self) -> bool {
        self.appends.head & self.writes.head != NIL
    }

    /// Nothing accepted on this file is unfinished.
    pub(crate) const fn is_idle(&self) -> bool {
        self.appends.is_empty()
            && self.writes.is_empty()
            && self.syncs.is_empty()
            && self.reads.is_empty()
    }
}

impl Entry for OpenFile {
    #[inline]
    fn serials(&self) -> &Serials {
        &self.serials
    }

    #[inline]
    fn serials_mut(&mut self) -> &mut Serials {
        &mut self.serials
    }
}
