//! [`Notifier`] as a pipe(2), where there is no eventfd.
//!
//! # Safety
//! Two calls of fcntl(2) on a descriptor that is open.
#![allow(unsafe_code)]

use std::{
    io::{self, PipeReader, PipeWriter, Read, Write},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    time::Duration,
};

use super::unix::sleep_on;

/// A descriptor that one thread makes readable and another one sleeps on.
#[derive(Debug)]
pub(crate) struct Notifier {
    reader: PipeReader,
    writer: PipeWriter,
}

/// Makes calls on a descriptor return EAGAIN instead of waiting.
fn never_wait(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is open, and F_GETFL takes nothing.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is open, and F_SETFL takes an int.
    let result = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

impl Notifier {
    /// Not readable.
    ///
    /// # Errors
    /// Those of pipe(2) and fcntl(2).
    pub(crate) fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        never_wait(reader.as_fd())?;
        never_wait(writer.as_fd())?;
        Ok(Self { reader, writer })
    }

    /// Makes it readable. Never waits.
    pub(crate) fn notify(&self) {
        // EAGAIN says that the pipe is full: then it is readable.
        let _ = (&self.writer).write(&[1]);
    }

    /// Makes it unreadable. Never waits.
    pub(crate) fn drain(&self) {
        let mut bytes = [0; 64];
        while (&self.reader).read(&mut bytes).is_ok_and(|count| count == bytes.len()) {}
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
        self.reader.as_fd()
    }
}
