//! The interface over `std::fs::File`: [`StorageIo`], and with all extras: [`Backend`].
//!
//! Nothing is implemented here. A backend implements the traits of `ringzero_core`, and has these
//! through the blanket implementations below. [`StorageIo`] declares its methods itself, because
//! the methods of a super-trait are not in scope where only the sub-trait is imported.

use std::{fs::File, io, time::Duration};

use ringzero_core::{
    Claim, CompletionSink, FileStatus, IoFd, Stats, StorageIo as CoreStorageIo, StorageIoError,
    StorageIoExt,
};

use crate::event_source::{EventSource, WaitHandle};

/// Non-blocking storage I/O for a hot loop, over `std::fs::File`.
///
/// Every `submit_*` either refuses (`Err`, and nothing happened) or accepts: it returns a token
/// that this backend never used before, and exactly one completion with that token follows. None of
/// these methods allocates, locks or panics; only `register_fd` and `deregister_fd` may block.
///
/// Implemented for everything that implements [`ringzero_core::StorageIo`] with `File = File`; the
/// details of each method are told there.
///
/// ```
/// use ringzero::{StorageIo, StorageIoError};
///
/// /// Writes a file's first block and a record behind it, durably, on whatever backend. Spins: a
/// /// program would do something else meanwhile, or `wait`.
/// fn begin(io: &mut dyn StorageIo, file: std::fs::File) -> Result<(), StorageIoError> {
///     let fd = io.register_fd(file)?;
///     io.submit_write(fd, &[0; 512], 0)?;
///     io.submit_append(fd, b"the first record")?;
///     let durable = io.submit_datasync(fd)?;
///     io.flush()?;
///
///     let mut completions = Vec::with_capacity(8);
///     while io.pending_count() > 0 {
///         io.poll_completions(&mut completions);
///     }
///     let durable = completions.iter().find(|completion| completion.token == durable);
///     durable.map_or(Ok(0), |it| it.outcome()).map_err(StorageIoError::Io)?;
///     io.deregister_fd(fd)
/// }
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("log");
/// let mut io = ringzero::SyncBackend::new(&ringzero::Config::default())?;
/// begin(&mut io, std::fs::File::create(&path)?)?;
/// assert_eq!(std::fs::metadata(path)?.len(), 512 + 16);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait StorageIo: Send {
    /// Registers an open file and returns a handle. Cold path: may block.
    ///
    /// A file opened with O_DIRECT is written in whole aligned blocks. Positional writes must be
    /// whole blocks (`StorageIoExt::alignment`). Appends may be of any length: the block in which
    /// they end is padded with zeros, and written again with what comes next; closing cuts the
    /// padding off, and after a power cut it is there.
    ///
    /// # Errors
    /// The file is closed again. `QueueFull`: the table is full. `Io(EINVAL)`: a pipe, socket or
    /// directory; or O_DIRECT with an alignment above a page or a block of the engine, or none.
    /// `Io(EBADF)`: not open for writing; or O_DIRECT, not open for reading, and the tail is inside
    /// a block. `Io(EBUSY)`: the same file is registered. `Io` with another error: asking about the
    /// file failed, or append mode cannot be left. `Closed`: after shutdown.
    fn register_fd(&mut self, file: File) -> Result<IoFd, StorageIoError>;

    /// Finishes what was accepted on the file, then closes it. Cold path: may block, for at most
    /// `Config::close_deadline`. The handle is `BadFd` from then on.
    ///
    /// # Errors
    /// `BadFd`. `Io(ETIMEDOUT)`: I/O was still running at the deadline; its completions are still
    /// delivered, and once it has ended, slot and descriptor come back at the next call that may
    /// block (register, deregister, wait, shutdown). `Io` with another error: the file could not be
    /// cut back to its tail, or the kernel refused for good. `Closed`: after shutdown.
    fn deregister_fd(&mut self, fd: IoFd) -> Result<(), StorageIoError>;

    /// Writes `data` at `offset`. The slice is free when this returns.
    ///
    /// # Errors
    /// `QueueFull`, `BufferExhausted`: later. `Io(EMSGSIZE)`: longer than `max_write()`.
    /// `Io(EFBIG)`: ends beyond `i64::MAX`. `Io(EINVAL)`: offset `u64::MAX`; or offset or length is
    /// no multiple of the file's alignment. `Io` with the error that failed the file. `BadFd`.
    /// `Closed`.
    fn submit_write(&mut self, fd: IoFd, data: &[u8], offset: u64) -> Result<u64, StorageIoError>;

    /// Writes `data` at the file's tail and moves the tail. The slice is free when this returns.
    ///
    /// # Errors
    /// As [`StorageIo::submit_write`]; also `Io(EFBIG)`: would cross the limit given at
    /// registration; `Io` with the error of the append that failed.
    fn submit_append(&mut self, fd: IoFd, data: &[u8]) -> Result<u64, StorageIoError>;

    /// Makes durable every write and append of the file accepted so far.
    ///
    /// # Errors
    /// `QueueFull`: later. `Io` with the error that failed the file. `BadFd`. `Closed`.
    fn submit_datasync(&mut self, fd: IoFd) -> Result<u64, StorageIoError>;

    /// Hands what may run to the executor. Returns the number of requests handed over; a busy
    /// kernel is `Ok(0)`.
    ///
    /// # Errors
    /// `Closed`: after shutdown. `Io`: the kernel refused for good.
    fn flush(&mut self) -> Result<usize, StorageIoError>;

    /// Puts finished operations into `out`, oldest first: a `Vec<IoCompletion>`, a `heapless::Vec`
    /// or a [`SliceSink`](crate::SliceSink). Never blocks.
    fn poll_completions(&mut self, out: &mut dyn CompletionSink);

    /// Operations accepted and not yet delivered by `poll_completions`. 0 means nothing is owed.
    fn pending_count(&self) -> usize;
}

