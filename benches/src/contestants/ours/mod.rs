//! Our backends, through the public interface and with the default configuration.
//!
//! `sync`, `sync-merged` (`SyncMode::UntilFlush`), `worker` (one thread), `uring`, `uring-bound`
//! (`UringMode::ThreadBound`) and `uring-sqpoll` do the same with different backends; `…-write`
//! uses `submit_write` where the others use `submit_append`. `…-claim` makes each record in a
//! claim, and `…-made` the same way in a buffer that `submit_append` copies: what the claim saves
//! is the difference of the two.

mod backend;
mod commits;
mod growth;
mod records;

use ringzero::{StorageIo, StorageIoExt, to_io_error};

use self::backend::Kind;
use crate::{
    Failure,
    compare::{
        contestant::{Contestant, Window},
        job::{Access, Job, Workload},
        measured::Measured,
        meter::Meter,
    },
};

/// By which call records reach the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Append,
    Write,
    /// An append of a record of which every byte is made anew.
    AppendMade,
    /// The same record, made in a claim to append.
    Claim,
}

const EVERYTHING: &[Workload] = &[
    Workload::Appends,
    Workload::Sequential,
    Workload::Overwrites,
    Workload::Commits,
    Workload::Discards,
    Workload::Burst,
    Workload::Idle,
    Workload::Growth,
];
const WRITES: &[Workload] = &[Workload::Sequential];
const MADE: &[Workload] = &[Workload::Appends, Workload::Sequential, Workload::Burst];

/// Ours.
pub const CONTESTANTS: &[Contestant] = &[
    ours("sync", "SyncBackend: one pwrite inside each submit", EVERYTHING, |job| {
        run(job, Kind::Sync, Call::Append)
    }),
    ours("sync-merged", "SyncBackend, UntilFlush: submit_append", EVERYTHING, |job| {
        run(job, Kind::SyncMerged, Call::Append)
    }),
    ours("worker", "WorkerBackend, one thread: submit_append", EVERYTHING, |job| {
        run(job, Kind::Worker, Call::Append)
    }),
    ours("uring", "UringBackend by default: submit_append", EVERYTHING, |job| {
        run(job, Kind::Uring, Call::Append)
    }),
    ours("uring-bound", "UringBackend, ThreadBound", EVERYTHING, |job| {
        run(job, Kind::UringBound, Call::Append)
    }),
    ours("uring-sqpoll", "UringBackend, SqPoll, idle 100 ms", EVERYTHING, |job| {
        run(job, Kind::UringSqPoll, Call::Append)
    }),
    ours("sync-write", "SyncBackend: submit_write", WRITES, |job| {
        run(job, Kind::Sync, Call::Write)
    }),
    ours("sync-merged-write", "SyncBackend, UntilFlush: submit_write", WRITES, |job| {
        run(job, Kind::SyncMerged, Call::Write)
    }),
    ours("worker-write", "WorkerBackend: submit_write", WRITES, |job| {
        run(job, Kind::Worker, Call::Write)
    }),
    ours("uring-write", "UringBackend: submit_write", WRITES, |job| {
        run(job, Kind::Uring, Call::Write)
    }),
    ours("uring-bound-write", "UringBackend, ThreadBound: submit_write", WRITES, |job| {
        run(job, Kind::UringBound, Call::Write)
    }),
    ours("sync-merged-made", "SyncBackend, UntilFlush: make all, submit_append", MADE, |job| {
        run(job, Kind::SyncMerged, Call::AppendMade)
    }),
    ours("sync-merged-claim", "SyncBackend, UntilFlush: make all in a claim", MADE, |job| {
        run(job, Kind::SyncMerged, Call::Claim)
    }),
    ours("worker-made", "WorkerBackend: make all, submit_append", MADE, |job| {
        run(job, Kind::Worker, Call::AppendMade)
    }),
    ours("worker-claim", "WorkerBackend: make all in a claim", MADE, |job| {
        run(job, Kind::Worker, Call::Claim)
    }),
    ours("uring-made", "UringBackend: make all, submit_append", MADE, |job| {
        run(job, Kind::Uring, Call::AppendMade)
    }),
    ours("uring-claim", "UringBackend: make all in a claim", MADE, |job| {
        run(job, Kind::Uring, Call::Claim)
    }),
];

const fn ours(
    name: &'static str,
    about: &'static str,
    workloads: &'static [Workload],
    run: fn(&Job) -> Result<Measured, Failure>,
) -> Contestant {
    let access = &[Access::Buffered, Access::Direct];
    Contestant { name, about, workloads, access, window: Window::Full, run }
}

/// A loop that is compiled for each backend, so that nothing is called through a table.
trait Run {
    fn run<I: StorageIo + StorageIoExt<File = std::fs::File>>(
        &self,
        job: &Job,
        io: I,
    ) -> Result<Measured, Failure>;
}

fn run(job: &Job, kind: Kind, call: Call) -> Result<Measured, Failure> {
    match job.workload {
        Workload::Commits => backend::with(job, kind, &commits::Commits),
        Workload::Growth => growth::run(job, kind),
        Workload::Idle => backend::with(job, kind, &Idle),
        _ => backend::with(job, kind, &records::Records { call }),
    }
}

/// Everything set up, nothing done.
struct Idle;

impl Run for Idle {
    fn run<I: StorageIo + StorageIoExt<File = std::fs::File>>(
        &self,
        job: &Job,
        mut io: I,
    ) -> Result<Measured, Failure> {
        let file = crate::contestants::files::open(job)?;
        io.register_fd(file).map_err(to_io_error)?;
        Meter::start()?.stop(job)
    }
}
