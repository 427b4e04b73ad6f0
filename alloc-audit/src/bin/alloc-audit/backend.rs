//! The columns of the table: [`Column`], one backend in one mode.
//!
//! Capacities are small, so that a workload reaches every one of them in a few calls.

use std::time::Duration;

use ringzero::{
    Backend, Choice, Config, Limits, SyncBackend, SyncConfig, SyncMode, UringConfig, UringMode,
    WorkerBackend, WorkerConfig, open as open_and_try,
};

use crate::platform;

/// 8 files; 16 operations each and 96 common; 2 blocks of 4 KiB each and 6 common.
pub(crate) const LIMITS: Limits = Limits {
    files: 8,
    operations_per_file: 16,
    operations_common: 96,
    blocks_per_file: 2,
    blocks_common: 6,
    block_bytes: 4_096,
};

/// Operations one file can have pending: 16 + 96.
pub(crate) const MOST_PENDING: u64 = (LIMITS.operations_per_file + LIMITS.operations_common) as u64;

/// The longest write: (2 + 6) × 4,096 bytes.
pub(crate) const MAX_WRITE: usize = LIMITS.max_write();

/// Which thread may use the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// Any, at any time.
    None,
    /// The first to use it.
    FirstUser,
}

/// When a submission is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Execution {
    /// Inside `submit_*`.
    Inline,
    /// Inside the next `flush`, or the next poll or wait that has nothing: several are pending at a
    /// time, and none is ever in flight.
    Merged,
    /// Later: several are pending at a time.
    Queued,
}

/// One backend in one mode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) binding: Binding,
    pub(crate) execution: Execution,
    config: Config,
}

impl Column {
    fn uring(name: &'static str, binding: Binding, uring: UringConfig) -> Self {
        let config = Config { uring, ..sync_config() };
        let config = Config { backend: Choice::Uring, ..config };
        Self { name, binding, execution: Execution::Queued, config }
    }

    fn worker(name: &'static str, threads: u32) -> Self {
        let worker = WorkerConfig { threads };
        let config = Config { worker, backend: Choice::Worker, ..sync_config() };
        Self { name, binding: Binding::None, execution: Execution::Queued, config }
    }

    /// A new backend that nothing was submitted to, so that the workload's first submission is the
    /// first of all.
    ///
    /// # Errors
    /// Why it cannot be built as the column says.
    pub(crate) fn build(&self) -> Result<Box<dyn Backend>, String> {
        match self.config.backend {
            Choice::Uring => platform::uring(&self.config),
            Choice::Worker => match WorkerBackend::new(&self.config) {
                Ok(backend) => Ok(Box::new(backend)),
                Err(reason) => Err(reason.to_string()),
            },
            _ => match SyncBackend::new(&self.config) {
                Ok(backend) => Ok(Box::new(backend)),
                Err(reason) => Err(reason.to_string()),
            },
        }
    }

    /// Tries it out with a write and a sync. `None` if it works on this machine.
    pub(crate) fn why_not(&self) -> Option<String> {
        open_and_try(&self.config).err().map(|reason| reason.to_string())
    }

    pub(crate) fn is_inline(&self) -> bool {
        self.execution == Execution::Inline
    }

    /// Whether a wait may end before everything has.
    pub(crate) fn takes_time(&self) -> bool {
        self.execution == Execution::Queued
    }
}

fn sync_config() -> Config {
    Config { limits: LIMITS, backend: Choice::Sync, ..Config::default() }
}

/// Every backend in every mode. The short submission queues fill up within a flush.
pub(crate) fn all() -> [Column; 8] {
    let uring = UringConfig::default();
    let polled = UringMode::SqPoll { idle: Duration::from_millis(20) };
    [
        sync(),
        sync_merged(),
        Column::worker("worker", 1),
        Column::worker("three workers", 3),
        Column::uring("io_uring", Binding::None, uring),
        Column::uring(
            "thread-bound",
            Binding::FirstUser,
            UringConfig { mode: UringMode::ThreadBound, sq_entries: 8, ..uring },
        ),
        Column::uring("SQPOLL", Binding::None, UringConfig { mode: polled, ..uring }),
        Column::uring(
            "fixed buffers",
            Binding::None,
            UringConfig { register_buffers: true, sq_entries: 1, ..uring },
        ),
    ]
}

/// The backend that runs everywhere.
pub(crate) fn sync() -> Column {
    let config = sync_config();
    Column { name: "sync", binding: Binding::None, execution: Execution::Inline, config }
}

fn sync_merged() -> Column {
    let sync = SyncConfig { mode: SyncMode::UntilFlush };
    let config = Config { sync, ..sync_config() };
    let name = "sync, until flush";
    Column { name, binding: Binding::None, execution: Execution::Merged, config }
}
