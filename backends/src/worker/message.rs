//! What travels between the caller's thread and an I/O thread: [`Request`] and [`Answer`].
//!
//! Plain data that fits the slots of a queue: a request names its file by descriptor and its bytes
//! by address, and owns neither.
//!
//! # Safety
//! A request is carried out as long as its file is open and its bytes are in place. Who keeps them
//! so until the answer: the engine for bytes and arrays (`Executor::write`, `Executor::read`), the
//! files' table for descriptors, and the driver for both when a backend ends: it leaks them while a
//! thread may still carry out a request (`Transport::retire`). After a close the engine hands out
//! nothing of the file and says so, and the files' table forgets it (`Registry::release`).
#![allow(unsafe_code)]

use std::slice;

use ringzero_core::{Alteration, FileSlot, Outcome, Piece, Pieces, PiecesMut, RequestId, SyncKind};

use crate::platform::{self, Descriptor};

/// How a request names its file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) descriptor: Descriptor,
    /// Flags of pwritev2(2) for its writes.
    pub(super) rw_flags: i32,
    /// Those that a durable write has besides; 0 if it takes none.
    pub(super) durable_flags: i32,
}

impl Target {
    /// The same for a durable write.
    #[inline]
    pub(super) const fn durable(self) -> Self {
        Self { rw_flags: self.rw_flags | self.durable_flags, ..self }
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Job {
    /// Writes one piece at an offset.
    Piece(Piece, u64),
    /// Writes several pieces at an offset: the address of their array, and how many.
    Array(*const Piece, u32, u64),
    /// Reads into one piece from an offset.
    ReadPiece(Piece, u64),
    /// Reads into several pieces from an offset: the address of their array, and how many.
    ReadArray(*const Piece, u32, u64),
    Sync(SyncKind),
    Alter(Alteration),
}

impl Job {
    /// To write `pieces` at `offset`.
    #[inline]
    pub(super) const fn write(pieces: Pieces<'_>, offset: u64) -> Self {
        match pieces.as_raw() {
            [piece] => Self::Piece(*piece, offset),
            array => Self::Array(array.as_ptr(), array.len() as u32, offset),
        }
    }

    /// To read into `pieces` from `offset` on.
    #[inline]
    pub(super) const fn read(pieces: &PiecesMut<'_>, offset: u64) -> Self {
        match pieces.as_raw() {
            [piece] => Self::ReadPiece(*piece, offset),
            array => Self::ReadArray(array.as_ptr(), array.len() as u32, offset),
        }
    }
}

/// On its way to an I/O thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) id: RequestId,
    pub(super) file: FileSlot,
    pub(super) target: Target,
    pub(super) job: Job,
}

// SAFETY: the addresses are of memory that belongs to no thread, and that only the request touches
// while it is carried out (or others read, if it is a write).
unsafe impl Send for Request {}

/// On its way back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) id: RequestId,
    pub(super) file: FileSlot,
    pub(super) outcome: Outcome,
}

impl Request {
    /// Does it, and says what the operating system said.
    ///
    /// # Safety
    /// The file is open and the bytes, and the array, are in place until this returns; those of a
    /// read are nobody else's. After a close nobody uses the file, and its table forgets it.
    pub(super) unsafe fn carry_out(&self) -> Answer {
        let Self { id, file, target, job } = *self;
        let Target { descriptor, rw_flags, .. } = target;
        // SAFETY: the file is open (the caller's promise).
        let open = unsafe { descriptor.file() };
        let outcome = match job {
            Job::Sync(kind) => platform::sync(&open, kind),
            // SAFETY: nothing of the file follows a close, and its table forgets it (the caller's
            // promise).
            Job::Alter(what) => unsafe { platform::alter(&open, what) },
            Job::Piece(piece, offset) => {
                let pieces = slice::from_ref(&piece);
                // SAFETY: the bytes are in place (the caller's promise).
                unsafe { platform::write_pieces_at(&open, pieces, offset, rw_flags) }
            }
            Job::Array(array, count, offset) => {
                // SAFETY: the array is in place (the caller's promise), of `count` elements.
                let pieces = unsafe { slice::from_raw_parts(array, count as usize) };
                // SAFETY: the bytes are in place (the caller's promise).
                unsafe { platform::write_pieces_at(&open, pieces, offset, rw_flags) }
            }
            Job::ReadPiece(piece, offset) => {
                // SAFETY: the bytes are in place, and nobody else's (the caller's promise).
                unsafe { platform::read_pieces_at(&open, slice::from_ref(&piece), offset) }
            }
            Job::ReadArray(array, count, offset) => {
                // SAFETY: the array is in place (the caller's promise), of `count` elements.
                let pieces = unsafe { slice::from_raw_parts(array, count as usize) };
                // SAFETY: the bytes are in place, and nobody else's (the caller's promise).
                unsafe { platform::read_pieces_at(&open, pieces, offset) }
            }
        };
        Answer { id, file, outcome }
    }
}
