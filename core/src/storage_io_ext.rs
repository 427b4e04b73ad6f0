//! What goes beyond the seed of the interface: [`StorageIoExt`].

use core::time::Duration;

use crate::{Claim, FileStatus, IoFd, Stats, StorageIoError};

/// Waiting, tails, limits, numbers and shutdown.
///
/// Apart from [`StorageIo`](crate::StorageIo), so that the eight methods stay the seed's and a
/// program that needs more asks for both.
pub trait StorageIoExt {
    /// What is registered: `std::fs::File` in the std backends.
    type File;

    /// Sleeps until at least `min` completions can be polled, or nothing more is pending, or
    /// `timeout` has passed (`None`: no limit). Returns how many can be polled now.
    ///
    /// The only call besides registration, deregistration and shutdown that may sleep. It hands
    /// over what may run first, as `flush` does, unless `min` completions are there already. A
    /// signal may end it early.
    ///
    /// # Errors
    /// `Closed` in a forked child. `Io`: the kernel refused for good, or (bound mode) this is
    /// another thread.
    fn wait(&mut self, min: usize, timeout: Option<Duration>) -> Result<usize, StorageIoError>;

    /// Where the next accepted append will begin, in bytes from the start of the file.
    ///
    /// # Errors
    /// `BadFd`; `Io(EINVAL)` for a device registered without a tail.
    fn tail(&self, fd: IoFd) -> Result<u64, StorageIoError>;

    /// Bytes that can still be appended before the limit given at registration.
    ///
    /// # Errors
    /// As [`StorageIoExt::tail`].
    fn room(&self, fd: IoFd) -> Result<u64, StorageIoError>;

    /// What offset and length of every positional write to this file must be a multiple of, in
    /// bytes: 1, or what O_DIRECT asks for if it was opened so. A write that is not is refused with
    /// `Io(EINVAL)`. Appends may be of any length; see `register_fd`.
    ///
    /// # Errors
    /// `BadFd`.
    fn alignment(&self, fd: IoFd) -> Result<u32, StorageIoError>;

    /// Takes appends again after one failed, and returns the tail: where the failed append began,
    /// or the end of the highest positional write accepted beyond that.
    ///
    /// Does nothing if no append failed.
    ///
    /// # Errors
    /// `QueueFull`: the failure has not been delivered yet, poll first. `Io`: the file is failed,
    /// and this is why. `BadFd`.
    fn resume_append(&mut self, fd: IoFd) -> Result<u64, StorageIoError>;

    /// The longest write or append that can ever be accepted, in bytes. For an append to a file
    /// with an [`alignment`](StorageIoExt::alignment) it is one byte less than that shorter.
    fn max_write(&self) -> usize;

    /// Whether an append of `len` bytes would be accepted now.
    ///
    /// # Errors
    /// What `submit_append` would answer.
    fn can_accept(&self, fd: IoFd, len: usize) -> Result<(), StorageIoError>;

    /// Registers a file to append to from `tail` on and never beyond `limit`, such as a segment
    /// whose blocks are already written. It is not cut back to the tail when closed. Block and
    /// character devices are taken too.
    ///
    /// # Errors
    /// As `register_fd`; `Io(EINVAL)` if `tail` is above `limit` or `limit` above `i64::MAX`
    /// or, of a file opened with O_DIRECT, not a multiple of its alignment.
    fn register_segment(
        &mut self,
        file: Self::File,
        tail: u64,
        limit: u64,
    ) -> Result<IoFd, StorageIoError>;

    /// Every byte appended below this position is durable: it survives power loss, as far as the
    /// device honours flushes. In bytes from the start of the file; never above the tail.
    ///
    /// 0 at registration. A datasync that succeeds moves it to where the tail was when that was
    /// accepted, at the latest when its completion can be polled; nothing moves it back. After an
    /// append that failed, what is appended in its place is not below it before a later datasync
    /// has succeeded. It speaks of appends: of positional writes only those that were accepted
    /// before the datasync which moved it, and did not fail.
    ///
    /// # Errors
    /// As [`StorageIoExt::tail`].
    fn durable_tail(&self, fd: IoFd) -> Result<u64, StorageIoError>;

    /// The longest claim, in bytes: one block.
    fn max_claim(&self) -> usize;

    /// Memory of the backend for a write of `len` bytes at `offset`, in one part: to be filled and
    /// submitted, without a copy. Nothing has happened before it is submitted.
    ///
    /// # Errors
    /// As `submit_write`; `Io(EMSGSIZE)`: longer than [`StorageIoExt::max_claim`].
    fn claim_write(
        &mut self,
        fd: IoFd,
        len: usize,
        offset: u64,
    ) -> Result<Claim<'_>, StorageIoError>;

    /// Memory of the backend for an append of `len` bytes, in one part or two.
    ///
    /// # Errors
    /// As `submit_append`; `Io(EMSGSIZE)`: longer than [`StorageIoExt::max_claim`].
    fn claim_append(&mut self, fd: IoFd, len: usize) -> Result<Claim<'_>, StorageIoError>;

    /// Writes several slices at `offset`, one behind the other, under one token: a header and its
    /// payload without a buffer to put them together in. All of them are free when this returns.
    ///
    /// In everything else it is `submit_write` of their concatenation: accepted or refused as a
    /// whole, and the completion's result is the sum of their lengths. Slices may be empty, and
    /// there may be none; nothing to write completes with 0.
    ///
    /// # Errors
    /// As `submit_write`, for the sum of the lengths.
    fn submit_writev(
        &mut self,
        fd: IoFd,
        slices: &[&[u8]],
        offset: u64,
    ) -> Result<u64, StorageIoError>;

    /// Writes several slices at the file's tail, one behind the other and nothing in between, under
    /// one token, and moves the tail. All of them are free when this returns.
    ///
    /// In everything else it is `submit_append` of their concatenation.
    ///
    /// # Errors
    /// As `submit_append`, for the sum of the lengths.
    fn submit_appendv(&mut self, fd: IoFd, slices: &[&[u8]]) -> Result<u64, StorageIoError>;

    /// Counters since construction.
    fn stats(&self) -> Stats;

    /// How one file is doing.
    ///
    /// # Errors
    /// `BadFd`.
    fn file_status(&self, fd: IoFd) -> Result<FileStatus, StorageIoError>;

    /// Finishes everything accepted, for at most `deadline`, and closes. What the deadline cuts off
    /// completes with ETIMEDOUT, outcome unknown. Completions are still delivered by
    /// `poll_completions`; everything else answers `Closed` from then on.
    ///
    /// # Errors
    /// `Io(ETIMEDOUT)`: something was cut off; its memory is leaked, because a kernel may still
    /// read it. `Closed`: already shut down.
    fn shutdown(&mut self, deadline: Duration) -> Result<(), StorageIoError>;
}
