//! What a backend is built from: [`Config`].
//!
//! Plain data; [`Config::check`] is the one place that says what is out of range. Every constructor
//! calls it first, so that no size ends in a panic or in a process killed for lack of memory.

use std::time::Duration;

use ringzero_core::{Block, Limits, LimitsError, OpenFile, Operation};

use crate::platform;

/// Most entries of a submission queue: io_uring_setup(2), EINVAL.
const MAX_SQ_ENTRIES: u32 = 32_768;
/// Most threads of a worker backend. Each has queues with room for every request.
const MAX_WORKER_THREADS: u32 = 64;
/// Bytes of the queues of a worker thread for one request and its answer, at most.
pub(crate) const WORKER_SLOT_BYTES: usize = 96;

/// How to build a backend.
///
/// ```
/// use ringzero::{Choice, Config, Limits};
///
/// let config = Config {
///     backend: Choice::Sync,
///     limits: Limits { files: 4, ..Limits::default() },
///     ..Config::default()
/// };
/// assert_eq!(config.check(), Ok(()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How much of everything.
    pub limits: Limits,
    /// How long `deregister_fd` waits for I/O on the file to end. Default: 10 s.
    pub close_deadline: Duration,
    /// How long dropping a backend waits for what the executor holds, before it leaks the memory.
    /// Default: 10 s.
    pub drop_deadline: Duration,
    /// Which backend [`open`](crate::open) sets up. The constructors of the backends ignore it.
    pub backend: Choice,
    /// What only io_uring has.
    pub uring: UringConfig,
    /// What only worker threads have.
    pub worker: WorkerConfig,
    /// What only the sync backend has.
    pub sync: SyncConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            close_deadline: Duration::from_secs(10),
            drop_deadline: Duration::from_secs(10),
            backend: Choice::default(),
            uring: UringConfig::default(),
            worker: WorkerConfig::default(),
            sync: SyncConfig::default(),
        }
    }
}

/// Which backend [`open`](crate::open) sets up.
///
/// ```
/// use ringzero::{Choice, Config, open};
///
/// // Worker threads or nothing, as for a comparison.
/// let config = Config { backend: Choice::Worker, ..Config::default() };
/// # let _ = || open(&config);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Choice {
    /// The best that works here: io_uring, else worker threads, else sync.
    #[default]
    Auto,
    /// io_uring, or an error.
    Uring,
    /// Worker threads, or an error.
    Worker,
    /// Executes inside the submitting call.
    Sync,
}

/// What only io_uring has.
///
/// ```
/// use ringzero::{Config, UringConfig};
///
/// // For many small positional writes at once.
/// let uring = UringConfig { sq_entries: 1_024, register_buffers: true, ..UringConfig::default() };
/// assert!(Config { uring, ..Config::default() }.check().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UringConfig {
    /// How completions arrive.
    pub mode: UringMode,
    /// Registers the blocks with the kernel. Pins and faults all of them at once, and counts
    /// against the memlock limit; where that is refused, goes on without. Default: no.
    pub register_buffers: bool,
    /// Entries of the submission queue: the most requests one system call hands over. 1 to 32,768;
    /// the kernel rounds up to a power of two. Also the most kernel workers for requests that
    /// block, at most four per processor (io_uring_register(2), IORING_REGISTER_IOWQ_MAX_WORKERS):
    /// as many files that hang stop all others. Default: 256.
    pub sq_entries: u32,
}

impl Default for UringConfig {
    fn default() -> Self {
        Self { mode: UringMode::default(), register_buffers: false, sq_entries: 256 }
    }
}

/// How an io_uring backend's completions arrive.
///
/// ```
/// use ringzero::{UringConfig, UringMode};
///
/// // For a backend that stays on the thread of its loop.
/// let uring = UringConfig { mode: UringMode::ThreadBound, ..UringConfig::default() };
/// assert_ne!(uring.mode, UringMode::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UringMode {
    /// By interrupt. The backend moves freely between threads, with work in flight.
    #[default]
    Interrupt,
    /// Only in calls of the thread that first used the backend; use from another is an error.
    ThreadBound,
    /// A kernel thread takes submissions without a system call, and keeps a core busy until
    /// nothing came for `idle`.
    SqPoll {
        /// From 1 ms to 2³²−1 ms.
        idle: Duration,
    },
}

