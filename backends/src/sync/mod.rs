//! [`SyncBackend`]: everything is executed by the caller's own thread, inside its calls.
//!
//! The simplest backend: no thread and no ring, so nothing is ever under way when a call returns.
//! By default ([`SyncMode::Immediate`](crate::SyncMode)) a submission is executed before it
//! returns, straight from the caller's slice. Three exceptions go through the engine's queue and
//! its blocks instead:
//!
//! | what | executed |
//! |---|---|
//! | gathered writes and appends, so that they leave as one request | at once too |
//! | files opened with O_DIRECT, because a caller's slice is aligned by chance only | at once too |
//! | reads, because their bytes are to stay somewhere | at once too |
//! | everything, with `SyncMode::UntilFlush`, so that neighbours merge | by the next flush |
//!
//! Worked example of the last: 1,000 appends of 128 bytes and a datasync are accepted, each with
//! a copy and without a system call. `flush` executes them: one write of 128,000 bytes from two
//! blocks, and one data-sync; it returns 2. The next poll delivers 1,001 completions.
//!
//! | file | noun |
//! |---|---|
//! | `driver` | what is executed at once, and running what was queued |
//! | `executor` | one request, one system call |

mod driver;
mod executor;

use std::{fs::File, io, time::Duration};

use ringzero_core::{
    Claim, CompletionSink, FileStatus, IoFd, Stats, StorageIo, StorageIoError, StorageIoExt,
};

use crate::{
    config::Config,
    error::{errno_of, to_io_error},
    event_source::{EventSource, WaitHandle},
    files::Purpose,
    fork::ProcessBound,
    setup_error::SetupError,
};
use driver::SyncDriver;

/// A backend that executes inside the caller's calls.
///
/// Works on every file and every system, and keeps every guarantee; the price is that calls wait
/// for the device: `submit_*`, or, with [`SyncMode::UntilFlush`](crate::SyncMode), the `flush`,
/// `poll_completions` or `wait` that executes what was submitted. That mode merges: many small
/// records between two flushes cost one system call. What waits for its flush is lost when the
/// backend is dropped; `shutdown` and `deregister_fd` execute it, and neither has a deadline here.
/// See [`ringzero::StorageIo`](crate::StorageIo) for its methods.
///
/// ```
/// use ringzero::{Config, IoCompletion, StorageIo, SyncBackend};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("log");
/// let mut io = SyncBackend::new(&Config::default())?;
/// let log = io.register_fd(std::fs::File::create(path)?)?;
/// let append = io.submit_append(log, b"hello")?;
///
/// let mut completions = Vec::with_capacity(16);
/// io.poll_completions(&mut completions);
/// assert_eq!(completions, [IoCompletion { token: append, result: 5 }]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SyncBackend {
    driver: ProcessBound<SyncDriver>,
}

impl SyncBackend {
    /// Builds the backend. Of the configuration it uses the limits and [`Config::sync`].
    ///
    /// # Errors
    /// `SetupError::Config`, `SetupError::Memory`.
    pub fn new(config: &Config) -> Result<Self, SetupError> {
        config.check()?;
        let driver = SyncDriver::new(config)?;
        Ok(Self { driver: ProcessBound::new(driver).map_err(SetupError::Memory)? })
    }
}

impl StorageIo for SyncBackend {
    type File = File;

    fn register_fd(&mut self, file: File) -> Result<IoFd, StorageIoError> {
        self.driver.get_mut()?.register(file, Purpose::WholeFile)
    }

    fn deregister_fd(&mut self, fd: IoFd) -> Result<(), StorageIoError> {
        self.driver.get_mut()?.deregister(fd)
    }

    #[inline]
    fn submit_write(&mut self, fd: IoFd, data: &[u8], offset: u64) -> Result<u64, StorageIoError> {
        self.driver.get_mut()?.submit(
            fd,
            |engine, executor| engine.write_inline(fd, data, offset, executor),
            |engine| engine.submit_write(fd, data, offset),
        )
    }

    #[inline]
    fn submit_append(&mut self, fd: IoFd, data: &[u8]) -> Result<u64, StorageIoError> {
        self.driver.get_mut()?.submit(
            fd,
            |engine, executor| engine.append_inline(fd, data, executor),
            |engine| engine.submit_append(fd, data),
        )
    }

    #[inline]
    fn submit_datasync(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.driver.get_mut()?.submit(
            fd,
            |engine, executor| engine.datasync_inline(fd, executor),
            |engine| engine.submit_datasync(fd),
        )
    }

    /// Executes what is queued and returns the number of requests: 0 in the default mode.
    ///
    /// # Errors
    /// `Closed`: after shutdown.
    #[inline]
    fn flush(&mut self) -> Result<usize, StorageIoError> {
        self.driver.get_mut()?.flush()
    }

    #[inline]
    fn poll_completions(&mut self, out: &mut dyn CompletionSink) {
        if let Ok(driver) = self.driver.get_mut() {
            driver.poll(out);
        }
    }

    #[inline]
    fn pending_count(&self) -> usize {
        self.driver.peek().registry.engine.pending_count()
    }
}

impl StorageIoExt for SyncBackend {
    type File = File;

