//! [`Lane`]: one of the append requests in flight on a file; [`Lanes`]: both of them, and which is
//! the older one.
//!
//! Two, because with one a wake-up is wasted per batch, and a third gains nothing.
//!
//! Invariant: if the older lane is empty, so is the other.

use super::executor::Outcome;
use crate::{Errno, RequestId, table::piece_table::NO_VECTOR};

/// How far one of the append requests is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LaneStage {
    /// No request.
    Empty,
    /// With the executor.
    Sent,
    /// Answered, but not to be looked at before the request ahead of it.
    Landed(Outcome),
    /// Was with the executor; the rest goes out again at once.
    Again,
}

/// What a request of the stream carries beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fusion {
    /// Nothing: a plain write.
    None,
    /// Their data-sync: a durable write.
    Fused,
    /// It was a durable write, and this was the answer. It goes out again as a plain write, to
    /// find out which half of it failed.
    Doubted(Errno),
}

/// One of the append requests in flight: a range of the stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lane {
    /// What is still to be written.
    pub(crate) begin: u64,
    pub(crate) end: u64,
    /// Tells this request from every other.
    pub(crate) id: RequestId,
    pub(crate) started_ns: u64,
    pub(crate) stage: LaneStage,
    /// The piece array, or `NO_VECTOR`.
    pub(crate) vector: u16,
    /// Times it was sent in vain since it last made progress.
    pub(crate) attempts: u8,
    pub(crate) fusion: Fusion,
}

impl Lane {
    pub(crate) const EMPTY: Self = Self {
        begin: 0,
        end: 0,
        id: RequestId::from_u64(RequestId::NONE),
        started_ns: 0,
        stage: LaneStage::Empty,
        vector: NO_VECTOR,
        attempts: 0,
        fusion: Fusion::None,
    };

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.stage == LaneStage::Empty
    }
}

/// Both lanes of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lanes {
    even: Lane,
    odd: Lane,
    /// 0 or 1.
    older: usize,
}

impl Lanes {
    pub(crate) const EMPTY: Self = Self { even: Lane::EMPTY, odd: Lane::EMPTY, older: 0 };

    /// The number of the older lane.
    #[inline]
    pub(crate) const fn older(&self) -> usize {
        self.older
    }

    /// The number of an empty lane, if there is one.
    #[inline]
    pub(crate) fn free(&self) -> Option<usize> {
        [self.older, self.older ^ 1].into_iter().find(|&lane| self.get(lane).is_empty())
    }

    /// Lane 0 or 1.
    #[inline]
    pub(crate) const fn get(&self, lane: usize) -> &Lane {
        if lane == 0 { &self.even } else { &self.odd }
    }

    /// Lane 0 or 1, to change.
    #[inline]
    pub(crate) const fn get_mut(&mut self, lane: usize) -> &mut Lane {
        if lane == 0 { &mut self.even } else { &mut self.odd }
    }

    /// The older lane is done: the other one is the older now.
    #[inline]
    pub(crate) const fn turn(&mut self) {
        self.older ^= 1;
    }

    /// Whether a part of the stream is with the executor, or goes there again.
    #[inline]
    pub(crate) fn has_request(&self) -> bool {
        !self.get(self.older).is_empty()
    }

    /// When the request that is longest with the executor was handed over.
    pub(crate) fn oldest_sent_ns(&self) -> Option<u64> {
        let sent = |lane: &&Lane| lane.stage == LaneStage::Sent;
        [&self.even, &self.odd].into_iter().filter(sent).map(|lane| lane.started_ns).min()
    }
}
