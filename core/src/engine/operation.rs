//! [`Operation`]: the record of one accepted token, from acceptance to delivery.
//!
//! A record is one cache line and is on exactly one list at a time: free; its file's appends,
//! writes, syncs (where alterations are too) or reads; or the completion queue. Writes that leave
//! together form a *run*: consecutive records of the list, adjacent in the file, whose first one
//! leads the request. Appends leave as ranges of their file's stream (`lane::Lane`); of theirs,
//! stage, place and run mean nothing. What the fields of a read mean is in `read`; of a kept one,
//! `run` is how many bytes it has read.

use crate::{
    IoCompletion,
    id::RequestId,
    table::{
        buffer_ring::Place,
        completion_queue::Finished,
        list::{Links, Node},
        piece_table::NO_VECTOR,
        range_index::{Chained, Link},
        records::NIL,
    },
};

/// What was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Write,
    Append,
    Sync,
    Read,
    /// What it does is in its file's record.
    Alter,
}

/// How far an operation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stage {
    /// Accepted, not yet with the executor.
    Queued,
    /// With the executor; the leader of the run has the request.
    Sent,
    /// A write that is with the executor in a request of its own: all of it, in one piece. Its
    /// `run` and `vector` are set when the answer is anything but that it is written.
    SentSingly,
    /// Was with the executor and goes out again at once.
    Again,
    /// Finished: on the completion queue.
    Done,
    /// A read that was delivered and not released: on no list, but in the index, under its token.
    Kept,
}

/// Overlaps something accepted earlier: waits until it is older than what it may have to wait for.
pub(crate) const BLOCKED: u8 = 1;
/// Goes out in a request of its own: what it was merged with failed.
pub(crate) const ALONE: u8 = 2;
/// The operation behind it on its list begins where it ends, and may leave in the same request.
pub(crate) const CONTINUED: u8 = 4;
/// Its delivery makes the file refuse submissions.
pub(crate) const ANNOUNCES_FAILURE: u8 = 8;
/// Its delivery makes the file refuse appends.
pub(crate) const ANNOUNCES_APPEND_FAILURE: u8 = 16;
/// Its file's slot has been given back.
pub(crate) const ORPHAN: u8 = 32;
/// A sync that asks for all metadata too.
pub(crate) const FULL: u8 = 64;
/// A read: its delivery does not end it if it succeeded.
pub(crate) const HAS_BYTES: u8 = 128;
/// What delivery has to look at.
pub(crate) const NOTABLE: u8 = ANNOUNCES_FAILURE | ANNOUNCES_APPEND_FAILURE | ORPHAN | HAS_BYTES;

/// The record of one operation. Opaque; storage is filled with [`Operation::EMPTY`].
///
/// ```
/// let operations = [ringzero_core::Operation::EMPTY; 4];
/// assert_eq!(operations.len(), 4);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    pub(crate) token: u64,
    /// Where in the file it begins. Of a sync: the tail when it was accepted or, if `result` is a
    /// failure, the token of that.
    pub(crate) offset: u64,
    /// When it was handed to the executor.
    pub(crate) started_ns: u64,
    pub(crate) links: Links,
    pub(crate) len: u32,
    /// Bytes of `len` that are written. Of a close: 1 once the file is cut back, or need not be.
    pub(crate) done: u32,
    pub(crate) place: Place,
    /// Operations in the request it leads, 0 if it leads none.
    pub(crate) run: u32,
    /// What the completion says. Until then, of an append: its length; of a sync: the failure it
    /// will report, or 0; of a close: the error of cutting back, or 0; of a write on a file that is
    /// indexed, or a kept read: its link there; of another read: the most that it returns.
    pub(crate) result: i32,
    pub(crate) file: u16,
    pub(crate) vector: u16,
    pub(crate) kind: Kind,
    pub(crate) stage: Stage,
    pub(crate) flags: u8,
    /// Times it was retried since it last made progress.
    pub(crate) attempts: u8,
}

static_assertions::assert_eq_size!(Operation, [u8; 64]);

impl Operation {
    /// An operation in no use.
    pub const EMPTY: Self = Self {
        token: 0,
        offset: 0,
        started_ns: 0,
        links: Links::NONE,
        len: 0,
        done: 0,
        place: Place { block: NIL, at: 0 },
        run: 0,
        result: 0,
        file: 0,
        vector: NO_VECTOR,
        kind: Kind::Write,
        stage: Stage::Done,
        flags: 0,
        attempts: 0,
    };

    /// Makes this record that of a queued write or append. What is only read after it was handed
    /// over or finished is left as it is.
    #[inline]
    pub(crate) fn begin(
        &mut self,
        (token, kind, file): (u64, Kind, u16),
        (offset, len): (u64, u32),
        (links, place): (Links, Place),
    ) {
        self.token = token;
        self.offset = offset;
        self.links = links;
        self.len = len;
        self.done = 0;
        self.place = place;
        self.run = 0;
        self.result = len as i32;
        self.file = file;
        self.kind = kind;
        self.stage = Stage::Queued;
        self.flags = 0;
        self.attempts = 0;
    }

    #[inline]
    pub(crate) const fn end(&self) -> u64 {
        self.offset + self.len as u64
    }

    #[inline]
    pub(crate) const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    #[inline]
    pub(crate) const fn request_id(&self, index: u32) -> RequestId {
        RequestId::new(self.token, index)
    }
}

impl Node for Operation {
    #[inline]
    fn links(&self) -> &Links {
        &self.links
    }

    #[inline]
    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }
}

impl Chained for Operation {
    #[inline]
    fn link(&self) -> Link {
        Link::from_i32(self.result)
    }

    #[inline]
    fn link_to(&mut self, link: Link) {
        self.result = link.to_i32();
    }
}

impl Finished for Operation {
    #[inline]
    fn completion(&self) -> IoCompletion {
        IoCompletion { token: self.token, result: self.result }
    }
}
