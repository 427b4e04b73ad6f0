//! [`SyncExecutor`]: carries a request out with one system call, and answers before it returns.
//!
//! # Safety
//! The pieces of a request are readable for as long as its `Pieces` lives.
#![allow(unsafe_code)]

use ringzero_core::{Errno, Executor, FileSlot, Outcome, Pieces, RequestId, SyncKind};

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

    #[inline]
    fn write(
        &mut self,
        _id: RequestId,
        file: FileSlot,
        pieces: Pieces<'_>,
        offset: u64,
    ) -> Option<Outcome> {
        Some(match self.files.get(file) {
            Some(entry) => {
                let (raw, rw_flags) = (pieces.as_raw(), entry.rw_flags());
                // SAFETY: `Pieces` vouches for each piece, and outlives the call.
                unsafe { platform::write_pieces_at(entry.file(), raw, offset, rw_flags) }
            }
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
}