/// What only worker threads have.
///
/// ```
/// use ringzero::{Config, WorkerConfig};
///
/// // As many threads as files: one that hangs stops no other.
/// let mut config = Config { worker: WorkerConfig { threads: 4 }, ..Config::default() };
/// config.limits.files = 4;
/// assert!(config.check().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerConfig {
    /// Threads that carry requests out. 1 to 64. A file that hangs stops the thread that has it,
    /// and what is queued there; with several, files that are idle meanwhile go to the one with the
    /// fewest requests. With as many as files, one that hangs stops no other. Default: 1.
    pub threads: u32,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self { threads: 1 }
    }
}

/// What only the sync backend has.
///
/// ```
/// use ringzero::{Choice, Config, SyncConfig, SyncMode};
///
/// let sync = SyncConfig { mode: SyncMode::UntilFlush };
/// let config = Config { backend: Choice::Sync, sync, ..Config::default() };
/// assert_eq!(config.check(), Ok(()));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncConfig {
    /// When submissions are executed.
    pub mode: SyncMode,
}

/// When a sync backend executes what is submitted.
///
/// ```
/// use ringzero::{Config, StorageIo, StorageIoExt, SyncBackend, SyncConfig, SyncMode};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("log");
/// let sync = SyncConfig { mode: SyncMode::UntilFlush };
/// let mut io = SyncBackend::new(&Config { sync, ..Config::default() })?;
/// let log = io.register_fd(std::fs::File::create(&path)?)?;
/// io.submit_append(log, b"one")?;
/// io.submit_append(log, b"two")?;
/// assert_eq!(std::fs::read(&path)?, b"", "copied, not executed");
/// io.flush()?;
/// assert_eq!((std::fs::read(&path)?, io.stats().write_requests), (b"onetwo".to_vec(), 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncMode {
    /// Inside the call that submits it, straight from the caller's slice. `submit_*` waits for the
    /// device.
    #[default]
    Immediate,
    /// Inside the next `flush`; or inside a `poll_completions` that finds nothing finished, or a
    /// `wait` for more than is finished. Until then submissions are copied into blocks, and
    /// adjacent ones leave as one write: many small records cost one system call. `submit_*` never
    /// waits; where it finds no room it answers `QueueFull` or `BufferExhausted`, and a flush and a
    /// poll make some. Dropping the backend loses what was not executed: it was never acknowledged.
    UntilFlush,
}

/// What is out of range in a [`Config`].
///
/// ```
/// use ringzero::{Config, ConfigError, WorkerConfig};
///
/// let config = Config { worker: WorkerConfig { threads: 0 }, ..Config::default() };
/// let error = config.check().unwrap_err();
/// assert_eq!(error, ConfigError::WorkerThreads);
/// assert_eq!(error.to_string(), "worker.threads must be 1 to 64");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror_no_std::Error)]
pub enum ConfigError {
    /// One of [`Config::limits`].
    #[error("{0}")]
    Limits(LimitsError),
    /// The limits add up to more memory than this machine, or this control group, has.
    #[error(
        "the limits add up to {needed_bytes} bytes of memory, but {available_bytes} are all there \
         is: lower limits.blocks_common, blocks_per_file or block_bytes, or worker.threads"
    )]
    Memory {
        /// What the limits add up to.
        needed_bytes: u64,
        /// The physical memory, or the control group's limit.
        available_bytes: u64,
    },
    /// [`UringConfig::sq_entries`].
    #[error("uring.sq_entries must be 1 to {MAX_SQ_ENTRIES}")]
    SqEntries,
    /// The `idle` of [`UringMode::SqPoll`].
    #[error("the idle time of UringMode::SqPoll must be 1 to {} milliseconds", u32::MAX)]
    SqPollIdle,
    /// [`WorkerConfig::threads`].
    #[error("worker.threads must be 1 to {MAX_WORKER_THREADS}")]
    WorkerThreads,
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Limits(error) => Some(error),
            Self::Memory { .. } | Self::SqEntries | Self::SqPollIdle | Self::WorkerThreads => None,
        }
    }
}

impl Config {
    /// Checks every bound. Looks at the memory of the machine, at nothing else outside.
    ///
    /// # Errors
    /// The first bound that is out of range.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.limits.check().map_err(ConfigError::Limits)?;
        if self.uring.sq_entries == 0 || self.uring.sq_entries > MAX_SQ_ENTRIES {
            return Err(ConfigError::SqEntries);
        }
        if self.worker.threads == 0 || self.worker.threads > MAX_WORKER_THREADS {
            return Err(ConfigError::WorkerThreads);
        }
        check_memory(self.memory_bytes(), platform::memory_bytes())?;
        match self.uring.mode {
            UringMode::SqPoll { idle } if !(1..=u32::MAX.into()).contains(&idle.as_millis()) => {
                Err(ConfigError::SqPollIdle)
            }
            _ => Ok(()),
        }
    }

    /// Everything that grows with the limits: the data memory, one record per thing, and the queues
    /// of worker threads. Needs numbers that passed their own checks.
    fn memory_bytes(&self) -> u64 {
        let Self { limits, worker: WorkerConfig { threads }, .. } = self;
        limits.memory_bytes() as u64
            + u64::from(limits.operation_count()) * size_of::<Operation>() as u64
            + u64::from(limits.range_count()) * size_of::<u32>() as u64
            + u64::from(limits.block_count()) * size_of::<Block>() as u64
            + u64::from(limits.files) * size_of::<OpenFile>() as u64
            + u64::from(*threads)
                * u64::from(limits.request_count().next_power_of_two())
                * WORKER_SLOT_BYTES as u64
    }
}

