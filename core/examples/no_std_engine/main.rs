//! The engine without std, without an allocator and with an executor of its own: a recorder that
//! fills a flash chip.
//!
//! ```text
//! cargo run -p ringzero-core --example no_std_engine
//! ```
//!
//! | file | noun |
//! |---|---|
//! | `embedded/recorder` | the loop of the device: submit, start, complete, deliver |
//! | `embedded/flash` | the executor: takes one request at a time and answers ticks later |
//! | `embedded/once` | static memory that is handed out once |
//!
//! Only this file has std, to print. `proofs/run` links the same folder into a program without std
//! and runs it; `proofs/targets` compiles it for processors without an operating system.

#[allow(unreachable_pub, dead_code, reason = "a program without std uses it too")]
mod embedded;

use std::{
    io::{Write, stderr, stdout},
    process::ExitCode,
};

use embedded::recorder::{Report, record};

fn main() -> ExitCode {
    let report = match record() {
        Ok(report) => report,
        Err(flaw) => {
            // If this cannot be said, the exit code still says it.
            let _ = writeln!(stderr(), "the recorder stopped: {flaw:?}");
            return ExitCode::FAILURE;
        }
    };
    let Report { samples, deferred, ticks, write_requests, short_results, sync_requests } = report;
    let printed = writeln!(
        stdout(),
        "{samples} samples recorded and read back, in {ticks} ticks\n\
         {write_requests} writes ({short_results} of them cut short by the end of a page), \
         {sync_requests} syncs\n\
         {deferred} times the engine was full and a sample was kept for the next tick"
    );
    if printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
