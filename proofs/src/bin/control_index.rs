//! Must not link: as `no_panic`, with an executor that indexes without a check.
#![no_std]
#![no_main]

use core::hint::black_box;

use ringzero_core::{Executor, FileSlot, Outcome, Pieces, RequestId, SyncKind, WriteKind};
use ringzero_proofs::{exercise, forbid_panics, opaque, program};

program!(super::run);
forbid_panics!();

struct Careless([u32; 4]);

impl Executor for Careless {
    fn room(&self) -> usize {
        black_box(1)
    }

    #[allow(clippy::indexing_slicing)]
    fn write(
        &mut self,
        _: RequestId,
        file: FileSlot,
        _: Pieces<'_>,
        _: u64,
        _: WriteKind,
    ) -> Option<Outcome> {
        black_box(self.0[file.index()]);
        None
    }

    fn sync(&mut self, _: RequestId, _: FileSlot, _: SyncKind) -> Option<Outcome> {
        None
    }
}

fn run(_: usize) -> i32 {
    exercise::all(&mut Careless([0; 4]), &mut opaque::Caller);
    0
}
