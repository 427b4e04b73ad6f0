//! `std::fs::File`: what a program does without a library.

mod commits;
mod records;

use crate::{
    Failure,
    compare::{
        contestant::{Contestant, Window},
        job::{Access, Job, Workload},
        measured::Measured,
    },
};

const EVERYTHING: &[Workload] = &[
    Workload::Appends,
    Workload::Sequential,
    Workload::Overwrites,
    Workload::Commits,
    Workload::Discards,
    Workload::Burst,
];
const MERGED: &[Workload] = &[Workload::Appends, Workload::Sequential];
const COMMITS: &[Workload] = &[Workload::Commits];

/// Without a library.
pub const CONTESTANTS: &[Contestant] = &[
    plain("std", "one thread: pwrite per record (fdatasync per commit)", EVERYTHING, run),
    plain("std-merged-64k", "records collected to 64 KiB pwrites", MERGED, records::merged),
    plain("std-group", "per group: pwrite, fdatasync", COMMITS, commits::groups),
    plain("std-threads", "a thread per committer: pwrite, fdatasync", COMMITS, commits::threads),
];

const fn plain(
    name: &'static str,
    about: &'static str,
    workloads: &'static [Workload],
    run: fn(&Job) -> Result<Measured, Failure>,
) -> Contestant {
    Contestant { name, about, workloads, access: &[Access::Buffered], window: Window::Full, run }
}

fn run(job: &Job) -> Result<Measured, Failure> {
    match job.workload {
        Workload::Commits => commits::one_by_one(job),
        _ => records::run(job),
    }
}