impl<T: CoreStorageIo<File = File> + ?Sized> StorageIo for T {
    #[inline]
    fn register_fd(&mut self, file: File) -> Result<IoFd, StorageIoError> {
        CoreStorageIo::register_fd(self, file)
    }

    #[inline]
    fn deregister_fd(&mut self, fd: IoFd) -> Result<(), StorageIoError> {
        CoreStorageIo::deregister_fd(self, fd)
    }

    #[inline]
    fn submit_write(&mut self, fd: IoFd, data: &[u8], offset: u64) -> Result<u64, StorageIoError> {
        CoreStorageIo::submit_write(self, fd, data, offset)
    }

    #[inline]
    fn submit_append(&mut self, fd: IoFd, data: &[u8]) -> Result<u64, StorageIoError> {
        CoreStorageIo::submit_append(self, fd, data)
    }

    #[inline]
    fn submit_datasync(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        CoreStorageIo::submit_datasync(self, fd)
    }

    #[inline]
    fn flush(&mut self) -> Result<usize, StorageIoError> {
        CoreStorageIo::flush(self)
    }

    #[inline]
    fn poll_completions(&mut self, out: &mut dyn CompletionSink) {
        CoreStorageIo::poll_completions(self, out);
    }

    #[inline]
    fn pending_count(&self) -> usize {
        CoreStorageIo::pending_count(self)
    }
}

/// All traits in one object: what [`open`](crate::open) returns a box of.
///
/// ```
/// use ringzero::{Backend, Config, IoFd, StorageIoError, SyncBackend, open};
///
/// /// All traits' methods, on whichever backend it is.
/// fn put(io: &mut dyn Backend, log: IoFd, record: &[u8]) -> Result<u64, StorageIoError> {
///     let position = io.tail(log)?; // StorageIoExt
///     io.submit_append(log, record)?; // StorageIo
///     io.prepare_wait()?; // EventSource
///     Ok(position)
/// }
///
/// let all: [Box<dyn Backend>; 2] =
///     [open(&Config::default())?.io, Box::new(SyncBackend::new(&Config::default())?)];
/// assert!(all.iter().all(|io| io.pending_count() == 0));
/// # let _ = put;
/// # Ok::<(), ringzero::SetupError>(())
/// ```
pub trait Backend: StorageIo + StorageIoExt<File = File> + EventSource {}

impl<T: StorageIo + StorageIoExt<File = File> + EventSource + ?Sized> Backend for T {}

/// A boxed backend is a backend, so that generic code takes what [`open`](crate::open) returns.
impl CoreStorageIo for Box<dyn Backend> {
    type File = File;

    fn register_fd(&mut self, file: File) -> Result<IoFd, StorageIoError> {
        (**self).register_fd(file)
    }

    fn deregister_fd(&mut self, fd: IoFd) -> Result<(), StorageIoError> {
        (**self).deregister_fd(fd)
    }

    #[inline]
    fn submit_write(&mut self, fd: IoFd, data: &[u8], offset: u64) -> Result<u64, StorageIoError> {
        (**self).submit_write(fd, data, offset)
    }

    #[inline]
    fn submit_append(&mut self, fd: IoFd, data: &[u8]) -> Result<u64, StorageIoError> {
        (**self).submit_append(fd, data)
    }

    #[inline]
    fn submit_datasync(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        (**self).submit_datasync(fd)
    }

