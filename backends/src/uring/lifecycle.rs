//! Opening and closing: files, and the driver itself. The cold path.
//!
//! The memory belongs to the engine, and the kernel reads it. Invariant: it is given back only when
//! the kernel holds no request of ours; closing the ring does not end its requests, so whoever
//! cannot wait leaks it.
//!
//! # Safety
//! The registry is dropped by hand, once, in `drop`, and nothing uses it after.
#![allow(unsafe_code)]

use std::{
    fs::File,
    mem::{self, ManuallyDrop},
    time::{Duration, Instant},
};

use ringzero_core::{Errno, FileSlot, IoFd, StorageIoError};

use super::{
    bound::Access,
    driver::{Driver, Ending, OnSignal},
};
use crate::{files::Purpose, platform, report::Note};

/// `None` if it is beyond what the clock can tell: no deadline.
pub(super) fn deadline(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

impl Driver {
    /// Registers a file. In the thread-bound mode any thread may, until the ring has its owner.
    ///
    /// # Errors
    /// As `register_fd`.
    pub(super) fn register(
        &mut self,
        file: File,
        purpose: Purpose,
    ) -> Result<IoFd, StorageIoError> {
        self.look()?;
        self.release_ended();
        let (fd, slot) = self.registry.register(file, purpose)?;
        let Some(entry) = self.registry.files.get(slot) else {
            return Err(StorageIoError::Io(Errno::BADF));
        };
        platform::ask_whether_ready(entry.file());
        let submitter = self.ring.submitter();
        let refused = self.targets.insert(&submitter, slot, entry.file(), entry.rw_flags());
        if let Some(errno) = refused {
            let note = Note::FilesNotRegistered(errno);
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        Ok(fd)
    }

    /// Finishes what was accepted on a file, then closes it.
    ///
    /// # Errors
    /// As `deregister_fd`.
    pub(super) fn deregister(&mut self, fd: IoFd) -> Result<(), StorageIoError> {
        self.enter()?;
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
        let submitter = self.ring.submitter();
        self.targets.remove(&submitter, slot);
        self.registry.release(slot)
    }

    /// Gives back the slots of files whose deregistration ran into its deadline and whose last I/O
    /// has ended by now.
    fn release_ended(&mut self) {
        // After shutdown the files are closed: entries that were never taken must not be now.
        if self.owner.access() == Ok(Access::Granted) && !self.engine().is_closed() {
            self.turn();
        }
        self.release_idle();
    }

    /// The same, of what is known to have ended.
    pub(super) fn release_idle(&mut self) {
        while let Some(slot) = self.engine().next_idle_closing() {
            // The caller was told that the file did not close in time; nobody is left to tell.
            let _ = self.release(slot);
        }
    }

    /// Finishes everything accepted and closes all files.
    ///
    /// # Errors
    /// As `shutdown`.
    pub(super) fn shutdown(&mut self, timeout: Duration) -> Result<(), StorageIoError> {
        self.enter()?;
        if self.engine().is_closed() {
            return Err(StorageIoError::Closed);
        }
        self.engine_mut().close_admission();
        let ending = self.drive(deadline(timeout), OnSignal::GoOn, |engine| {
            engine.deliverable() == engine.pending_count()
        });
        let all_ended = match ending {
            Ok(Ending::Done) => Ok(()),
            Ok(_) => Err(StorageIoError::Io(Errno::TIMEDOUT)),
            Err(errno) => Err(StorageIoError::Io(errno)),
        };
        let slots: Vec<_> = self.engine().file_slots().collect();
        let mut cut_back = Ok(());
        for slot in slots {
            // A file with I/O under way is not cut: what is written then is unknown.
            if self.engine().is_idle(slot) {
                cut_back = cut_back.and(self.release(slot));
            } else {
                self.abandon_file(slot);
            }
        }
        if all_ended.is_err() {
            self.engine_mut().abandon();
        }
        all_ended.and(cut_back)
    }

    /// Lets go of a file with I/O under way. Its descriptor is leaked: close(2) may wait for that
    /// I/O (it does on NFS and FUSE), and an entry that the kernel has not taken yet may name it.
    fn abandon_file(&mut self, slot: FileSlot) {
        let submitter = self.ring.submitter();
        self.targets.remove(&submitter, slot);
        mem::forget(self.registry.files.remove(slot));
    }

    /// Waits until the kernel holds no request, for at most the drop deadline. Starts nothing:
    /// entries that were not handed over stay where they are, and go with the ring.
    fn outlast(&mut self) -> bool {
        if self.engine().is_closed() {
            // Shut down: everything ended, or the deadline cut it off and its answers are lost.
            return self.engine().in_flight() == 0;
        }
        let until = deadline(self.drop_deadline);
        loop {
            self.ring.reap(&mut self.registry.engine);
            // A polling thread takes entries by itself.
            let kept = if self.ring.is_polled() { 0 } else { self.ring.queued() };
            if self.engine().in_flight() as usize <= kept {
                return true;
            }
            let left =
                until.map_or(Duration::MAX, |it| it.saturating_duration_since(Instant::now()));
            // Fails at once on another thread than the owner's: nobody can wait then.
            if left.is_zero() || self.ring.outlast(left).is_err() {
                return false;
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.outlast() {
            // SAFETY: the kernel holds no request, so nothing reads the memory; this is the only
            // drop, and nothing uses the registry after.
            unsafe { ManuallyDrop::drop(&mut self.registry) };
            return;
        }
        let slots: Vec<_> = self.engine().file_slots().collect();
        for slot in slots {
            self.abandon_file(slot);
        }
    }
}
