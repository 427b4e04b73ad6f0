//! [`Handoff`]: requests of the engine → the disk; the executor of a scripted backend.

use ringzero_core::{
    Alteration, Executor, FileSlot, Outcome, Pieces, PiecesMut, RequestId, SyncKind, WriteKind,
};

use crate::disk::{Ask, Disk, ScriptedFile};

/// The executor: hands requests to the disk.
#[derive(Debug)]
pub(super) struct Handoff {
    pub(super) disk: Disk,
    pub(super) owner: u64,
    pub(super) files: Vec<Option<ScriptedFile>>,
}

impl Handoff {
    fn inode(&self, file: FileSlot) -> usize {
        self.files[file.index()].as_ref().expect("a request of a file that is open").inode
    }

    /// Gives the request to the disk; the answer, if it comes at once.
    fn begin(
        &self,
        id: RequestId,
        inode: usize,
        ask: Ask,
        data: &[ringzero_core::Piece],
    ) -> Option<Outcome> {
        let mut state = self.disk.state();
        let number = state.begin(self.owner, id.to_u64(), inode, ask, data.to_vec());
        let is_at_once = state.rough.as_mut().is_some_and(|r| r.choices.chance(r.at_once));
        is_at_once.then(|| state.end(number).1)
    }
}

impl Executor for Handoff {
    fn room(&self) -> usize {
        let state = self.disk.state();
        match state.room {
            0 => usize::MAX,
            room => room.saturating_sub(state.pending.len()),
        }
    }

    fn can_write_durably(&self, _file: FileSlot) -> bool {
        true
    }

    fn write(
        &mut self,
        id: RequestId,
        file: FileSlot,
        pieces: Pieces<'_>,
        offset: u64,
        kind: WriteKind,
    ) -> Option<Outcome> {
        let raw = pieces.as_raw();
        let sum: usize = raw.iter().map(|piece| piece.byte_count).sum();
        assert_eq!(sum, pieces.byte_count() as usize, "the pieces add up");
        assert!(raw.iter().all(|piece| piece.byte_count > 0), "no empty piece");
        assert!((1..=17).contains(&raw.len()), "{} pieces", raw.len());
        let ask = Ask::Write { offset, len: sum as u64, pieces: raw.len(), kind };
        self.begin(id, self.inode(file), ask, raw)
    }

    fn read(
        &mut self,
        id: RequestId,
        file: FileSlot,
        pieces: PiecesMut<'_>,
        offset: u64,
    ) -> Option<Outcome> {
        let raw = pieces.as_raw();
        let sum: usize = raw.iter().map(|piece| piece.byte_count).sum();
        assert_eq!(sum, pieces.byte_count() as usize, "the pieces add up");
        assert!((1..=17).contains(&raw.len()), "{} pieces", raw.len());
        let ask = Ask::Read { offset, len: sum as u64, pieces: raw.len() };
        self.begin(id, self.inode(file), ask, raw)
    }

    fn sync(&mut self, id: RequestId, file: FileSlot, kind: SyncKind) -> Option<Outcome> {
        self.begin(id, self.inode(file), Ask::Sync(kind), &[])
    }

    fn alter(&mut self, id: RequestId, file: FileSlot, what: Alteration) -> Option<Outcome> {
        self.begin(id, self.inode(file), Ask::Alter(what), &[])
    }
}
