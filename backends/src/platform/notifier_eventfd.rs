//! [`Notifier`] as an eventfd(2), of Linux.
//!
//! # Safety
//! One call of libc, which returns a descriptor that nobody else has.
#![allow(unsafe_code)]

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, BorrowedFd, FromRawFd},
    time::Duration,
};

use super::unix::sleep_on;

/// A descriptor that one thread makes readable and another one sleeps on.
#[derive(Debug)]
pub(crate) struct Notifier(File);

impl Notifier {
    /// Not readable.
    ///
    /// # Errors
    /// EMFILE, ENFILE, ENOMEM: eventfd(2).
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: takes two numbers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and nobody else's.
        Ok(Self(unsafe { File::from_raw_fd(fd) }))
    }

    /// Makes it readable. Never waits.
    pub(crate) fn notify(&self) {
        // EAGAIN says that the count is at its end: then it is readable.
        let _ = (&self.0).write(&1_u64.to_ne_bytes());
    }

    /// Makes it unreadable. Never waits.
    pub(crate) fn drain(&self) {
        // One read takes the whole count. EAGAIN says that it was 0.
        let _ = (&self.0).read(&mut [0; 8]);
    }

    /// Sleeps until it is readable or the time is up. May end early.
    ///
    /// # Errors
    /// ENOMEM.
    pub(crate) fn sleep(&self, timeout: Option<Duration>) -> io::Result<()> {
        sleep_on(self.as_fd(), timeout)
    }
}

impl AsFd for Notifier {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
