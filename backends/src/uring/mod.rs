//! [`UringBackend`]: requests of the engine go to the kernel through io_uring(7).
//!
//! A thin driver: it decides neither order nor what an answer means. Only `wait`, registration,
//! deregistration and shutdown may sleep, and the kernel is entered only when there is something to
//! hand over or to sleep for. Requests in flight never exceed the completion queue.
//!
//! | file | noun |
//! |---|---|
//! | `setup` | the ladder of flags and sizes |
//! | `ring` | the two queues, and when to enter the kernel |
//! | `executor`, `entry` | requests → entries |
//! | `targets` | registered files and buffers |
//! | `abilities` | which alterations of a file the kernel's rings carry out |
//! | `bound` | which thread may use a ring |
//! | `transport` | all of them together, for the driver |

mod abilities;
mod bound;
mod entry;
mod executor;
mod ring;
mod setup;
mod targets;
mod transport;

use std::fmt;

use crate::{
    config::Config,
    driver::{Driver, interface::through_driver},
    fork::ProcessBound,
    memory::Region,
    registry::Registry,
    report::Note,
    setup_error::SetupError,
};
use ring::Ring;
use targets::Targets;
use transport::RingTransport;

/// A backend that executes in the kernel, through io_uring. Linux only.
///
/// In the default mode it may move between threads at any time, with work in flight. See
/// [`UringMode`](crate::UringMode) for the others, and [`ringzero::StorageIo`](crate::StorageIo)
/// for its methods.
///
/// ```
/// use ringzero::{Config, IoCompletion, SetupError, StorageIo, StorageIoExt, UringBackend};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("log");
/// let mut io = match UringBackend::new(&Config::default()) {
///     Ok(io) => io,
///     Err(reason) => {
///         println!("no io_uring here: {reason}");
///         return Ok(());
///     }
/// };
/// println!("it does without: {:?}", io.notes());
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
pub struct UringBackend {
    driver: ProcessBound<Driver<RingTransport>>,
}

impl UringBackend {
    /// Sets up a ring. Whether kernel workers can start shows only when it is used:
    /// [`open`](crate::open) tries that out.
    ///
    /// # Errors
    /// What keeps a ring from being set up; every `SetupError` but those of a probe.
    pub fn new(config: &Config) -> Result<Self, SetupError> {
        config.check()?;
        let mut made = setup::make(config)?;
        let mut notes = std::mem::take(&mut made.notes);
        let owner = made.owner;
        let ring = Ring::new(made);
        let (mut targets, refused) = Targets::new(ring.uring(), config.limits.files);
        notes.extend(targets.abilities.notes());
        notes.extend(refused.map(Note::FilesNotRegistered));
        let region = Region::new(config.limits.memory_bytes()).map_err(SetupError::Memory)?;
        if config.uring.register_buffers {
            let registered = targets.register_buffers(&ring.submitter(), &region);
            notes.extend(registered.err().map(Note::BuffersNotRegistered));
        }
        let registry = Registry::new(config, region)?;
        let transport = RingTransport { ring, targets, owner, notes, notifier: None };
        let driver = Driver::new(config, transport, registry);
        Ok(Self { driver: ProcessBound::new(driver).map_err(SetupError::Memory)? })
    }

    /// What it does without, on this machine. No guarantee depends on it.
    pub fn notes(&self) -> &[Note] {
        &self.driver.peek().transport.notes
    }
}

impl fmt::Debug for UringBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UringBackend").field("notes", &self.notes()).finish_non_exhaustive()
    }
}

through_driver!(UringBackend);

static_assertions::assert_impl_all!(UringBackend: Send, crate::Backend);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::{Ending, OnSignal};
    use std::time::{Duration, Instant};

    /// A backend, or the reason why there is none on this machine.
    pub(super) fn backend(config: &Config) -> Option<UringBackend> {
        match UringBackend::new(config) {
            Ok(backend) => Some(backend),
            Err(reason @ (SetupError::Unsupported | SetupError::Forbidden)) => {
                ringzero_tests::skip::skip(reason);
                None
            }
            Err(reason) => panic!("{reason}"),
        }
    }

    #[test]
    fn a_drive_that_nothing_can_end_does_not_sleep() {
        let Some(mut backend) = backend(&Config::default()) else { return };
        let driver = backend.driver.enter().unwrap();
        let begin = Instant::now();
        assert_eq!(driver.drive(None, OnSignal::GoOn, |_| false), Ok(Ending::Stalled));
        assert!(begin.elapsed() < Duration::from_secs(1));
    }
}