    /// Never sleeps: executes what is queued, if fewer than `min` can be polled. Then all can.
    fn wait(&mut self, min: usize, _timeout: Option<Duration>) -> Result<usize, StorageIoError> {
        Ok(self.driver.get_mut()?.wait(min))
    }

    fn tail(&self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.driver.get()?.registry.engine.tail(fd)
    }

    fn room(&self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.driver.get()?.registry.engine.room(fd)
    }

    fn alignment(&self, fd: IoFd) -> Result<u32, StorageIoError> {
        self.driver.get()?.registry.engine.alignment(fd)
    }

    fn resume_append(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.driver.get_mut()?.registry.engine.resume_append(fd)
    }

    fn max_write(&self) -> usize {
        self.driver.peek().registry.engine.max_write()
    }

    fn can_accept(&self, fd: IoFd, len: usize) -> Result<(), StorageIoError> {
        self.driver.get()?.registry.engine.can_accept(fd, len)
    }

    fn register_segment(
        &mut self,
        file: File,
        tail: u64,
        limit: u64,
    ) -> Result<IoFd, StorageIoError> {
        self.driver.get_mut()?.register(file, Purpose::Segment { tail, limit })
    }

    fn register_directory(&mut self, file: File) -> Result<IoFd, StorageIoError> {
        self.driver.get_mut()?.register(file, Purpose::Directory)
    }

    fn submit_fsync(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.driver.get_mut()?.submit_queued(|engine| engine.submit_fsync(fd))
    }

    fn submit_allocate(&mut self, fd: IoFd, offset: u64, len: u64) -> Result<u64, StorageIoError> {
        self.driver.get_mut()?.submit_queued(|engine| engine.submit_allocate(fd, offset, len))
    }

    fn submit_truncate(&mut self, fd: IoFd, len: u64) -> Result<u64, StorageIoError> {
        self.driver.get_mut()?.submit_queued(|engine| engine.submit_truncate(fd, len))
    }

    fn submit_punch(&mut self, fd: IoFd, offset: u64, len: u64) -> Result<u64, StorageIoError> {
        self.driver.get_mut()?.submit_queued(|engine| engine.submit_punch(fd, offset, len))
    }

    fn submit_close(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.driver.get_mut()?.submit_close(fd)
    }

    fn durable_tail(&self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.driver.get()?.registry.engine.durable_tail(fd)
    }

    fn max_claim(&self) -> usize {
        self.driver.peek().registry.engine.max_claim()
    }

    fn claim_write(
        &mut self,
        fd: IoFd,
        len: usize,
        offset: u64,
    ) -> Result<Claim<'_>, StorageIoError> {
        Claim::write(&mut self.driver, fd, len, offset)
    }

    fn claim_append(&mut self, fd: IoFd, len: usize) -> Result<Claim<'_>, StorageIoError> {
        Claim::append(&mut self.driver, fd, len)
    }

    fn submit_writev(
        &mut self,
        fd: IoFd,
        slices: &[&[u8]],
        offset: u64,
    ) -> Result<u64, StorageIoError> {
        self.driver.get_mut()?.submit_queued(|engine| engine.submit_writev(fd, slices, offset))
    }

    fn submit_appendv(&mut self, fd: IoFd, slices: &[&[u8]]) -> Result<u64, StorageIoError> {
        self.driver.get_mut()?.submit_queued(|engine| engine.submit_appendv(fd, slices))
    }

    fn stats(&self) -> Stats {
        self.driver.peek().registry.engine.stats()
    }

    fn file_status(&self, fd: IoFd) -> Result<FileStatus, StorageIoError> {
        self.driver.get()?.registry.status(fd)
    }

    fn submit_read(&mut self, fd: IoFd, len: usize, offset: u64) -> Result<u64, StorageIoError> {
        self.driver.get_mut()?.submit_queued(|engine| engine.submit_read(fd, len, offset))
    }

    fn read_bytes(&self, token: u64, skip: usize) -> Result<&[u8], StorageIoError> {
        self.driver.get()?.registry.engine.read_bytes(token, skip)
    }

    fn release_read(&mut self, token: u64) -> Result<(), StorageIoError> {
        self.driver.get_mut()?.registry.engine.release_read(token)
    }

    /// Executes what is queued, however long that takes. Files are cut back and closed.
    ///
    /// # Errors
    /// `Closed`: already shut down. `Io`: a file could not be cut back to its tail.
    fn shutdown(&mut self, _deadline: Duration) -> Result<(), StorageIoError> {
        self.driver.get_mut()?.shutdown()
    }
}

impl EventSource for SyncBackend {
    fn wait_handle(&mut self) -> io::Result<WaitHandle> {
        let driver = self.driver.get_mut().map_err(to_io_error)?;
        driver.notifier().map(WaitHandle::of)
    }

    /// Executes what is queued. Nothing is under way after that, so it answers `true` only if
    /// nothing is pending.
    fn prepare_wait(&mut self) -> Result<bool, StorageIoError> {
        let may_sleep = self.driver.get_mut()?.prepare_wait();
        may_sleep.map_err(|error| StorageIoError::Io(errno_of(&error)))
    }
}

static_assertions::assert_impl_all!(SyncBackend: Send, crate::Backend);
