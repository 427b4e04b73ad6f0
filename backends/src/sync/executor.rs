//! [`SyncExecutor`]: carries a request out with one system call, and answers before it returns.
//!
//! # Safety
//! The pieces of a request are readable for as long as its `Pieces` lives, or writable for as long
//! as its `PiecesMut` does. A file that was closed is forgotten by its table.
#![allow(unsafe_code)]

use ringzero_core::{
    Alteration, Errno, Executor, FileSlot, Outcome, Pieces, PiecesMut, RequestId, SyncKind,
    WriteKind,
};

use crate::{files::Files, platform};

/// Executes each request inside the call that hands it over.
pub(super) struct SyncExecutor<'a> {
    pub(super) files: &'a Files,
}

impl Executor for SyncExecutor<'_> {
    #[inline]
    fn room(&self) -> usize {
        usize::MAX
    }

    fn can_write_durably(&self, file: FileSlot) -> bool {
        self.files.get(file).is_some_and(|entry| entry.durable_flags() != 0)
    }

    #[inline]
    fn write(
        &mut self,
        _id: RequestId,
        file: FileSlot,
        pieces: Pieces<'_>,
        offset: u64,
        kind: WriteKind,
    ) -> Option<Outcome> {
        Some(match self.files.get(file) {
            Some(entry) => {
                let durable_flags = match kind {
                    WriteKind::Plain => 0,
                    WriteKind::Durable => entry.durable_flags(),
                };
                let (raw, rw_flags) = (pieces.as_raw(), entry.rw_flags() | durable_flags);
                // SAFETY: `Pieces` vouches for each piece, and outlives the call.
                unsafe { platform::write_pieces_at(entry.file(), raw, offset, rw_flags) }
            }
            None => Err(Errno::BADF),
        })
    }

    fn read(
        &mut self,
        _id: RequestId,
        file: FileSlot,
        pieces: PiecesMut<'_>,
        offset: u64,
    ) -> Option<Outcome> {
        Some(match self.files.get(file) {
            // SAFETY: `PiecesMut` vouches for each piece, and outlives the call.
            Some(entry) => unsafe {
                platform::read_pieces_at(entry.file(), pieces.as_raw(), offset)
            },
            None => Err(Errno::BADF),
        })
    }

    #[inline]
    fn sync(&mut self, _id: RequestId, file: FileSlot, kind: SyncKind) -> Option<Outcome> {
        Some(match self.files.get(file) {
            Some(entry) => platform::sync(entry.file(), kind),
            None => Err(Errno::BADF),
        })
    }

    fn alter(&mut self, _id: RequestId, file: FileSlot, what: Alteration) -> Option<Outcome> {
        Some(match self.files.get(file) {
            // SAFETY: the engine hands out nothing behind a close, and says that the file was
            // closed, so that it is forgotten (`Registry::release`).
            Some(entry) => unsafe { platform::alter(entry.file(), what) },
            None => Err(Errno::BADF),
        })
    }
}
