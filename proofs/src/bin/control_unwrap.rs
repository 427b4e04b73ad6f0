//! Must not link: as `no_panic`, with a sink that unwraps.
#![no_std]
#![no_main]

use core::hint::black_box;

use ringzero_core::{CompletionSink, IoCompletion};
use ringzero_proofs::{exercise, forbid_panics, opaque, program};

program!(super::run);
forbid_panics!();

struct Careless;

impl CompletionSink for Careless {
    #[allow(clippy::unwrap_used)]
    fn take(&mut self, batch: &[IoCompletion]) -> usize {
        black_box(batch.first().unwrap());
        batch.len()
    }
}

fn run(_: usize) -> i32 {
    exercise::all(&mut opaque::Device, &mut Careless);
    0
}
