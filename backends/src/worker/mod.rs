//! [`WorkerBackend`]: requests of the engine go to threads of their own, which carry them out with
//! ordinary system calls.
//!
//! A thin driver: it decides neither order nor what an answer means. The caller's thread pushes
//! requests into a queue and pops answers from another; it wakes an I/O thread that is parked, and
//! never waits for one but in `wait`, registration, deregistration and shutdown. While the threads
//! are busy, what is accepted gathers in the engine and leaves merged.
//!
//! | file | noun |
//! |---|---|
//! | `message` | what travels: requests and answers |
//! | `work` | what an I/O thread does |
//! | `hand` | one I/O thread and its two queues, from the caller's side |
//! | `waiter` | where the caller's thread sleeps |
//! | `routes` | which thread a file's requests go to |
//! | `crew` | all of them together, for the driver |

mod crew;
mod hand;
mod message;
mod routes;
mod waiter;
mod work;

use std::fmt;

use crate::{
    config::Config,
    driver::{Driver, interface::through_driver},
    fork::ProcessBound,
    memory::Region,
    registry::Registry,
    setup_error::SetupError,
};
use crew::Crew;

/// A backend whose requests are carried out by threads of its own.
///
/// Works on every system that has threads and keeps every guarantee. No call but `wait`,
/// `register_*`, `deregister_fd` and `shutdown` ever waits for the disk or for one of the threads,
/// whatever the disk does: the others push to a queue, pop from another, and wake a thread that is
/// parked. It may move between threads at any time, with work in flight. See
/// [`ringzero::StorageIo`](crate::StorageIo) for its methods.
///
/// # A disk that hangs
/// Nobody can call back a write that the disk does not answer. With one thread
/// ([`WorkerConfig`](crate::WorkerConfig)) nothing else is written meanwhile, and with n threads n
/// files that hang stop all of it: *guaranteed* are each file's operations and blocks, not threads.
/// With several threads a file goes to the one with the fewest requests whenever it has none in
/// flight, so that one that hangs holds one thread; what was queued behind it waits with it, and so
/// does a file that comes while every other thread has more to do. With as many threads as files,
/// one that hangs stops no other.
///
/// # Its end
/// Dropping it hands over nothing more, and waits for what was handed over, for at most
/// `Config::drop_deadline`. Then the threads have ended. Where a disk hangs, the thread that waits
/// for it stays behind at the deadline until the disk answers, and the memory and the files of what
/// was cut off are leaked; what is queued behind the request that hangs is never begun. The same
/// holds for what the deadline of a shutdown cuts off.
///
/// ```
/// use ringzero::{Config, IoCompletion, StorageIo, StorageIoExt, WorkerBackend};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("log");
/// let mut io = WorkerBackend::new(&Config::default())?;
/// let log = io.register_fd(std::fs::File::create(path)?).map_err(ringzero::to_io_error)?;
/// io.submit_append(log, b"a record").map_err(ringzero::to_io_error)?;
/// let commit = io.submit_datasync(log).map_err(ringzero::to_io_error)?;
///
/// let mut completions = Vec::with_capacity(16);
/// while io.pending_count() > 0 {
///     io.wait(1, None).map_err(ringzero::to_io_error)?;
///     io.poll_completions(&mut completions);
/// }
/// assert_eq!(completions.last(), Some(&IoCompletion { token: commit, result: 0 }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct WorkerBackend {
    driver: ProcessBound<Driver<Crew>>,
}

impl WorkerBackend {
    /// Starts the threads. They are named `ringzero-io` and have every signal blocked: handlers of
    /// the host never run on them, and a write beyond RLIMIT_FSIZE is EFBIG without a SIGXFSZ.
    ///
    /// They inherit the processors and the scheduling of the calling thread: make the backend
    /// before the thread is bound to one processor or given a real-time priority (sched(7)). A
    /// thread with one that polls on the only processor of its I/O thread never lets that run.
    ///
    /// # Errors
    /// `SetupError::Config`, `Memory`; `NoThread`: a limit on processes; `Other`.
    pub fn new(config: &Config) -> Result<Self, SetupError> {
        config.check()?;
        let region = Region::new(config.limits.memory_bytes()).map_err(SetupError::Memory)?;
        let registry = Registry::new(config, region)?;
        let driver = Driver::new(config, Crew::start(config)?, registry);
        Ok(Self { driver: ProcessBound::new(driver).map_err(SetupError::Memory)? })
    }
}

impl fmt::Debug for WorkerBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerBackend").finish_non_exhaustive()
    }
}

through_driver!(WorkerBackend);

static_assertions::assert_impl_all!(WorkerBackend: Send, crate::Backend);
static_assertions::assert_not_impl_any!(WorkerBackend: Sync);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::{Ending, OnSignal};
    use std::time::{Duration, Instant};

    #[test]
    fn a_drive_that_nothing_can_end_does_not_sleep() {
        let mut backend = WorkerBackend::new(&Config::default()).unwrap();
        let driver = backend.driver.enter().unwrap();
        let begin = Instant::now();
        assert_eq!(driver.drive(None, OnSignal::GoOn, |_| false), Ok(Ending::Stalled));
        assert!(begin.elapsed() < Duration::from_secs(1));
    }
}
