//! Runs the engine without std and without an allocator. Exit code 0: every result was right.
//!
//! That it links is half of the proof: nothing in its graph may need std or alloc. With any
//! argument the disk spoils one byte, and the program must notice (exit code 1).
#![no_std]
#![no_main]

use core::{fmt::Write, panic::PanicInfo};

use ringzero_proofs::{
    disk::Honesty,
    program,
    scenario::{self, Flaw},
    system::{StandardError, exit},
};

program!(super::run);

fn run(argument_count: usize) -> i32 {
    let honesty = if argument_count > 1 { Honesty::SpoilsOneByte } else { Honesty::Honest };
    match scenario::play(honesty) {
        Ok(()) => 0,
        Err(Flaw(what)) => {
            let _ = writeln!(StandardError, "no_std: wrong: {what}");
            1
        }
    }
}

#[panic_handler]
fn on_panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(StandardError, "no_std: {info}");
    exit(101)
}
