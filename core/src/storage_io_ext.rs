//! What goes beyond the seed of the interface: [`StorageIoExt`].

use core::time::Duration;

use crate::{
    Claim, CompletionSink, FileStatus, IoCompletion, IoFd, Stats, StorageIo, StorageIoError,
    completion::Lookout,
};

/// Waiting, reads, tails, limits, files' lives, numbers and shutdown.
///
/// Apart from [`StorageIo`](crate::StorageIo), so that the eight methods stay the seed's and a
/// program that needs more asks for both.
///
/// ```
/// use core::time::Duration;
/// use ringzero_core::{CompletionSink, IoFd, StorageIo, StorageIoError, StorageIoExt};
///
/// type Result<T> = core::result::Result<T, StorageIoError>;
///
/// /// A record with its length before it, durably; gives the position behind it.
/// fn commit<S: StorageIo + StorageIoExt>(
///     io: &mut S,
///     log: IoFd,
///     record: &[u8],
///     out: &mut dyn CompletionSink,
/// ) -> Result<u64> {
///     let length = (record.len() as u32).to_le_bytes();
///     io.can_accept(log, 4 + record.len())?;
///     io.submit_appendv(log, &[&length, record])?;
///     let commit = io.submit_datasync(log)?;
///     while io.wait_for(commit, Some(Duration::from_millis(100)), out)?.is_none() {}
///     io.durable_tail(log)
/// }
///
/// /// The same without a copy, and without waiting.
/// fn append<S: StorageIoExt>(io: &mut S, log: IoFd, record: &[u8]) -> Result<u64> {
///     if record.len() > io.max_claim() || record.len() as u64 > io.room(log)? {
///         return io.submit_appendv(log, &[record]);
///     }
///     let mut claim = io.claim_append(log, record.len())?;
///     claim.copy_in(0, record);
///     claim.submit()
/// }
///
/// /// A page at its place, in two parts or claimed.
/// fn page<S: StorageIoExt>(io: &mut S, fd: IoFd, halves: [&[u8]; 2]) -> Result<()> {
///     assert_eq!(4_096 % io.alignment(fd)?, 0);
///     assert!(io.max_write() >= 4_096);
///     io.submit_writev(fd, &halves, 0)?;
///     let mut claim = io.claim_write(fd, 4_096, 4_096)?;
///     claim.copy_in(0, halves[0]);
///     claim.submit()?;
///     Ok(())
/// }
///
/// /// After a failure that leaves the file usable.
/// fn go_on<S: StorageIoExt>(io: &mut S, log: IoFd) -> Result<u64> {
///     match io.file_status(log)?.append_failed {
///         Some(_) => io.resume_append(log),
///         None => io.tail(log),
///     }
/// }
///
/// /// A file's life. Each gives a token, whose completion says how it went.
/// fn life<S: StorageIoExt>(io: &mut S, file: S::File, folder: S::File) -> Result<()> {
///     let names = io.register_directory(folder)?;
///     let data = io.register_segment(file, 0, 1 << 20)?;
///     io.submit_allocate(data, 0, 1 << 20)?;
///     io.submit_fsync(data)?;
///     io.submit_fsync(names)?;
///     Ok(())
/// }
///
/// /// One alteration at a time: a second one is `QueueFull` until the first has ended.
/// fn end<S: StorageIoExt>(io: &mut S, data: IoFd, is_wanted: bool) -> Result<u64> {
///     match (io.tail(data)?, is_wanted) {
///         (0, _) => io.submit_close(data),
///         (_, true) => io.submit_punch(data, 0, 4_096), // the oldest page
///         (_, false) => io.submit_truncate(data, 0),
///     }
/// }
///
/// /// The first bytes of a file.
/// fn magic<S: StorageIo + StorageIoExt>(
///     io: &mut S,
///     fd: IoFd,
///     out: &mut dyn CompletionSink,
/// ) -> Result<[u8; 4]> {
///     let token = io.submit_read(fd, 4, 0)?;
///     let Some(read) = io.wait_for(token, None, out)? else { return Err(StorageIoError::Closed) };
///     read.outcome().map_err(StorageIoError::Io)?;
///     let mut magic = [0; 4];
///     magic.iter_mut().zip(io.read_bytes(token, 0)?).for_each(|(to, from)| *to = *from);
///     io.release_read(token)?;
///     Ok(magic)
/// }
///
/// /// The end of the program. True if everything was merged well.
/// fn stop<S: StorageIoExt>(io: &mut S) -> Result<bool> {
///     io.wait(usize::MAX, Some(Duration::from_secs(1)))?; // for all that is pending
///     io.shutdown(Duration::from_secs(10))?;
///     let stats = io.stats();
///     Ok(stats.kernel_requests() * 10 < stats.submitted)
/// }
/// ```
pub trait StorageIoExt {
    /// What is registered: `std::fs::File` in the std backends. It is that of
    /// [`StorageIo`](crate::StorageIo), in every backend here; code that needs to know it asks for
    /// `S: StorageIo + StorageIoExt<File = <S as StorageIo>::File>`.
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

