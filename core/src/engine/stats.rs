//! Numbers about an engine ([`Stats`]) and about one file ([`FileStatus`]).

use core::time::Duration;

use crate::{Errno, IoCompletion};

/// Plain counters since construction.
///
/// ```
/// use ringzero_core::Stats;
///
/// let stats = Stats { submitted: 900, write_requests: 8, sync_requests: 2, ..Stats::default() };
/// assert_eq!(stats.submitted / stats.kernel_requests(), 90, "operations for each request");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Submissions accepted.
    pub submitted: u64,
    /// Completions delivered.
    pub completed: u64,
    /// Bytes accepted by writes and appends.
    pub bytes: u64,
    /// Writes handed to the executor, continuations included.
    pub write_requests: u64,
    /// Reads handed to the executor, continuations included.
    pub read_requests: u64,
    /// Data-syncs handed to the executor, apart from those that a write carries.
    pub sync_requests: u64,
    /// Alterations handed to the executor, repetitions included.
    pub alter_requests: u64,
    /// Writes handed to the executor that carry the data-sync of what they write. They count in
    /// `write_requests` too.
    pub durable_writes: u64,
    /// Writes and appends that left in the request of another.
    pub merged_records: u64,
    /// Syncs served by the OS call of another.
    pub shared_syncs: u64,
    /// Short results whose rest went out again.
    pub short_results: u64,
    /// Requests sent again after EINTR, EAGAIN or ECANCELED.
    pub retries: u64,
    /// Submissions refused with `QueueFull`.
    pub queue_full: u64,
    /// Submissions refused with `BufferExhausted`.
    pub buffer_exhausted: u64,
    /// Answers that matched no request in flight, and were dropped.
    pub stale_answers: u64,
    /// Most operations accepted and not delivered at one time.
    pub pending_peak: u32,
    /// Most requests with the executor at one time.
    pub in_flight_peak: u32,
    /// Most blocks in use at one time.
    pub blocks_peak: u32,
}

impl Stats {
    /// Requests handed to the executor: writes, reads, syncs and alterations.
    pub const fn kernel_requests(&self) -> u64 {
        self.write_requests + self.read_requests + self.sync_requests + self.alter_requests
    }
}

/// How one file is doing.
///
/// ```
/// use core::time::Duration;
/// use ringzero_core::FileStatus;
///
/// fn hangs(status: &FileStatus) -> bool {
///     status.oldest_in_flight.is_some_and(|age| age > Duration::from_secs(5))
/// }
/// assert!(!hangs(&FileStatus::default()), "nothing is in flight");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileStatus {
    /// Operations accepted and not yet delivered.
    pub pending: u32,
    /// Reads delivered and not released: they keep operations and blocks of the file, and of those
    /// no poll gives any back. Also those of a file that was closed and had the same slot.
    pub kept_reads: u32,
    /// How long ago the oldest request in flight was handed to the executor, to the resolution of
    /// a coarse clock (a few milliseconds). `None` if none is.
    pub oldest_in_flight: Option<Duration>,
    /// The first write or append that failed and that no sync accepted so far covers: its token and
    /// its error, which the next sync will report. Its range is what is uncertain.
    pub unreported: Option<IoCompletion>,
    /// Why the file is failed: nothing but `deregister_fd` helps. What was appended below
    /// `durable_tail` is safe; of all that is not durable nothing is known.
    pub failed: Option<Errno>,
    /// Why appends are refused or cancelled: `resume_append` helps, unless the file is failed.
    pub append_failed: Option<Errno>,
}
