//! The interface: [`StorageIo`], its eight methods and nothing else.

use crate::{CompletionSink, IoFd, StorageIoError};

/// Non-blocking storage I/O for a hot loop.
///
/// Every `submit_*` either refuses (`Err`, and nothing happened) or accepts: it returns a token
/// that this backend never used before, and exactly one completion with that token follows. None of
/// these methods allocates, locks or panics; only `register_fd` and `deregister_fd` may block.
///
/// The std form with `File = std::fs::File` is `ringzero::StorageIo`.
///
/// ```
/// use ringzero_core::{IoCompletion, SliceSink, StorageIo, StorageIoError};
///
/// /// Writes a file's first block and a record behind it, durably, on whatever backend. Spins: a
/// /// program would do something else meanwhile, or `wait`.
/// fn begin<S: StorageIo>(io: &mut S, file: S::File) -> Result<(), StorageIoError> {
///     let fd = io.register_fd(file)?;
///     io.submit_write(fd, &[0; 512], 0)?;
///     io.submit_append(fd, b"the first record")?;
///     let durable = io.submit_datasync(fd)?;
///     io.flush()?;
///
///     let mut memory = [IoCompletion::default(); 4];
///     while io.pending_count() > 0 {
///         let mut sink = SliceSink::new(&mut memory);
///         io.poll_completions(&mut sink);
///         for completion in sink.filled().iter().filter(|it| it.token == durable) {
///             completion.outcome().map_err(StorageIoError::Io)?;
///         }
///     }
///     io.deregister_fd(fd)
/// }
/// ```
pub trait StorageIo: Send {
    /// What is registered: `std::fs::File` in the std backends.
    type File;

    /// Registers an open file and returns a handle. Cold path: may block.
    ///
    /// Appends go to the end the file has now. If the file is open in append mode the flag is
    /// cleared. The backend must be the file's only writer.
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
    /// file failed. `Closed`: after shutdown.
    fn register_fd(&mut self, file: Self::File) -> Result<IoFd, StorageIoError>;

    /// Finishes what was accepted on the file, then closes it. Cold path: may block, for at most
    /// the configured close deadline. The handle is `BadFd` from then on.
    ///
    /// # Errors
    /// `BadFd`. `Io(ETIMEDOUT)`: I/O was still running at the deadline; its completions are still
    /// delivered, and once it has ended, slot and descriptor come back at the next call that may
    /// block (register, deregister, wait, shutdown). `Closed`: after shutdown.
    fn deregister_fd(&mut self, fd: IoFd) -> Result<(), StorageIoError>;

    /// Writes `data` at `offset`. The slice is free when this returns.
    ///
    /// Overlapping writes of one file take effect in the order of submission. The completion's
    /// result is `data.len()`, or an error; then any of the bytes in the range may have been
    /// written, and none outside it.
    ///
    /// # Errors
    /// `QueueFull`, `BufferExhausted`: later. `Io(EMSGSIZE)`: longer than `max_write()`.
    /// `Io(EFBIG)`: ends beyond `i64::MAX`. `Io(EINVAL)`: offset `u64::MAX`; or offset or length is
    /// no multiple of the file's alignment. `Io` with the error that failed the file. `BadFd`.
    /// `Closed`.
    fn submit_write(&mut self, fd: IoFd, data: &[u8], offset: u64) -> Result<u64, StorageIoError>;

    /// Writes `data` at the file's tail and moves the tail. The slice is free when this returns.
    ///
    /// What succeeds is a prefix of what was accepted: when an append fails, those accepted later
    /// complete with ECANCELED, and from the poll that delivers the failure on, further ones are
    /// refused until `resume_append`.
    ///
    /// # Errors
    /// As [`StorageIo::submit_write`]; also `Io(EFBIG)`: would cross the limit given at
    /// registration; `Io` with the error of the append that failed.
    fn submit_append(&mut self, fd: IoFd, data: &[u8]) -> Result<u64, StorageIoError>;

    /// Makes durable every write and append of the file accepted so far. Datasyncs of one file
    /// complete in the order of submission.
    ///
    /// Succeeds (result 0) only if they all succeeded, other than failures that an earlier datasync
    /// reported, and a data-sync of the operating system that began after the last of them ended
    /// returned success.
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

    /// Puts finished operations into `out`, oldest first. Never blocks.
    ///
    /// If nothing is finished it hands what may run to the executor, as `flush` does.
    fn poll_completions(&mut self, out: &mut dyn CompletionSink);

    /// Operations accepted and not yet delivered by `poll_completions`. 0 means nothing is owed.
    fn pending_count(&self) -> usize;
}
