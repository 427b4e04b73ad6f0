//! The example `no_std_engine`, without std and without an allocator. Exit code 0: every sample was
//! recorded and read back.
//!
//! With any argument it asks for a second recorder, whose memory the first one has: it must be
//! refused (exit code 1).
#![no_std]
#![no_main]

use core::{fmt::Write, panic::PanicInfo};

use ringzero_proofs::{
    embedded::recorder::record,
    program,
    system::{StandardError, exit},
};

program!(super::run);

fn run(argument_count: usize) -> i32 {
    for _ in 0..argument_count {
        if let Err(flaw) = record() {
            let _ = writeln!(StandardError, "no_std_engine: the recorder stopped: {flaw:?}");
            return 1;
        }
    }
    0
}

#[panic_handler]
fn on_panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(StandardError, "no_std_engine: {info}");
    exit(101)
}
