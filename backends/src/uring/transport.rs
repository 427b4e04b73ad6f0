//! [`RingTransport`]: a ring, its targets and its owner, as the driver uses them.
//!
//! Invariant: the memory of the engine is read only by requests that the kernel has taken. Entries
//! that it has not taken go with the ring, unless a polling thread takes them by itself.

use std::{
    io,
    os::fd::AsFd,
    sync::Arc,
    time::{Duration, Instant},
};

use ringzero_core::{Errno, FileSlot, StorageIoError};

use super::{
    bound::{Access, Owner},
    executor::UringExecutor,
    ring::Ring,
    targets::Targets,
};
use crate::{
    driver::{QueuedEngine, Transport, Wake},
    files::Entry,
    platform::{self, Notifier},
    report::Note,
};

pub(super) struct RingTransport {
    pub(super) ring: Ring,
    pub(super) targets: Targets,
    pub(super) owner: Owner,
    pub(super) notes: Vec<Note>,
    /// Made when it is first asked for, and then registered with the ring.
    pub(super) notifier: Option<Arc<Notifier>>,
}

impl RingTransport {
    #[cold]
    fn claim(&mut self) -> Result<(), StorageIoError> {
        self.ring.enable().map_err(StorageIoError::Io)?;
        self.owner.claim();
        Ok(())
    }
}

impl Transport for RingTransport {
    type Executor<'a> = UringExecutor<'a>;

    /// In the thread-bound mode the calling thread becomes the owner if there is none.
    ///
    /// # Errors
    /// `Io(EEXIST)`: another thread owns the ring. `Io`: the ring cannot be enabled.
    #[inline]
    fn enter(&mut self) -> Result<(), StorageIoError> {
        match self.owner.access()? {
            Access::Granted => Ok(()),
            Access::Unclaimed => self.claim(),
        }
    }

    /// In the thread-bound mode any thread may, until the ring has its owner.
    ///
    /// # Errors
    /// `Io(EEXIST)`.
    #[inline]
    fn look(&self) -> Result<(), StorageIoError> {
        self.owner.access().map(|_| ())
    }

    fn attach(&mut self, slot: FileSlot, entry: &Entry) {
        platform::ask_whether_ready(entry.file());
        let submitter = self.ring.submitter();
        let refused = self.targets.insert(&submitter, slot, entry);
        if let Some(errno) = refused {
            let note = Note::FilesNotRegistered(errno);
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    fn detach(&mut self, slot: FileSlot) {
        let submitter = self.ring.submitter();
        self.targets.remove(&submitter, slot);
    }

    #[inline]
    fn executor(&mut self) -> UringExecutor<'_> {
        self.ring.executor(&self.targets)
    }

    #[inline]
    fn queued(&mut self) -> usize {
        self.ring.queued()
    }

    #[inline]
    fn is_polled(&self) -> bool {
        self.ring.is_polled()
    }

    #[inline]
    fn hand_over(&mut self) -> Result<usize, Errno> {
        self.ring.submit()
    }

    /// Works on what waits for the owner's thread; queued entries go along.
    #[inline]
    fn admit_answers(&mut self) {
        if self.ring.is_flagged() {
            let _ = self.ring.submit();
        }
    }

    fn notifier(&mut self) -> io::Result<&Arc<Notifier>> {
        let notifier = match self.notifier.take() {
            Some(notifier) => notifier,
            None => {
                let notifier = Arc::new(Notifier::new()?);
                self.ring.register(notifier.as_fd())?;
                notifier
            }
        };
        Ok(self.notifier.insert(notifier))
    }

    fn arm(&mut self) -> Result<(), Errno> {
        self.notifier.iter().for_each(|it| it.drain());
        self.ring.arm()
    }

    #[inline]
    fn disarm(&mut self) {
        self.ring.disarm();
    }

    #[inline]
    fn reap(&mut self, engine: &mut QueuedEngine) {
        self.ring.reap(engine);
    }

    fn sleep(&mut self, timeout: Option<Duration>) -> Result<Wake, Errno> {
        self.ring.sleep(timeout)
    }

    fn retire(&mut self, engine: &mut QueuedEngine, until: Option<Instant>) -> bool {
        loop {
            self.ring.reap(engine);
            let kept = if self.ring.is_polled() { 0 } else { self.ring.queued() };
            if engine.in_flight() as usize <= kept {
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
