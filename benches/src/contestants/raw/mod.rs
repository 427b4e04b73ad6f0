//! Written by hand on the `io-uring` crate, as well as we can: registered file, registered buffer,
//! submissions and completions in batches.

mod commits;
mod merged;
mod records;
mod ring;

use self::commits::Manner;
use crate::{
    Failure,
    compare::{
        contestant::{Contestant, Window},
        job::{Access, Job, Workload},
        measured::Measured,
    },
};

const RECORDS: &[Workload] = &[
    Workload::Appends,
    Workload::Sequential,
    Workload::Overwrites,
    Workload::Discards,
    Workload::Burst,
];
const MERGED: &[Workload] = &[Workload::Appends, Workload::Sequential];
const COMMITS: &[Workload] = &[Workload::Commits];
const BUFFERED: &[Access] = &[Access::Buffered];
const DIRECT: &[Access] = &[Access::Direct];

/// Written by hand on io_uring.
pub const CONTESTANTS: &[Contestant] = &[
    raw("raw", "io_uring by hand: one kernel write per record", RECORDS, BUFFERED, records::run),
    raw("raw-merged-16k", "records collected to 16 KiB writes", MERGED, BUFFERED, merged_16k),
    raw("raw-merged-64k", "records collected to 64 KiB writes", MERGED, BUFFERED, merged_64k),
    raw("raw-linked", "each write linked to its fdatasync", COMMITS, BUFFERED, commits::linked),
    raw("raw-group", "per group: write linked to fdatasync", COMMITS, BUFFERED, group),
    raw("raw-group-dsync", "per group: RWF_DSYNC, IOSQE_ASYNC", COMMITS, BUFFERED, group_dsync),
    raw("raw-group-direct-dsync", "per group: O_DIRECT, RWF_DSYNC", COMMITS, DIRECT, direct),
];

const fn raw(
    name: &'static str,
    about: &'static str,
    workloads: &'static [Workload],
    access: &'static [Access],
    run: fn(&Job) -> Result<Measured, Failure>,
) -> Contestant {
    Contestant { name, about, workloads, access, window: Window::Best, run }
}

fn merged_16k(job: &Job) -> Result<Measured, Failure> {
    merged::run(job, 16 << 10)
}

fn merged_64k(job: &Job) -> Result<Measured, Failure> {
    merged::run(job, 64 << 10)
}

fn group(job: &Job) -> Result<Measured, Failure> {
    commits::groups(job, Manner::Datasync)
}

fn group_dsync(job: &Job) -> Result<Measured, Failure> {
    commits::groups(job, Manner::Durable)
}

fn direct(job: &Job) -> Result<Measured, Failure> {
    commits::groups(job, Manner::DirectDurable)
}
