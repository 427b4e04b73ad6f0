//! Opening and closing: files, and the driver itself. The cold path.
//!
//! The memory belongs to the engine, and the executor reads it. Invariant: it is given back only
//! when the executor holds no request of ours and will begin none; whoever cannot wait for that
//! leaks it.
//!
//! # Safety
//! The registry is dropped by hand, once, in `drop`, and nothing uses it after.
#![allow(unsafe_code)]

use std::{
    fs::File,
    mem::{self, ManuallyDrop},
    time::Duration,
};

use ringzero_core::{Errno, FileSlot, FileStatus, IoFd, StorageIoError};

use super::{Driver, Ending, OnSignal, Transport, deadline};
use crate::files::Purpose;

impl<T: Transport> Driver<T> {
    /// Registers a file.
    ///
    /// # Errors
    /// As `register_fd`.
    pub(crate) fn register(
        &mut self,
        file: File,
        purpose: Purpose,
    ) -> Result<IoFd, StorageIoError> {
        self.release_ended();
        let (fd, slot) = self.registry.register(file, purpose)?;
        match self.registry.files.get(slot) {
            Some(entry) => self.transport.attach(slot, entry),
            None => return Err(StorageIoError::BadFd),
        }
        Ok(fd)
    }

    /// How one file is doing.
    ///
    /// # Errors
    /// `BadFd`.
    pub(crate) fn status(&self, fd: IoFd) -> Result<FileStatus, StorageIoError> {
        self.registry.status(fd)
    }

    /// Finishes what was accepted on a file, then closes it.
    ///
    /// # Errors
    /// As `deregister_fd`.
    pub(crate) fn deregister(&mut self, fd: IoFd) -> Result<(), StorageIoError> {
        self.release_ended();
        let slot = self.engine_mut().begin_close(fd)?;
        let until = deadline(self.registry.close_deadline);
        let ending = self.drive(until, OnSignal::GoOn, |engine| engine.is_idle(slot));
        match ending.map_err(StorageIoError::Io)? {
            Ending::Done => self.release(slot),
            Ending::TimedOut | Ending::Signal | Ending::Stalled => {
                Err(StorageIoError::Io(Errno::TIMEDOUT))
            }
        }
    }

    /// Gives back a slot on which no I/O is left.
    fn release(&mut self, slot: FileSlot) -> Result<(), StorageIoError> {
        self.transport.detach(slot);
        self.registry.release(slot)
    }

    /// Gives back the slots of files whose deregistration ran into its deadline and whose last I/O
    /// has ended by now.
    fn release_ended(&mut self) {
        // After shutdown the files are closed: requests that were never taken must not be now.
        if !self.engine().is_closed() {
            self.turn();
        }
        self.release_idle();
    }

    /// The same, of what is known to have ended.
    pub(crate) fn release_idle(&mut self) {
        while let Some(slot) = self.engine().next_idle_closing() {
            // The caller was told that the file did not close in time; nobody is left to tell.
            let _ = self.release(slot);
        }
    }

    /// Finishes everything accepted and closes all files.
    ///
    /// # Errors
    /// As `shutdown`.
    pub(crate) fn shutdown(&mut self, timeout: Duration) -> Result<(), StorageIoError> {
        if self.engine().is_closed() {
            return Err(StorageIoError::Closed);
        }
        self.engine_mut().close_admission();
        let until = deadline(timeout);
        let ending = self
            .drive(until, OnSignal::GoOn, |engine| engine.deliverable() == engine.pending_count());
        let all_ended = match ending {
            Ok(Ending::Done) => Ok(()),
            Ok(_) => Err(StorageIoError::Io(Errno::TIMEDOUT)),
            Err(errno) => Err(StorageIoError::Io(errno)),
        };
        self.transport.retire(&mut self.registry.engine, until);
        let slots: Vec<_> = self.engine().file_slots().collect();
        let mut cut_back = Ok(());
        for slot in slots {
            if self.engine().is_idle(slot) {
                cut_back = cut_back.and(self.release(slot));
            } else {
                self.abandon(slot);
            }
        }
        if all_ended.is_err() {
            self.engine_mut().abandon();
        }
        all_ended.and(cut_back)
    }

    /// Lets go of a file with I/O under way, and leaks its descriptor: close(2) may wait for that
    /// I/O (it does on NFS and FUSE), and a request that the executor still begins may name it. It
    /// is not cut back either: what is written then is unknown.
    fn abandon(&mut self, slot: FileSlot) {
        self.transport.detach(slot);
        mem::forget(self.registry.files.remove(slot));
    }
}

impl<T: Transport> Drop for Driver<T> {
    fn drop(&mut self) {
        // What a shutdown cut off was waited for once already.
        let was_cut_off = self.engine().is_closed() && self.engine().in_flight() > 0;
        let patience = if was_cut_off { Duration::ZERO } else { self.drop_deadline };
        let is_over = self.transport.retire(&mut self.registry.engine, deadline(patience));
        self.registry.forget_closed();
        if is_over {
            // SAFETY: the executor holds no request and begins none, so nothing reads the memory;
            // this is the only drop, and nothing uses the registry after.
            unsafe { ManuallyDrop::drop(&mut self.registry) };
            return;
        }
        let slots: Vec<_> = self.engine().file_slots().collect();
        for slot in slots {
            if self.engine().is_idle(slot) {
                drop(self.registry.files.remove(slot));
            } else {
                self.abandon(slot);
            }
        }
    }
}