    /// Waits for one operation: delivers into `out`, and sleeps, until the completion of `token`
    /// has been delivered, and returns that. Cold: for callers that have nothing else to do.
    ///
    /// All that comes before it goes into `out` too, and so does it. Each sleep is a
    /// [`wait`](StorageIoExt::wait) for at most `timeout`, so the time begins anew with every
    /// completion.
    ///
    /// `None`: it was not delivered. The time was up, a signal came, or what is left hangs in a
    /// simulation: it may be waited for again. Or `out` has no room; or it was delivered before, or
    /// never given out, and nothing is pending.
    ///
    /// # Errors
    /// As `wait`.
    fn wait_for(
        &mut self,
        token: u64,
        timeout: Option<Duration>,
        out: &mut dyn CompletionSink,
    ) -> Result<Option<IoCompletion>, StorageIoError>
    where
        Self: StorageIo + Sized,
    {
        loop {
            if self.wait(1, timeout)? == 0 {
                return Ok(None);
            }
            let mut lookout = Lookout { token, found: None, passed_count: 0, out: &mut *out };
            self.poll_completions(&mut lookout);
            if lookout.found.is_some() || lookout.passed_count == 0 {
                return Ok(lookout.found);
            }
        }
    }

    /// Where the next accepted append will begin, in bytes from the start of the file.
    ///
    /// It is the only length of a file that a backend knows, and there is no other `len`: of a file
    /// registered whole it is what the length will be once everything accepted has been written.
    /// Of a segment it says nothing of the length.
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

    /// Registers a directory, for syncs alone: what was made, renamed or removed in it is durable
    /// once a sync of it has succeeded (fsync(2), DESCRIPTION). Both kinds of sync are full ones
    /// here; everything else is refused with `Io(EINVAL)`. It need not be open for writing.
    ///
    /// # Errors
    /// As `register_fd`; `Io(EINVAL)` if it is no directory, or on a system that syncs none.
    fn register_directory(&mut self, file: Self::File) -> Result<IoFd, StorageIoError>;

    /// Makes durable every write, append and alteration of the file accepted so far, as
    /// `submit_datasync` does, and all its metadata too, such as its times: fsync(2).
    ///
    /// # Errors
    /// As `submit_datasync`.
    fn submit_fsync(&mut self, fd: IoFd) -> Result<u64, StorageIoError>;

    /// Reserves blocks for `offset..offset + len`, so that writing there finds room: fallocate(2).
    /// Neither size nor contents nor tail change. The completion's result is 0.
    ///
    /// It begins at once, beside whatever is under way. A file has one unfinished alteration at
    /// most; an alteration is what this method and the next three submit. One that fails changes
    /// nothing, and the file stays usable; one that succeeds is durable after a sync accepted
    /// later.
    ///
    /// # Errors
    /// `QueueFull`: later; an alteration of the file is unfinished, or as for writes. `Io(EFBIG)`:
    /// ends beyond `i64::MAX`. `Io(EINVAL)`: a device registered without a tail, or a directory.
    /// `Io` with the error that failed the file. `BadFd`. `Closed`. The completion says
    /// EOPNOTSUPP where the file system cannot.
    fn submit_allocate(&mut self, fd: IoFd, offset: u64, len: u64) -> Result<u64, StorageIoError>;

    /// Makes the file `len` bytes long; what is added is zeros: ftruncate(2). Then the tail is
    /// `len`, also of a segment. The completion's result is 0.
    ///
    /// It begins when everything accepted on the file before has ended; until it has ended itself,
    /// writes, appends and reads are `QueueFull`, and syncs wait. If it fails the tail stays where
    /// it was. It does not take the place of `resume_append`. After a power cut the file may have
    /// either size, or one between, until a sync accepted later has succeeded.
    ///
    /// # Errors
    /// As [`StorageIoExt::submit_allocate`]; `Io(EFBIG)`: beyond the limit given at registration;
    /// `Io(EINVAL)`: `len` is no multiple of the file's alignment.
    fn submit_truncate(&mut self, fd: IoFd, len: u64) -> Result<u64, StorageIoError>;

    /// Makes `offset..offset + len` zeros and gives its blocks back; the size stays: fallocate(2)
    /// with FALLOC_FL_PUNCH_HOLE. The tail stays, too. The completion's result is 0.
    ///
    /// It has its place in the order as [`StorageIoExt::submit_truncate`] has.
    ///
    /// # Errors
    /// As [`StorageIoExt::submit_allocate`]; `Io(EINVAL)`: `offset` or `len` is no multiple of the
    /// file's alignment.
    fn submit_punch(&mut self, fd: IoFd, offset: u64, len: u64) -> Result<u64, StorageIoError>;

