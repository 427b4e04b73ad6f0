//! [`SyncBackend`]: everything is executed inside the call that submits it, straight from the
//! caller's slice.
//!
//! The simplest driver: no thread, no ring, no data memory. Completions wait for the next poll. The
//! `submit_*` calls block for as long as the write or sync takes; nothing else does.

use std::{fs::File, time::Duration};

use ringzero_core::{
    CompletionSink, Errno, Executor, FileSlot, FileStatus, IoFd, NoMemory, Outcome, Pieces,
    RequestId, Stats, StorageIo, StorageIoError, StorageIoExt, SyncKind, WriteKind,
};

use crate::{
    config::Config,
    files::{Files, Purpose},
    fork::ProcessBound,
    platform,
    registry::Registry,
    setup_error::SetupError,
};

/// A backend that executes inside the submitting call.
///
/// Works on every file and every system, and keeps every guarantee; the price is that `submit_*`
/// waits for the device. It hands the caller's slice to the system, so a file opened with O_DIRECT
/// wants an aligned slice here, where other backends want only an aligned offset and length. See
/// [`ringzero::StorageIo`](crate::StorageIo) for its methods.
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
    registry: ProcessBound<Registry<NoMemory>>,
}

impl SyncBackend {
    /// Builds the backend. Of the configuration it uses the limits.
    ///
    /// # Errors
    /// `SetupError::Config`, `SetupError::Memory`.
    pub fn new(config: &Config) -> Result<Self, SetupError> {
        config.check()?;
        let registry = Registry::new(config, NoMemory)?;
        Ok(Self { registry: ProcessBound::new(registry).map_err(SetupError::Memory)? })
    }
}

/// Executes each request before it returns.
struct InlineExecutor<'a> {
    files: &'a Files,
}

impl Executor for InlineExecutor<'_> {
    #[inline]
    fn room(&self) -> usize {
        usize::MAX
    }

    /// Writes the first piece. What is submitted inline has only one; of more than one, the rest
    /// would be a short result, which the engine continues. Never asked for a durable write.
    #[inline]
    fn write(
        &mut self,
        _id: RequestId,
        file: FileSlot,
        pieces: Pieces<'_>,
        offset: u64,
        _kind: WriteKind,
    ) -> Option<Outcome> {
        let data = pieces.iter().next().unwrap_or_default();
        Some(match self.files.get(file) {
            Some(entry) => platform::write_at(entry.file(), data, offset, entry.rw_flags()),
            None => Err(Errno::BADF),
        })
    }

    #[inline]
    fn sync(&mut self, _id: RequestId, file: FileSlot, kind: SyncKind) -> Option<Outcome> {
        Some(match self.files.get(file) {
            Some(entry) => platform::sync(entry.file(), kind),
            None => Err(Errno::BADF),
        })
    }
}

impl StorageIo for SyncBackend {
    type File = File;

    fn register_fd(&mut self, file: File) -> Result<IoFd, StorageIoError> {
        let (fd, _) = self.registry.get_mut()?.register(file, Purpose::WholeFile)?;
        Ok(fd)
    }

    fn deregister_fd(&mut self, fd: IoFd) -> Result<(), StorageIoError> {
        let registry = self.registry.get_mut()?;
        let slot = registry.engine.begin_close(fd)?;
        registry.release(slot)
    }

    #[inline]
    fn submit_write(&mut self, fd: IoFd, data: &[u8], offset: u64) -> Result<u64, StorageIoError> {
        let Registry { engine, files, .. } = self.registry.get_mut()?;
        engine.write_inline(fd, data, offset, &mut InlineExecutor { files })
    }

    #[inline]
    fn submit_append(&mut self, fd: IoFd, data: &[u8]) -> Result<u64, StorageIoError> {
        let Registry { engine, files, .. } = self.registry.get_mut()?;
        engine.append_inline(fd, data, &mut InlineExecutor { files })
    }

    #[inline]
    fn submit_datasync(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        let Registry { engine, files, .. } = self.registry.get_mut()?;
        engine.datasync_inline(fd, &mut InlineExecutor { files })
    }

    /// Nothing waits to be handed over: always `Ok(0)`, or `Closed`.
    #[inline]
    fn flush(&mut self) -> Result<usize, StorageIoError> {
        let registry = self.registry.get()?;
        if registry.engine.is_closed() { Err(StorageIoError::Closed) } else { Ok(0) }
    }

    #[inline]
    fn poll_completions(&mut self, out: &mut dyn CompletionSink) {
        if let Ok(registry) = self.registry.get_mut() {
            registry.engine.deliver(out);
        }
    }

    #[inline]
    fn pending_count(&self) -> usize {
        self.registry.peek().engine.pending_count()
    }
}

impl StorageIoExt for SyncBackend {
    type File = File;

    /// Never sleeps: what was accepted can be polled.
    fn wait(&mut self, _min: usize, _timeout: Option<Duration>) -> Result<usize, StorageIoError> {
        Ok(self.registry.get()?.engine.deliverable())
    }

    fn tail(&self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.registry.get()?.engine.tail(fd)
    }

    fn room(&self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.registry.get()?.engine.room(fd)
    }

    fn resume_append(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.registry.get_mut()?.engine.resume_append(fd)
    }

    fn max_write(&self) -> usize {
        self.registry.peek().engine.max_write()
    }

    fn can_accept(&self, fd: IoFd, len: usize) -> Result<(), StorageIoError> {
        self.registry.get()?.engine.can_accept(fd, len)
    }

    fn register_segment(
        &mut self,
        file: File,
        tail: u64,
        limit: u64,
    ) -> Result<IoFd, StorageIoError> {
        let purpose = Purpose::Segment { tail, limit };
        let (fd, _) = self.registry.get_mut()?.register(file, purpose)?;
        Ok(fd)
    }

    fn stats(&self) -> Stats {
        self.registry.peek().engine.stats()
    }

    fn file_status(&self, fd: IoFd) -> Result<FileStatus, StorageIoError> {
        self.registry.get()?.status(fd)
    }

    /// Needs no deadline: nothing is under way. Files are cut back and closed.
    ///
    /// # Errors
    /// `Closed`: already shut down. `Io`: a file could not be cut back to its tail.
    fn shutdown(&mut self, _deadline: Duration) -> Result<(), StorageIoError> {
        let registry = self.registry.get_mut()?;
        if registry.engine.is_closed() {
            return Err(StorageIoError::Closed);
        }
        registry.engine.close_admission();
        registry.release_all_idle()
    }
}

static_assertions::assert_impl_all!(SyncBackend: Send, crate::Backend);
