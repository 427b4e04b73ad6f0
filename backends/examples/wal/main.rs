//! Writes every line of a file durably to a log, with group commit, and verifies the log.
//!
//! ```text
//! cargo run --release -p ringzero --example wal -- FILE
//! ```
//!
//! It is also the worked example of a program on `ringzero`: how to submit from a loop that never
//! allocates, what to do when a queue is full, what is known after a failure.
//!
//! | file | noun |
//! |---|---|
//! | `args` | the command line |
//! | `source`, `lines` | the input, cut into lines and fragments |
//! | `format` | the log's bytes: pure functions, usable elsewhere |
//! | `writer` | the loop: appends, datasyncs, completions |
//! | `job` | all around the loop: backend, log, audit, what a failure means |
//! | `log_file`, `segments`, `log_reader` | the log as a file, or as a folder of segments |
//! | `verify` | the log against the input |
//! | `progress`, `summary`, `failure` | what is shown |
//! | `platform` | what differs by operating system |
//!
//! In the order of events, so that a failure leaves as little behind as possible: open the input,
//! set up the backend, create the log, write, and only then read it back. The log is the user's: it
//! is kept, whatever happens, unless it holds no record after a failure. A killed run leaves a
//! whole prefix and perhaps a part of one more record, which `format` tells apart.

mod args;
mod failure;
mod format;
mod job;
mod lines;
mod log_file;
mod log_reader;
mod platform;
mod progress;
mod segments;
mod source;
mod summary;
mod verify;
mod writer;

use std::{
    alloc::System,
    fmt::Display,
    io::{Write, stderr, stdout},
    process::ExitCode,
};

use clap::Parser;
use ringzero_alloc_audit::CountingAllocator;

use crate::{
    args::Args,
    failure::Failure,
    job::write,
    progress::Progress,
    source::Source,
    summary::Summary,
    verify::{Expected, verify},
};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new(System);

fn main() -> ExitCode {
    platform::ignore_file_size_signal();
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If this cannot be said, the exit code still says it.
            let _ = writeln!(stderr(), "{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let source = Source::open(&args.file)?;
    let path = args.log_path();
    let written = write(args, source, &path)?;
    print(&Summary { log: &path, written: &written })?;
    if !written.allocations.is_clean() {
        let what = format_args!("the loop used the allocator: {}", written.allocations);
        return Err(Failure::new(what, "report this as a bug; the log itself is complete"));
    }

    let (records, log_bytes) = (written.tally.records, written.tally.bytes);
    let input = written.source.again().transpose();
    let input = input.map_err(|error| Failure::reading("cannot read the input again", &error))?;
    let progress = Progress::start("verifying", Some(log_bytes));
    let expected = Expected { records, log_bytes, digest: written.digest, input };
    let verified = verify(&path, expected, progress.counter())?;
    drop(progress);
    print(&format_args!("verified {verified} of {records} records"))
}

fn print(what: &dyn Display) -> Result<(), Failure> {
    // Not println: it panics where the other end of a pipe is closed.
    writeln!(stdout(), "{what}")
        .map_err(|error| Failure::writing("cannot print the result", &error))
}