    /// Closes the file as `deregister_fd` does, without waiting: the handle is `BadFd` from here
    /// on, what was accepted goes on, and the completion of the token comes last. Then the file is
    /// cut back if `deregister_fd` would do that, and closed, and its slot is free for a
    /// registration. There is no deadline: a file that hangs keeps its slot.
    ///
    /// The result is 0, or the error of cutting back or of close(2); the file is closed all the
    /// same. If a write that ended beyond the file failed, cutting back may lengthen it instead,
    /// with zeros up to the tail.
    ///
    /// # Errors
    /// Nothing happened. `QueueFull`: later, as above. `BadFd`. `Closed`: shutdown closes the file.
    fn submit_close(&mut self, fd: IoFd) -> Result<u64, StorageIoError>;

    /// Every byte appended below this position is durable: it survives power loss, as far as the
    /// device honours flushes. In bytes from the start of the file; never above the tail.
    ///
    /// 0 at registration. A datasync that succeeds moves it to where the tail was when that was
    /// accepted, at the latest when its completion can be polled; nothing but a truncation moves it
    /// back. After an
    /// append that failed, what is appended in its place is not below it before a later datasync
    /// has succeeded. It speaks of appends: of positional writes only those that were accepted
    /// before the datasync which moved it, and did not fail. While
    /// [`append_failed`](FileStatus::append_failed) says so, an append whose completion is still to
    /// be polled may have failed although it is below: ask after a poll.
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

    /// Reads `len` bytes from `offset` on, into memory of the backend.
    ///
    /// The completion's result is how many bytes were read: fewer than `len` at the end of the file
    /// only, 0 behind it. (That is the [`tail`](StorageIoExt::tail) when the read is accepted; of a
    /// segment or a device, what the operating system says.) From the poll that delivers it on,
    /// [`read_bytes`](StorageIoExt::read_bytes) shows them, until
    /// [`release_read`](StorageIoExt::release_read): every read that succeeded is to be released,
    /// or it keeps its operation and its blocks, which the file then lacks. One that failed has
    /// nothing to release.
    ///
    /// A read sees every write and append of the file accepted before it, and of those accepted
    /// after it none (but behind the tail of a segment, where appends do not wait for reads). Reads
    /// of one file complete in any order. They are possible on a failed file, too. With O_DIRECT,
    /// offset and length may be any.
    ///
    /// There is no form that reads into the caller's memory. The kernel would have to be done with
    /// that when the call returns, so the call would wait for the device, with the backend borrowed
    /// and nobody else served; and memory that O_DIRECT takes is aligned. The copy is as long as
    /// the one that the kernel makes out of its cache.
    ///
    /// # Errors
    /// `QueueFull`, `BufferExhausted`: later; if nothing is pending, only once a read is released,
    /// of those that [`FileStatus::kept_reads`] counts. `Io(EMSGSIZE)`: longer than `max_write()`,
    /// or with O_DIRECT, with what must be read around it. `Io(EFBIG)`: ends beyond `i64::MAX`.
    /// `Io(EINVAL)`: offset `u64::MAX`. `BadFd`. `Closed`. Of a file that is not open for reading
    /// the completion says EBADF; of one on FUSE, read through io_uring, EOPNOTSUPP: the kernel has
    /// a fault there.
    fn submit_read(&mut self, fd: IoFd, len: usize, offset: u64) -> Result<u64, StorageIoError>;

    /// The bytes of a read that was delivered with success, from its byte `skip` on: all of them if
    /// the read was no longer than a block of the configuration, otherwise those that lie in one
    /// piece, and the rest behind a larger `skip`. None from the end of the read on.
    ///
    /// # Errors
    /// `Io(EINVAL)`: no read with this token was delivered with success, or it was released.
    fn read_bytes(&self, token: u64, skip: usize) -> Result<&[u8], StorageIoError>;

    /// Gives the memory of a read back. Its file may be closed by now.
    ///
    /// # Errors
    /// As [`StorageIoExt::read_bytes`].
    fn release_read(&mut self, token: u64) -> Result<(), StorageIoError>;

    /// Finishes everything accepted, for at most `deadline`, and closes. What the deadline cuts off
    /// completes with ETIMEDOUT, outcome unknown. Completions are still delivered by
    /// `poll_completions`; everything else answers `Closed` from then on.
    ///
    /// # Errors
    /// `Io(ETIMEDOUT)`: something was cut off; its memory is leaked, because a kernel may still
    /// read it. `Closed`: already shut down.
    fn shutdown(&mut self, deadline: Duration) -> Result<(), StorageIoError>;
}