    #[inline]
    fn flush(&mut self) -> Result<usize, StorageIoError> {
        (**self).flush()
    }

    #[inline]
    fn poll_completions(&mut self, out: &mut dyn CompletionSink) {
        (**self).poll_completions(out);
    }

    #[inline]
    fn pending_count(&self) -> usize {
        (**self).pending_count()
    }
}

impl StorageIoExt for Box<dyn Backend> {
    type File = File;

    fn wait(&mut self, min: usize, timeout: Option<Duration>) -> Result<usize, StorageIoError> {
        (**self).wait(min, timeout)
    }

    fn tail(&self, fd: IoFd) -> Result<u64, StorageIoError> {
        (**self).tail(fd)
    }

    fn room(&self, fd: IoFd) -> Result<u64, StorageIoError> {
        (**self).room(fd)
    }

    fn alignment(&self, fd: IoFd) -> Result<u32, StorageIoError> {
        (**self).alignment(fd)
    }

    fn resume_append(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        (**self).resume_append(fd)
    }

    fn max_write(&self) -> usize {
        (**self).max_write()
    }

    fn can_accept(&self, fd: IoFd, len: usize) -> Result<(), StorageIoError> {
        (**self).can_accept(fd, len)
    }

    fn register_segment(
        &mut self,
        file: File,
        tail: u64,
        limit: u64,
    ) -> Result<IoFd, StorageIoError> {
        (**self).register_segment(file, tail, limit)
    }

    fn register_directory(&mut self, file: File) -> Result<IoFd, StorageIoError> {
        (**self).register_directory(file)
    }

    fn submit_fsync(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        (**self).submit_fsync(fd)
    }

    fn submit_allocate(&mut self, fd: IoFd, offset: u64, len: u64) -> Result<u64, StorageIoError> {
        (**self).submit_allocate(fd, offset, len)
    }

    fn submit_truncate(&mut self, fd: IoFd, len: u64) -> Result<u64, StorageIoError> {
        (**self).submit_truncate(fd, len)
    }

    fn submit_punch(&mut self, fd: IoFd, offset: u64, len: u64) -> Result<u64, StorageIoError> {
        (**self).submit_punch(fd, offset, len)
    }

    fn submit_close(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        (**self).submit_close(fd)
    }

    fn durable_tail(&self, fd: IoFd) -> Result<u64, StorageIoError> {
        (**self).durable_tail(fd)
    }

    fn max_claim(&self) -> usize {
        (**self).max_claim()
    }

    fn claim_write(
        &mut self,
        fd: IoFd,
        len: usize,
        offset: u64,
    ) -> Result<Claim<'_>, StorageIoError> {
        (**self).claim_write(fd, len, offset)
    }

    fn claim_append(&mut self, fd: IoFd, len: usize) -> Result<Claim<'_>, StorageIoError> {
        (**self).claim_append(fd, len)
    }

    fn submit_writev(
        &mut self,
        fd: IoFd,
        slices: &[&[u8]],
        offset: u64,
    ) -> Result<u64, StorageIoError> {
        (**self).submit_writev(fd, slices, offset)
    }

    fn submit_appendv(&mut self, fd: IoFd, slices: &[&[u8]]) -> Result<u64, StorageIoError> {
        (**self).submit_appendv(fd, slices)
    }

    fn stats(&self) -> Stats {
        (**self).stats()
    }

    fn file_status(&self, fd: IoFd) -> Result<FileStatus, StorageIoError> {
        (**self).file_status(fd)
    }

    fn submit_read(&mut self, fd: IoFd, len: usize, offset: u64) -> Result<u64, StorageIoError> {
        (**self).submit_read(fd, len, offset)
    }

    fn read_bytes(&self, token: u64, skip: usize) -> Result<&[u8], StorageIoError> {
        (**self).read_bytes(token, skip)
    }

    fn release_read(&mut self, token: u64) -> Result<(), StorageIoError> {
        (**self).release_read(token)
    }

    fn shutdown(&mut self, deadline: Duration) -> Result<(), StorageIoError> {
        (**self).shutdown(deadline)
    }
}

impl EventSource for Box<dyn Backend> {
    fn wait_handle(&mut self) -> io::Result<WaitHandle> {
        (**self).wait_handle()
    }

    fn prepare_wait(&mut self) -> Result<bool, StorageIoError> {
        (**self).prepare_wait()
    }
}

static_assertions::assert_obj_safe!(StorageIo, Backend, EventSource, StorageIoExt<File = File>);
static_assertions::assert_impl_all!(dyn Backend: StorageIo, Send);
static_assertions::assert_impl_all!(Box<dyn Backend>: StorageIo, Backend, Send);
