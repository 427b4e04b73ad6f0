//! [`WaitHandle`]: what a thread sleeps on until a backend has something for it.
//!
//! It owns a share of the backend's notifier, so a sleep borrows nothing. It says when to look, and
//! never what there is: whoever is awake asks the backend.

#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::{io, sync::Arc, time::Duration};

use super::Notifier;

/// What a thread sleeps on, of [`EventSource::wait_handle`](crate::EventSource::wait_handle).
///
/// It is *readable* when there may be something to poll, and stays so until the next
/// [`prepare_wait`](crate::EventSource::prepare_wait). Clones are the same handle, on any thread,
/// for as long as they are kept; once its backend is dropped nothing but [`WaitHandle::wake`] makes
/// it readable.
///
/// On Unix it is a descriptor (`AsFd`, `AsRawFd`) for epoll, kqueue, mio and tokio, which must be
/// neither read nor written. Without a loop, [`WaitHandle::sleep`] is poll(2).
///
/// ```
/// use ringzero::{Backend, Config, StorageIoError, WaitHandle, open, to_io_error};
/// use std::{sync::Mutex, time::Duration};
///
/// /// Lets other threads at the backend while this one sleeps.
/// fn drain(shared: &Mutex<Box<dyn Backend>>, handle: &WaitHandle) -> std::io::Result<()> {
///     let mut completions = Vec::new();
///     loop {
///         let mut io = shared.lock().unwrap();
///         io.poll_completions(&mut completions);
///         if io.pending_count() == 0 {
///             return Ok(());
///         }
///         let may_sleep = io.prepare_wait().map_err(to_io_error)?;
///         drop(io);
///         if may_sleep {
///             handle.sleep(None)?;
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("log");
/// let mut io = open(&Config::default())?.io;
/// let log = io.register_fd(std::fs::File::create(path)?)?;
/// io.submit_append(log, b"a record")?;
/// io.submit_datasync(log)?;
/// # #[cfg(unix)] {
/// let handle = io.wait_handle()?;
/// drain(&Mutex::new(io), &handle)?;
///
/// let other = handle.clone();
/// std::thread::spawn(move || other.wake());
/// handle.sleep(None)?;
/// # }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct WaitHandle(Arc<Notifier>);

impl WaitHandle {
    /// The handle of a notifier.
    pub(crate) fn of(notifier: &Arc<Notifier>) -> Self {
        Self(Arc::clone(notifier))
    }

    /// Sleeps until it is readable, for at most `timeout` (`None`: no limit). May end early, by a
    /// signal, so whoever returns from it polls.
    ///
    /// # Errors
    /// ENOMEM, of poll(2).
    pub fn sleep(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.sleep(timeout)
    }

    /// Makes it readable: ends the sleep of whoever is asleep on it, or is about to be.
    ///
    /// For a backend that several threads use behind a lock. While one sleeps, another that polls
    /// ends the arming, and may be given what the sleeper waits for: before it unlocks it prepares
    /// again, and wakes the sleeper if that answers `false`, or if what the sleeper waits for is
    /// there. Preparing takes a wake-up back: it is given again after each preparation, until the
    /// sleeper has locked.
    pub fn wake(&self) {
        self.0.notify();
    }
}

#[cfg(unix)]
impl AsFd for WaitHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(unix)]
impl AsRawFd for WaitHandle {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

static_assertions::assert_impl_all!(WaitHandle: Send, Sync);
