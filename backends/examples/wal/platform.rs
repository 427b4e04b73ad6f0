//! The three things that differ by operating system. The only file of the example with `cfg`.
//!
//! # Safety
//! Two calls of libc: one is given memory that lives on the stack for its duration, the other no
//! memory at all.
#![allow(unsafe_code)]

use std::{io, path::Path};

#[cfg(unix)]
pub(crate) use unix::{ignore_file_size_signal, is_ready, sync_directory};

#[cfg(not(unix))]
pub(crate) use other::{ignore_file_size_signal, is_ready, sync_directory};

#[cfg(unix)]
mod unix {
    use std::{
        fs::File,
        os::fd::{AsFd, AsRawFd},
    };

    use super::{Path, io};

    /// Whether a read would return at once: with data, the end or an error (poll(2)).
    pub(crate) fn is_ready(source: &impl AsFd) -> bool {
        let fd = source.as_fd().as_raw_fd();
        let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: one structure, and it outlives the call; a timeout of 0 does not block.
        let count = unsafe { libc::poll(&raw mut poll, 1, 0) };
        // On an error the read itself will tell.
        count != 0
    }

    /// Makes the folder's entries durable: a new file may be gone after a power failure otherwise,
    /// however often it was synced (fsync(2), DESCRIPTION).
    pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    /// Lets a write beyond the file size limit (ulimit -f) fail with EFBIG. By default it ends the
    /// process (signal(7), SIGXFSZ), and a library cannot decide that for its host.
    pub(crate) fn ignore_file_size_signal() {
        // SAFETY: no handler is installed, so no code runs in a signal context.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    }
}

#[cfg(not(unix))]
mod other {
    use super::{Path, io};

    /// Not known here: reads, and blocks if it has to.
    pub(crate) fn is_ready<T>(_source: &T) -> bool {
        true
    }

    /// Folders cannot be opened and synced here.
    pub(crate) fn sync_directory(_path: &Path) -> io::Result<()> {
        Ok(())
    }

    /// There is no such signal here.
    pub(crate) fn ignore_file_size_signal() {}
}
