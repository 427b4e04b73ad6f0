//! Setting up one of our backends for a job: [`with`].

use std::time::Duration;

use ringzero::{
    Config, Limits, SyncBackend, SyncConfig, SyncMode, UringBackend, UringConfig, UringMode,
    WorkerBackend,
};

use super::Run;
use crate::{
    Failure,
    compare::{
        job::{Job, Workload},
        measured::Measured,
    },
};

const SQPOLL_IDLE: Duration = Duration::from_millis(100);

/// Which backend, in which mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sync,
    SyncMerged,
    Worker,
    Uring,
    UringBound,
    UringSqPoll,
}

/// Runs `what` with a new backend.
pub(super) fn with(job: &Job, kind: Kind, what: &impl Run) -> Result<Measured, Failure> {
    let config = Config { limits: limits(job), ..Config::default() };
    let in_mode = |mode| Config { uring: UringConfig { mode, ..config.uring }, ..config };
    match kind {
        Kind::Sync => what.run(job, SyncBackend::new(&config)?),
        Kind::SyncMerged => {
            let sync = SyncConfig { mode: SyncMode::UntilFlush };
            what.run(job, SyncBackend::new(&Config { sync, ..config })?)
        }
        Kind::Worker => what.run(job, WorkerBackend::new(&config)?),
        Kind::Uring => what.run(job, UringBackend::new(&config)?),
        Kind::UringBound => what.run(job, UringBackend::new(&in_mode(UringMode::ThreadBound))?),
        Kind::UringSqPoll => {
            let mode = UringMode::SqPoll { idle: SQPOLL_IDLE };
            what.run(job, UringBackend::new(&in_mode(mode))?)
        }
    }
}

/// The defaults, and more only where the job needs it.
fn limits(job: &Job) -> Limits {
    let default = Limits::default();
    match job.workload {
        // All records under way in blocks of their own.
        Workload::Burst => {
            let bytes = u64::from(job.in_flight) * u64::from(job.record_bytes);
            let blocks = bytes.div_ceil(u64::from(default.block_bytes)) as u32;
            Limits { files: 1, blocks_common: blocks, ..default }
        }
        Workload::Growth => Limits { files: job.files.max(default.files), ..default },
        _ => default,
    }
}
