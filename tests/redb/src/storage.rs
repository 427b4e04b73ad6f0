//! [`RingzeroStorage`]: redb's storage backend over any backend of ringzero.
//!
//! redb calls it from several threads and expects every call to be over when it returns. *Writes*
//! do not wait: they are accepted, and gather until a flush or a sync. *Reads* see what was written
//! before, because the engine orders them; so nothing is kept here, not even the length, which is
//! the tail. Who waits, and how, is in [`Shared`].
//!
//! A write that fails when nobody looks makes the storage *failed*: redb believes that the bytes
//! are there, so from then on every call answers with that error, a sync included. (A read that
//! returned old bytes, or a sync that succeeded for what came later, would be a lie.)
//!
//! Invariant: a read is released before its caller has let go of the lock.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use redb::StorageBackend;
use ringzero::{Errno, EventSource, IoFd, Limits, StorageIoError, StorageIoExt, to_io_error};
use ringzero_core::StorageIo;

use crate::shared::{Shared, State};

/// Bytes that are read in one piece: what one request carries at most.
const READ_BYTES: usize = 1 << 20;
/// So many bytes are written before they are handed over without being asked for.
const FLUSH_BYTES: usize = 256 << 10;

/// A file that redb can keep a database in. Clones are the same file.
pub struct RingzeroStorage<B>(Arc<Inner<B>>);

struct Inner<B> {
    shared: Shared<B>,
    fd: IoFd,
    max_write: usize,
    unflushed_bytes: AtomicUsize,
}

/// The limits of a backend with one file for a database: 8 MiB of blocks.
pub fn limits() -> Limits {
    Limits { files: 1, blocks_common: 126, ..Limits::default() }
}

impl<B> Clone for RingzeroStorage<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B> fmt::Debug for RingzeroStorage<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingzeroStorage").finish_non_exhaustive()
    }
}

fn from_errno(errno: Errno) -> io::Error {
    to_io_error(StorageIoError::Io(errno))
}

impl<B: StorageIo + StorageIoExt + EventSource> RingzeroStorage<B> {
    /// Registers the file with the backend.
    ///
    /// # Errors
    /// What the backend refuses it with, or why it has no handle to sleep on.
    pub fn new(mut io: B, file: <B as StorageIo>::File) -> io::Result<Self> {
        let fd = io.register_fd(file).map_err(to_io_error)?;
        let (max_write, unflushed_bytes) = (io.max_write(), AtomicUsize::new(0));
        Ok(Self(Arc::new(Inner { shared: Shared::new(io)?, fd, max_write, unflushed_bytes })))
    }

    /// The backend, between two calls.
    pub fn with<T>(&self, look: impl FnOnce(&mut B) -> T) -> T {
        look(&mut self.0.shared.lock().io)
    }

    fn read_piece(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (fd, len) = (self.0.fd, out.len());
        let take = |state: &mut State<B>, token, outcome: Result<u32, Errno>| {
            let byte_count = outcome.map_err(from_errno)? as usize;
            let mut filled = 0;
            while filled < byte_count {
                let bytes = state.io.read_bytes(token, filled).map_err(to_io_error)?;
                out[filled..filled + bytes.len()].copy_from_slice(bytes);
                filled += bytes.len();
            }
            state.io.release_read(token).map_err(to_io_error)?;
            // A write that it had to wait for may have failed, and then it saw old bytes.
            state.check()?;
            if byte_count < len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(())
        };
        self.0.shared.call(|io| io.submit_read(fd, len, offset), take)
    }
}

impl<B: StorageIo + StorageIoExt + EventSource + 'static> StorageBackend for RingzeroStorage<B> {
    fn len(&self) -> io::Result<u64> {
        self.0.shared.lock().io.tail(self.0.fd).map_err(to_io_error)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let most = self.0.max_write.min(READ_BYTES);
        for (piece, at) in out.chunks_mut(most).zip((offset..).step_by(most)) {
            self.read_piece(at, piece)?;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let take = |state: &mut State<B>, _, outcome: Result<u32, Errno>| {
            outcome.map_err(from_errno)?;
            state.check()
        };
        self.0.shared.call(|io| io.submit_truncate(self.0.fd, len), take)
    }

    fn sync_data(&self) -> io::Result<()> {
        let take = |state: &mut State<B>, _, outcome: Result<u32, Errno>| {
            state.failed = state.failed.or(outcome.err());
            state.check()
        };
        self.0.shared.call(|io| io.submit_datasync(self.0.fd), take)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let Inner { shared, fd, max_write, unflushed_bytes } = &*self.0;
        for (piece, at) in data.chunks(*max_write).zip((offset..).step_by(*max_write)) {
            let (mut state, _) = shared.submit(|io| io.submit_write(*fd, piece, at))?;
            let unflushed = unflushed_bytes.load(Ordering::Relaxed) + piece.len();
            let is_due = unflushed >= FLUSH_BYTES;
            unflushed_bytes.store(if is_due { 0 } else { unflushed }, Ordering::Relaxed);
            if is_due {
                state.io.flush().map_err(to_io_error)?;
            }
        }
        Ok(())
    }

    /// Finishes everything and closes the file.
    fn close(&self) -> io::Result<()> {
        let mut state = self.0.shared.drain()?;
        state.io.deregister_fd(self.0.fd).map_err(to_io_error)?;
        state.check()
    }
}
