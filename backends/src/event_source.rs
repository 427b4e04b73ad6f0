//! [`EventSource`]: a backend in an event loop that also waits for other things.
//!
//! Nothing is implemented here. The loop is the caller's: epoll(7), kqueue(2), mio, tokio.

use std::io;

use ringzero_core::StorageIoError;

pub use crate::platform::WaitHandle;

/// Sleeping on a descriptor, together with sockets and timers, instead of in
/// [`wait`](ringzero_core::StorageIoExt::wait).
///
/// One turn of a loop:
///
/// 1. do what the sources ask for, and submit;
/// 2. [`poll_completions`](crate::StorageIo::poll_completions), and what follows from them;
/// 3. [`prepare_wait`](EventSource::prepare_wait): if it says `false`, go to 2;
/// 4. sleep on [`wait_handle`](EventSource::wait_handle) and the other sources.
///
/// A loop that does not sleep calls neither, and pays nothing for them.
///
/// ```
/// # #[cfg(unix)] {
/// use ringzero::{Config, IoCompletion, open};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("log");
/// let mut io = open(&Config::default())?.io;
/// let log = io.register_fd(std::fs::File::create(path)?)?;
/// let handle = io.wait_handle()?;
/// io.submit_append(log, b"a record")?;
/// let commit = io.submit_datasync(log)?;
///
/// let mut completions = Vec::with_capacity(16);
/// while io.pending_count() > 0 {
///     if io.prepare_wait()? {
///         handle.sleep(None)?; // a loop with a single source
///     }
///     io.poll_completions(&mut completions);
/// }
/// assert_eq!(completions.last(), Some(&IoCompletion { token: commit, result: 0 }));
/// # Ok(()) }
/// # main().unwrap()
/// # }
/// ```
pub trait EventSource {
    /// What becomes readable when completions may be there, after
    /// [`prepare_wait`](EventSource::prepare_wait) said `true`. The same for the life of the
    /// backend, which is not borrowed by it; it must be neither read nor written.
    ///
    /// Made by the first call, which may block and, in the thread-bound mode, makes the calling
    /// thread the owner. An eventfd(2) on Linux, a pipe elsewhere on Unix.
    ///
    /// It may be readable with nothing there: whoever finds it so polls, and prepares again before
    /// the next sleep. It stays readable until then, so level-triggered and edge-triggered loops
    /// both work.
    ///
    /// # Errors
    /// Those of the system: EMFILE, ENFILE, ENOMEM. `Unsupported` where there is no such thing.
    /// `Closed`, as [`to_io_error`](crate::to_io_error) makes it, in a forked child. EEXIST
    /// (thread-bound mode): this is another thread.
    fn wait_handle(&mut self) -> io::Result<WaitHandle>;

    /// The last call before a sleep: hands over what may run, as
    /// [`flush`](crate::StorageIo::flush) does, and arms the handle. Returns whether the caller may
    /// sleep on it.
    ///
    /// - `true`: nothing can be polled now. If anything is pending, the handle becomes readable
    ///   when that may have changed. If nothing is pending, it stays as it is: a loop without other
    ///   sources asks [`pending_count`](crate::StorageIo::pending_count) first.
    /// - `false`: do not sleep but poll. Completions can be polled, or the kernel is short of
    ///   something and only another attempt will tell when it no longer is.
    ///
    /// An answer makes the handle readable; the steps that follow from it, such as a data-sync
    /// after the writes it covers, may need the next poll. Answers signal at most once for each
    /// batch that the kernel, or an I/O thread, gives back, and only between this call and the next
    /// poll.
    ///
    /// The arming holds while operations are submitted and flushed. Any call that polls or may
    /// block (`poll_completions`, `wait`, registration, closing) ends it: prepare again before
    /// sleeping. What is submitted after this call without a flush is handed over by nobody.
    ///
    /// Never blocks, but for the synchronous backend, which executes what is queued.
    ///
    /// # Errors
    /// `Closed` in a forked child. `Io`: the kernel refused for good, the handle cannot be made, or
    /// (thread-bound mode) this is another thread. Do not sleep after any of them.
    fn prepare_wait(&mut self) -> Result<bool, StorageIoError>;
}
