//! An executor and a sink about which the compiler knows nothing, so that it cannot conclude that a
//! panic in the engine is out of reach.

use core::hint::black_box;

use ringzero_core::{
    Alteration, CompletionSink, Executor, FileSlot, IoCompletion, Outcome, Pieces, RequestId,
    SyncKind, WriteKind,
};

/// An executor whose every answer is unknown until it runs.
#[derive(Debug)]
pub struct Device;

impl Executor for Device {
    fn room(&self) -> usize {
        black_box(1)
    }

    fn can_write_durably(&self, file: FileSlot) -> bool {
        black_box(file.index()) == 0
    }

    fn write(
        &mut self,
        id: RequestId,
        file: FileSlot,
        pieces: Pieces<'_>,
        offset: u64,
        kind: WriteKind,
    ) -> Option<Outcome> {
        black_box((id.to_u64(), file.index(), pieces.as_raw(), offset, kind));
        for bytes in pieces.iter() {
            black_box(bytes);
        }
        black_box(Some(Ok(pieces.byte_count())))
    }

    fn sync(&mut self, id: RequestId, file: FileSlot, kind: SyncKind) -> Option<Outcome> {
        black_box((id.to_u64(), file.index(), kind));
        black_box(Some(Ok(0)))
    }

    fn alter(&mut self, id: RequestId, file: FileSlot, what: Alteration) -> Option<Outcome> {
        black_box((id.to_u64(), file.index(), what));
        black_box(Some(Ok(0)))
    }
}

/// A sink that says it took any number.
#[derive(Debug)]
pub struct Caller;

impl CompletionSink for Caller {
    fn take(&mut self, batch: &[IoCompletion]) -> usize {
        for completion in batch {
            let _ = black_box(completion.outcome());
        }
        black_box(batch.len())
    }
}
