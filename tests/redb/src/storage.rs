//! [`RingzeroStorage`]: redb's storage backend over any backend of ringzero.
//!
//! redb calls it from several threads and expects every call to be over when it returns, so the
//! backend is behind a lock, and a caller that waits keeps it. *Writes* do not wait: they are
//! accepted, and gather until a flush or a sync. *Reads* see what was written before, because the
//! engine orders them; so nothing is kept here, not even the length, which is the tail.
//!
//! A write that fails when nobody looks makes the storage *failed*: redb believes that the bytes
//! are there, so from then on every call answers with that error, a sync included. (A read that
//! returned old bytes, or a sync that succeeded for what came later, would be a lie.)
//!
//! Invariants: under the lock, a token is in `awaited` from its acceptance until its caller has
//! taken its result, and all tokens that are not are of writes; between calls `awaited` is empty
//! and no read is unreleased.

use std::{
    collections::BTreeMap,
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redb::StorageBackend;
use ringzero::{Errno, IoCompletion, IoFd, Limits, StorageIoError, StorageIoExt};
use ringzero::{errno_of, to_io_error};
use ringzero_core::StorageIo;

/// Bytes that are read in one piece: what one request carries at most.
const READ_BYTES: usize = 1 << 20;
/// So many bytes are written before they are handed over without being asked for.
const FLUSH_BYTES: usize = 256 << 10;

/// A file that redb can keep a database in. Clones are the same file.
pub struct RingzeroStorage<B>(Arc<Mutex<Inner<B>>>);

struct Inner<B> {
    io: B,
    fd: IoFd,
    /// The first error of a write, or of a sync: nothing is answered any more.
    failed: Option<Errno>,
    /// Of reads, syncs and truncates: what their callers wait for.
    awaited: BTreeMap<u64, Option<Result<u32, Errno>>>,
    unflushed_bytes: usize,
    polled: Vec<IoCompletion>,
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

impl<B: StorageIo + StorageIoExt> RingzeroStorage<B> {
    /// Registers the file with the backend.
    ///
    /// # Errors
    /// What the backend refuses it with.
    pub fn new(mut io: B, file: <B as StorageIo>::File) -> io::Result<Self> {
        let fd = io.register_fd(file).map_err(to_io_error)?;
        let polled = Vec::with_capacity(64);
        let awaited = BTreeMap::new();
        let inner = Inner { io, fd, failed: None, awaited, unflushed_bytes: 0, polled };
        Ok(Self(Arc::new(Mutex::new(inner))))
    }

    /// The backend, between two calls.
    pub fn with<T>(&self, look: impl FnOnce(&mut B) -> T) -> T {
        look(&mut self.lock().io)
    }

    fn lock(&self) -> MutexGuard<'_, Inner<B>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B: StorageIo + StorageIoExt> Inner<B> {
    fn check(&self) -> io::Result<()> {
        match self.failed {
            Some(errno) => Err(to_io_error(StorageIoError::Io(errno))),
            None => Ok(()),
        }
    }

    /// Waits for at least one completion and takes in all there are.
    fn progress(&mut self) -> io::Result<()> {
        self.io.wait(1, None).map_err(to_io_error)?;
        self.unflushed_bytes = 0;
        self.io.poll_completions(&mut self.polled);
        for completion in self.polled.drain(..) {
            match self.awaited.get_mut(&completion.token) {
                Some(place) => *place = Some(completion.outcome()),
                None => self.failed = self.failed.or(completion.outcome().err()),
            }
        }
        Ok(())
    }

    /// Calls until it is accepted, making room meanwhile.
    fn submit(
        &mut self,
        mut call: impl FnMut(&mut B, IoFd) -> Result<u64, StorageIoError>,
    ) -> io::Result<u64> {
        loop {
            match call(&mut self.io, self.fd) {
                Err(StorageIoError::QueueFull | StorageIoError::BufferExhausted)
                    if self.io.pending_count() > 0 =>
                {
                    self.progress()?;
                }
                answer => return answer.map_err(to_io_error),
            }
        }
    }

    /// The same, for a call whose result someone waits for.
    fn submit_awaited(
        &mut self,
        call: impl FnMut(&mut B, IoFd) -> Result<u64, StorageIoError>,
    ) -> io::Result<u64> {
        let token = self.submit(call)?;
        self.awaited.insert(token, None);
        Ok(token)
    }

    /// Waits for the result of an awaited token.
    fn result(&mut self, token: u64) -> io::Result<usize> {
        loop {
            if let Some(Some(outcome)) = self.awaited.get(&token).copied() {
                self.awaited.remove(&token);
                let byte_count = outcome.map_err(|errno| to_io_error(StorageIoError::Io(errno)))?;
                return Ok(byte_count as usize);
            }
            self.progress()?;
        }
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        let most = self.io.max_write();
        for (piece, at) in data.chunks(most).zip((offset..).step_by(most)) {
            self.submit(|io, fd| io.submit_write(fd, piece, at))?;
        }
        self.unflushed_bytes += data.len();
        if self.unflushed_bytes >= FLUSH_BYTES {
            self.unflushed_bytes = 0;
            self.io.flush().map_err(to_io_error)?;
        }
        Ok(())
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.check()?;
        let most = self.io.max_write().min(READ_BYTES);
        for (piece, at) in out.chunks_mut(most).zip((offset..).step_by(most)) {
            self.read_piece(at, piece)?;
        }
        // A write that it had to wait for may have failed, and then it saw old bytes.
        self.check()
    }

    fn read_piece(&mut self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let token = self.submit_awaited(|io, fd| io.submit_read(fd, out.len(), offset))?;
        let byte_count = self.result(token)?;
        let mut filled = 0;
        while filled < byte_count {
            let bytes = self.io.read_bytes(token, filled).map_err(to_io_error)?;
            out[filled..filled + bytes.len()].copy_from_slice(bytes);
            filled += bytes.len();
        }
        self.io.release_read(token).map_err(to_io_error)?;
        if byte_count < out.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.check()?;
        let token = self.submit_awaited(|io, fd| io.submit_truncate(fd, len))?;
        self.result(token)?;
        self.check()
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.check()?;
        let token = self.submit_awaited(|io, fd| io.submit_datasync(fd))?;
        if let Err(error) = self.result(token) {
            self.failed = self.failed.or(Some(errno_of(&error)));
        }
        self.check()
    }

    /// Finishes everything and closes the file.
    fn close(&mut self) -> io::Result<()> {
        while self.io.pending_count() > 0 {
            self.progress()?;
        }
        self.io.deregister_fd(self.fd).map_err(to_io_error)?;
        self.check()
    }
}

impl<B: StorageIo + StorageIoExt + 'static> StorageBackend for RingzeroStorage<B> {
    fn len(&self) -> io::Result<u64> {
        let inner = self.lock();
        inner.io.tail(inner.fd).map_err(to_io_error)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.lock().read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.lock().set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.lock().sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.lock().write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.lock().close()
    }
}
