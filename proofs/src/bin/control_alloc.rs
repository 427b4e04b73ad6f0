//! Must not build: alloc needs an allocator, and there is none.
#![no_std]
#![no_main]

#[allow(unused_extern_crates)]
extern crate alloc;

use ringzero_proofs::{forbid_panics, program};

program!(super::run);
forbid_panics!();

fn run(_: usize) -> i32 {
    0
}