fn check_memory(needed_bytes: u64, available_bytes: Option<u64>) -> Result<(), ConfigError> {
    match available_bytes {
        Some(available_bytes) if needed_bytes > available_bytes => {
            Err(ConfigError::Memory { needed_bytes, available_bytes })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_limits(limits: Limits) -> Config {
        Config { limits, ..Config::default() }
    }

    fn with_uring(uring: UringConfig) -> Config {
        Config { uring, ..Config::default() }
    }

    #[test]
    fn the_default_is_in_range() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn zero_and_absurd_limits_are_refused() {
        let ok = Limits::default();
        for limits in [
            Limits { files: 0, ..ok },
            Limits { files: u32::MAX, ..ok },
            Limits { operations_common: u32::MAX, ..ok },
            Limits { blocks_per_file: 0, ..ok },
            Limits { blocks_common: u32::MAX, ..ok },
            Limits { block_bytes: 3, ..ok },
        ] {
            let error = with_limits(limits).check();
            assert!(matches!(error, Err(ConfigError::Limits(_))), "{limits:?}: {error:?}");
        }
    }

    #[test]
    fn more_memory_than_there_is_is_refused() {
        assert_eq!(check_memory(100, Some(100)), Ok(()));
        let error = ConfigError::Memory { needed_bytes: 101, available_bytes: 100 };
        assert_eq!(check_memory(101, Some(100)), Err(error));
        assert_eq!(check_memory(u64::MAX, None), Ok(()));
    }

    #[test]
    fn the_memory_needed_counts_the_tables_too() {
        let limits = Limits { block_bytes: 512, blocks_common: 1 << 20, ..Limits::default() };
        let tables = with_limits(limits).memory_bytes() - limits.memory_bytes() as u64;
        assert!(tables > (1 << 20) * size_of::<Block>() as u64);
    }

    #[test]
    fn the_memory_needed_counts_the_queues_of_every_thread() {
        let limits = Limits { operations_common: 16_000, ..Limits::default() };
        let needed = |threads| {
            let worker = WorkerConfig { threads };
            Config { limits, worker, ..Config::default() }.memory_bytes()
        };
        // 17,040 requests at most, and queues are powers of two.
        assert_eq!(needed(64) - needed(1), 63 * 32_768 * WORKER_SLOT_BYTES as u64);
    }

    #[test]
    fn zero_and_absurd_numbers_of_threads_are_refused() {
        for threads in [0, MAX_WORKER_THREADS + 1, u32::MAX] {
            let config = Config { worker: WorkerConfig { threads }, ..Config::default() };
            assert_eq!(config.check(), Err(ConfigError::WorkerThreads), "{threads}");
        }
        for threads in [1, MAX_WORKER_THREADS] {
            let config = Config { worker: WorkerConfig { threads }, ..Config::default() };
            assert_eq!(config.check(), Ok(()));
        }
    }

    #[test]
    fn zero_and_absurd_sizes_of_the_ring_are_refused() {
        let ok = UringConfig::default();
        let idle = |idle| UringConfig { mode: UringMode::SqPoll { idle }, ..ok };
        for (uring, error) in [
            (UringConfig { sq_entries: 0, ..ok }, ConfigError::SqEntries),
            (UringConfig { sq_entries: MAX_SQ_ENTRIES + 1, ..ok }, ConfigError::SqEntries),
            (idle(Duration::ZERO), ConfigError::SqPollIdle),
            (idle(Duration::from_micros(999)), ConfigError::SqPollIdle),
            (idle(Duration::MAX), ConfigError::SqPollIdle),
        ] {
            assert_eq!(with_uring(uring).check(), Err(error), "{uring:?}");
        }
        assert_eq!(with_uring(idle(Duration::from_millis(1))).check(), Ok(()));
        assert_eq!(with_uring(UringConfig { sq_entries: 1, ..ok }).check(), Ok(()));
    }
}
