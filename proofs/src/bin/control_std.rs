//! Must not build: std brings a panic handler of its own (E0152).
#![no_std]
#![no_main]

#[allow(unused_extern_crates)]
extern crate std;

use ringzero_proofs::{forbid_panics, program};

program!(super::run);
forbid_panics!();

fn run(_: usize) -> i32 {
    0
}
