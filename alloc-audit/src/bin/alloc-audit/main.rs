//! `alloc-audit`: no backend allocates or frees on its hot path, from the first submission on.
//!
//! Runs every workload on every backend and mode, each cell on a thread of its own with a backend
//! of its own. Registration, deregistration and shutdown are done outside of the zones; everything
//! else, from the first submission after construction on, inside. A cell is clean if its zones saw
//! no allocation, no reallocation and no deallocation, and if it did its work: every completion is
//! checked, and so is that the backend met what the workload is about.
//!
//! ```text
//! cargo run --release -p ringzero-alloc-audit --features backends --bin alloc-audit
//! ```
//!
//! Prints a table. Exit code 0: all cells that could run are clean. 1: something was found; the
//! size and the place of the first offence of each cell are named. A cell that cannot run on this
//! machine says why; with `RINGZERO_REQUIRE_ALL=1` that is an error too. 2: wrong usage.
//!
//! With `--control` one workload allocates inside its zone, and the exit code is 1: the meter
//! works. It is 0 if that was not found, in every cell that could run and nothing beside it.
//!
//! | module | noun |
//! |---|---|
//! | `backend` | the columns: backends and modes |
//! | `workload` | the rows: what is run |
//! | `cell` | one workload on one backend, and its verdict |
//! | `stage` | backend, files and zones of one cell |
//! | `session` | the calls, each answer checked |
//! | `shadow` | what must be in a file |
//! | `wrong` | what was not as it must be |
//! | `table` | what is printed |
//! | `platform` | what only Linux has |
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod backend;
mod cell;
mod platform;
mod session;
mod shadow;
mod stage;
mod table;
mod workload;
mod wrong;

#[cfg(test)]
mod tests;

use std::{alloc::System, env, process::ExitCode};

use ringzero_alloc_audit::CountingAllocator;

use table::Table;
use workload::Workload;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new(System);

const USAGE: &str = "usage: alloc-audit [--control]";

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [] => audit(),
        [argument] if argument == "--control" => control(),
        [argument] if argument == "--help" => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Runs `workloads` on every backend and prints the table while it goes.
fn fill(workloads: &[Workload]) -> Table {
    let columns = backend::all();
    let mut table = Table::new(&columns);
    print!("{}", table.header());
    for workload in workloads {
        let cells = columns.iter().map(|column| cell::run(workload, column)).collect();
        table.add(workload.name, cells);
        print!("{}", table.last_row());
    }
    println!();
    print!("{}", table.findings());
    table
}

fn audit() -> ExitCode {
    let table = fill(&workload::all());
    let skipped = table.skipped_count();
    let must_run = env::var_os("RINGZERO_REQUIRE_ALL").is_some_and(|value| value == "1");
    let is_clean = table.bad_count() == 0 && (skipped == 0 || !must_run);
    println!(
        "{} cells clean, {} not clean, {skipped} skipped{}",
        table.clean_count(),
        table.bad_count(),
        if must_run { " (RINGZERO_REQUIRE_ALL=1: none may be)" } else { "" },
    );
    if is_clean && table.clean_count() > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Fails if the meter saw the allocation, and nothing else, in every cell that ran: to succeed is
/// what must not happen.
fn control() -> ExitCode {
    let table = fill(&[workload::control()]);
    if table.is_full_of(workload::CONTROL_BYTES) {
        println!("control: the meter found what was allocated on purpose");
        return ExitCode::FAILURE;
    }
    println!("control: THE METER DID NOT FIND exactly what was allocated on purpose");
    ExitCode::SUCCESS
}
