//! [`Cell`]: one workload on one backend, and the verdict.
//!
//! It runs on a thread of its own: what a thread's first use of a backend costs is met in every
//! cell anew.

use std::thread;

use ringzero_alloc_audit::{Offence, Report};

use crate::{
    backend::Column,
    session::Tally,
    stage::{Stage, Stop},
    workload::Workload,
};

/// How a cell ended.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It ran to its end, and the allocator was not called.
    Clean,
    /// The allocator was called.
    Offended,
    /// Something was not as it must be: then a clean zone proves nothing.
    Wrong(String),
    /// This machine cannot run it.
    Skipped(String),
}

#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) verdict: Verdict,
    pub(crate) tally: Tally,
    pub(crate) allocations: u64,
    pub(crate) reallocations: u64,
    pub(crate) deallocations: u64,
    pub(crate) first_offence: Option<Offence>,
}

impl Cell {
    fn without_work(verdict: Verdict) -> Self {
        let tally = Tally::default();
        let (allocations, reallocations, deallocations) = (0, 0, 0);
        Self { verdict, tally, allocations, reallocations, deallocations, first_offence: None }
    }

    fn judge(reports: &[Report], tally: Tally, result: Result<(), Stop>) -> Self {
        let sum = |count: fn(&Report) -> u64| reports.iter().map(count).sum();
        let is_clean = reports.iter().all(Report::is_clean);
        let verdict = match result {
            _ if !is_clean => Verdict::Offended,
            Err(Stop::Skipped(reason)) => Verdict::Skipped(reason),
            Err(Stop::Wrong(wrong)) => Verdict::Wrong(wrong),
            Ok(()) if tally.completions == 0 || reports.is_empty() => {
                Verdict::Wrong("it did nothing".to_owned())
            }
            Ok(()) => Verdict::Clean,
        };
        Self {
            verdict,
            tally,
            allocations: sum(Report::allocations),
            reallocations: sum(Report::reallocations),
            deallocations: sum(Report::deallocations),
            first_offence: reports.iter().find_map(|report| report.first_offence().cloned()),
        }
    }
}

/// Runs one cell.
pub(crate) fn run(workload: &Workload, column: &Column) -> Cell {
    let cell = thread::scope(|scope| {
        match thread::Builder::new().spawn_scoped(scope, || run_here(workload, column)) {
            Ok(thread) => thread
                .join()
                .unwrap_or_else(|_| Cell::without_work(Verdict::Wrong("it panicked".to_owned()))),
            Err(error) => {
                Cell::without_work(Verdict::Skipped(format!("no thread can be started: {error}")))
            }
        }
    });
    if !matches!(cell.verdict, Verdict::Wrong(_)) {
        return cell;
    }
    // A ring can be made where no kernel worker can start; then every result is wrong. Asked only
    // now, since asking submits something.
    match column.why_not() {
        Some(reason) => Cell { verdict: Verdict::Skipped(reason), ..cell },
        None => cell,
    }
}

fn run_here(workload: &Workload, column: &Column) -> Cell {
    let mut stage = match Stage::new(column) {
        Ok(stage) => stage,
        Err(stop) => return Cell::judge(&[], Tally::default(), Err(stop)),
    };
    let result = (workload.run)(&mut stage).and_then(|()| stage.settle());
    Cell::judge(&stage.take_reports(), stage.session.tally, result)
}
