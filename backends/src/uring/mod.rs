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
//! | `bound` | which thread may use a ring |
//! | `driver` | one turn, with and without sleeping |
//! | `lifecycle` | opening and closing; who frees the memory |

mod bound;
mod driver;
mod entry;
mod executor;
mod lifecycle;
mod ring;
mod setup;
mod targets;

use std::{fmt, fs::File, mem::ManuallyDrop, time::Duration};

use ringzero_core::{
    CompletionSink, Engine, FileStatus, IoFd, Stats, StorageIo, StorageIoError, StorageIoExt,
};

use crate::{
    config::Config, files::Purpose, fork::ProcessBound, memory::Region, registry::Registry,
    report::Note, setup_error::SetupError,
};
use driver::{Driver, OnSignal};
use ring::Ring;
use targets::Targets;

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
    driver: ProcessBound<Driver>,
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
        let (mut targets, refused) = Targets::new(&ring.submitter(), config.limits.files);
        notes.extend(refused.map(Note::FilesNotRegistered));
        let region = Region::new(config.limits.memory_bytes()).map_err(SetupError::Memory)?;
        if config.uring.register_buffers {
            let registered = targets.register_buffers(&ring.submitter(), &region);
            notes.extend(registered.err().map(Note::BuffersNotRegistered));
        }
        let registry = Registry::new(config, region)?;
        let driver = Driver {
            ring,
            targets,
            owner,
            drop_deadline: config.drop_deadline,
            notes,
            registry: ManuallyDrop::new(registry),
        };
        Ok(Self { driver: ProcessBound::new(driver).map_err(SetupError::Memory)? })
    }

    /// What it does without, on this machine. No guarantee depends on it.
    pub fn notes(&self) -> &[Note] {
        &self.driver.peek().notes
    }

    /// The driver, for a call that submits or starts: the calling thread is its user.
    #[inline]
    fn driver(&mut self) -> Result<&mut Driver, StorageIoError> {
        let driver = self.driver.get_mut()?;
        driver.enter()?;
        Ok(driver)
    }

    /// The driver, for a call that only asks.
    fn asked(&self) -> Result<&Driver, StorageIoError> {
        let driver = self.driver.get()?;
        driver.look()?;
        Ok(driver)
    }
}

impl fmt::Debug for UringBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UringBackend").field("notes", &self.notes()).finish_non_exhaustive()
    }
}

impl StorageIo for UringBackend {
    type File = File;

    fn register_fd(&mut self, file: File) -> Result<IoFd, StorageIoError> {
        self.driver.get_mut()?.register(file, Purpose::WholeFile)
    }

    fn deregister_fd(&mut self, fd: IoFd) -> Result<(), StorageIoError> {
        self.driver()?.deregister(fd)
    }

    #[inline]
    fn submit_write(&mut self, fd: IoFd, data: &[u8], offset: u64) -> Result<u64, StorageIoError> {
        self.driver()?.engine_mut().submit_write(fd, data, offset)
    }

    #[inline]
    fn submit_append(&mut self, fd: IoFd, data: &[u8]) -> Result<u64, StorageIoError> {
        self.driver()?.engine_mut().submit_append(fd, data)
    }

    #[inline]
    fn submit_datasync(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.driver()?.engine_mut().submit_datasync(fd)
    }

    #[inline]
    fn flush(&mut self) -> Result<usize, StorageIoError> {
        let driver = self.driver()?;
        if driver.engine().is_closed() {
            return Err(StorageIoError::Closed);
        }
        driver.flush().map_err(StorageIoError::Io)
    }

    /// In the thread-bound mode it delivers nothing to another thread than the owner.
    #[inline]
    fn poll_completions(&mut self, out: &mut dyn CompletionSink) {
        let Ok(driver) = self.driver() else { return };
        if !driver.engine().is_closed() {
            driver.turn();
        }
        driver.engine_mut().deliver(out);
    }

    #[inline]
    fn pending_count(&self) -> usize {
        self.driver.peek().engine().pending_count()
    }
}

impl StorageIoExt for UringBackend {
    type File = File;

    fn wait(&mut self, min: usize, timeout: Option<Duration>) -> Result<usize, StorageIoError> {
        let driver = self.driver()?;
        if !driver.engine().is_closed() {
            let until = timeout.and_then(lifecycle::deadline);
            let is_enough = |engine: &Engine<_>| {
                let deliverable = engine.deliverable();
                deliverable >= min || deliverable == engine.pending_count()
            };
            driver.drive(until, OnSignal::Return, is_enough).map_err(StorageIoError::Io)?;
            driver.release_idle();
        }
        Ok(driver.engine().deliverable())
    }

    fn tail(&self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.asked()?.engine().tail(fd)
    }

    fn room(&self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.asked()?.engine().room(fd)
    }

    fn resume_append(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.driver()?.engine_mut().resume_append(fd)
    }

    fn max_write(&self) -> usize {
        self.driver.peek().engine().max_write()
    }

    fn can_accept(&self, fd: IoFd, len: usize) -> Result<(), StorageIoError> {
        self.asked()?.engine().can_accept(fd, len)
    }

    fn register_segment(
        &mut self,
        file: File,
        tail: u64,
        limit: u64,
    ) -> Result<IoFd, StorageIoError> {
        self.driver.get_mut()?.register(file, Purpose::Segment { tail, limit })
    }

    fn stats(&self) -> Stats {
        self.driver.peek().engine().stats()
    }

    fn file_status(&self, fd: IoFd) -> Result<FileStatus, StorageIoError> {
        self.asked()?.registry.status(fd)
    }

    fn shutdown(&mut self, deadline: Duration) -> Result<(), StorageIoError> {
        self.driver.get_mut()?.shutdown(deadline)
    }
}

static_assertions::assert_impl_all!(UringBackend: Send, crate::Backend);

#[cfg(test)]
mod tests {
    use super::*;

    /// A backend, or the reason why there is none on this machine.
    pub(super) fn backend(config: &Config) -> Option<UringBackend> {
        match UringBackend::new(config) {
            Ok(backend) => Some(backend),
            Err(reason @ (SetupError::Unsupported | SetupError::Forbidden)) => {
                println!("skipped: {reason}");
                None
            }
            Err(reason) => panic!("{reason}"),
        }
    }
}
