//! The backends and flags that are tried: [`Variant`].

use std::time::Duration;

use ringzero::{
    Choice, Config, Limits, SyncConfig, SyncMode, UringConfig, UringMode, WorkerConfig,
};

/// Long enough not to fall asleep between two commits, short enough to leave the processor to the
/// next measurement.
const SQPOLL_IDLE: Duration = Duration::from_millis(10);
/// Bytes that blocks have in common: those of the default.
const COMMON_BYTES: u32 = 4 << 20;

/// One backend in one mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// io_uring by default.
    Uring,
    /// io_uring, completions in calls of one thread.
    UringBound,
    /// io_uring, blocks registered with the kernel.
    UringRegistered,
    /// io_uring, a kernel thread takes submissions.
    UringSqPoll,
    /// A thread of its own.
    Worker,
    /// Inside the submitting call.
    Sync,
    /// Inside the flush.
    SyncUntilFlush,
}

impl Variant {
    /// In the order of preference where nothing else speaks for one.
    pub(crate) const ALL: [Self; 7] = [
        Self::Uring,
        Self::UringBound,
        Self::UringRegistered,
        Self::UringSqPoll,
        Self::Worker,
        Self::Sync,
        Self::SyncUntilFlush,
    ];

    /// What it is called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Uring => "io_uring",
            Self::UringBound => "io_uring, thread-bound",
            Self::UringRegistered => "io_uring, registered buffers",
            Self::UringSqPoll => "io_uring, SQPOLL",
            Self::Worker => "worker",
            Self::Sync => "sync",
            Self::SyncUntilFlush => "sync, until flush",
        }
    }

    /// What it is called among others of io_uring.
    pub(crate) const fn short_name(self) -> &'static str {
        match self {
            Self::UringBound => "thread-bound",
            Self::UringRegistered => "registered buffers",
            Self::UringSqPoll => "SQPOLL",
            other => other.name(),
        }
    }

    /// Whether it is io_uring with something else than the default.
    pub(crate) const fn is_flag(self) -> bool {
        matches!(self, Self::UringBound | Self::UringRegistered | Self::UringSqPoll)
    }

    /// Whether its calls wait for the device.
    pub(crate) const fn blocks_the_caller(self) -> bool {
        matches!(self, Self::Sync | Self::SyncUntilFlush)
    }

    /// How it is built: this one or none.
    pub(crate) fn config(self) -> Config {
        let config = Config {
            close_deadline: Duration::from_secs(5),
            drop_deadline: Duration::from_secs(5),
            ..Config::default()
        };
        let uring = |uring| Config { backend: Choice::Uring, uring, ..config };
        let default = UringConfig::default();
        match self {
            Self::Uring => uring(default),
            Self::UringBound => uring(UringConfig { mode: UringMode::ThreadBound, ..default }),
            Self::UringRegistered => uring(UringConfig { register_buffers: true, ..default }),
            Self::UringSqPoll => {
                uring(UringConfig { mode: UringMode::SqPoll { idle: SQPOLL_IDLE }, ..default })
            }
            Self::Worker => Config { backend: Choice::Worker, ..config },
            Self::Sync => Config { backend: Choice::Sync, ..config },
            Self::SyncUntilFlush => {
                let sync = SyncConfig { mode: SyncMode::UntilFlush };
                Config { backend: Choice::Sync, sync, ..config }
            }
        }
    }

    /// The same with so many threads.
    pub(crate) fn with_threads(self, threads: u32) -> Config {
        Config { worker: WorkerConfig { threads }, ..self.config() }
    }

    /// The same with blocks of this size, and as much memory.
    pub(crate) fn with_block_bytes(self, block_bytes: u32) -> Config {
        Config { limits: limits(block_bytes), ..self.config() }
    }
}

/// The default limits with blocks of another size, and as many bytes that they have in common.
pub(crate) fn limits(block_bytes: u32) -> Limits {
    Limits { block_bytes, blocks_common: COMMON_BYTES / block_bytes, ..Limits::default() }
}
