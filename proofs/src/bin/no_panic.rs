//! Calls every function of the engine with inputs about which the compiler knows nothing. Links
//! only if no panic is reachable.
#![no_std]
#![no_main]

use ringzero_proofs::{exercise, forbid_panics, opaque, program};

program!(super::run);
forbid_panics!();

fn run(_: usize) -> i32 {
    exercise::all(&mut opaque::Device, &mut opaque::Caller);
    0
}
