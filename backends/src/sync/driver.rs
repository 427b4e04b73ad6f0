//! [`SyncDriver`]: which submissions are executed at once, and running what was queued.
//!
//! Reads are always queued: their bytes are to stay somewhere.
//!
//! Invariants: no request is with anybody when a call returns; with [`SyncMode::Immediate`] nothing
//! is queued either, so what was accepted can be delivered.
//!
//! # Safety
//! `ClaimHost` asks that a claim finds the same engine as long as it lives: a driver has one, from
//! construction to drop.
#![allow(unsafe_code)]

use std::{fs::File, io, sync::Arc};

use ringzero_core::{Boxed, ClaimHost, CompletionSink, Engine, IoFd, StorageIoError};

use super::executor::SyncExecutor;
use crate::{
    config::{Config, SyncMode},
    files::{Entry, Purpose},
    fork::ProcessBound,
    memory::Region,
    platform::{self, Notifier},
    registry::Registry,
    setup_error::SetupError,
};

type SyncEngine = Engine<Boxed<Region>>;

/// Of which files submissions of one slice are copied into blocks. The others' are executed
/// straight from the caller's slice. A file's never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copied {
    Nothing,
    /// Of those that want aligned memory.
    Direct,
    Everything,
}

#[derive(Debug)]
pub(super) struct SyncDriver {
    pub(super) registry: Registry<Region>,
    mode: SyncMode,
    copied: Copied,
    /// Files whose closing was submitted and has not been executed.
    closing: u32,
    /// Made when it is first asked for.
    notifier: Option<Arc<Notifier>>,
    /// Whether an event loop may be asleep on it.
    is_armed: bool,
}

// SAFETY: the engine is a field, and nothing here touches the field itself.
unsafe impl ClaimHost for ProcessBound<SyncDriver> {
    type Storage = Boxed<Region>;

    fn claim_engine(&mut self) -> Result<&mut SyncEngine, StorageIoError> {
        Ok(&mut self.get_mut()?.registry.engine)
    }

    fn claim_submitted(&mut self, _: IoFd, _: u64, _: u64, _: [&[u8]; 2]) {
        if let Ok(driver) = self.get_mut() {
            driver.run_if_immediate();
        }
    }
}

impl SyncDriver {
    /// For a configuration that passed its check. The memory takes up room only where it is used.
    ///
    /// # Errors
    /// `SetupError::Memory`.
    pub(super) fn new(config: &Config) -> Result<Self, SetupError> {
        let region = Region::new(config.limits.memory_bytes()).map_err(SetupError::Memory)?;
        let mode = config.sync.mode;
        let copied = match mode {
            SyncMode::Immediate => Copied::Nothing,
            SyncMode::UntilFlush => Copied::Everything,
        };
        Ok(Self {
            registry: Registry::new(config, region)?,
            mode,
            copied,
            closing: 0,
            notifier: None,
            is_armed: false,
        })
    }

    pub(super) fn register(
        &mut self,
        file: File,
        purpose: Purpose,
    ) -> Result<IoFd, StorageIoError> {
        let (fd, slot) = self.registry.register(file, purpose)?;
        let is_direct = self.registry.files.get(slot).is_some_and(Entry::is_direct);
        if is_direct && self.copied == Copied::Nothing {
            self.copied = Copied::Direct;
        }
        Ok(fd)
    }

    /// Whether the file's submissions of one slice are copied.
    #[inline]
    fn is_copied(&self, fd: IoFd) -> bool {
        self.copied != Copied::Nothing && self.is_one_of_the_copied(fd)
    }

    /// The same, where it depends on the file. What the engine does not know it refuses either way.
    fn is_one_of_the_copied(&self, fd: IoFd) -> bool {
        let Registry { engine, files, .. } = &self.registry;
        let entry = || files.get(engine.file_slot(fd).ok()?);
        self.copied == Copied::Everything || entry().is_some_and(Entry::is_direct)
    }

    /// Accepts a submission: with `inline`, executed from the caller's slice, or with `queued`, by
    /// the file. What is queued is run at once, unless it is to wait for the flush.
    #[inline]
    pub(super) fn submit(
        &mut self,
        fd: IoFd,
        inline: impl FnOnce(&mut SyncEngine, &mut SyncExecutor<'_>) -> Result<u64, StorageIoError>,
        queued: impl FnOnce(&mut SyncEngine) -> Result<u64, StorageIoError>,
    ) -> Result<u64, StorageIoError> {
        if !self.is_copied(fd) {
            let Registry { engine, files, .. } = &mut self.registry;
            return inline(engine, &mut SyncExecutor { files });
        }
        self.submit_queued(queued)
    }

    /// Accepts a submission that goes through the engine's blocks, whatever the file, and runs it
    /// at once, unless it is to wait for the flush.
    #[inline]
    pub(super) fn submit_queued(
        &mut self,
        queued: impl FnOnce(&mut SyncEngine) -> Result<u64, StorageIoError>,
    ) -> Result<u64, StorageIoError> {
        let token = queued(&mut self.registry.engine)?;
        self.run_if_immediate();
        Ok(token)
    }

    /// Executes what was just queued, unless it is to wait for the flush.
    fn run_if_immediate(&mut self) {
        if self.mode == SyncMode::Immediate {
            self.run();
        }
    }

    /// Executes everything that is queued, and returns the number of requests. Ends, because each
    /// turn ends operations or sends one again, which the engine does a bounded number of times.
    fn run(&mut self) -> usize {
        let Registry { engine, files, .. } = &mut self.registry;
        let mut count = 0;
        while engine.has_ready() {
            count += engine.start(platform::now_ns(), &mut SyncExecutor { files });
        }
        self.release_closed();
        count
    }

    /// Gives back the slots of files that have been closed.
    fn release_closed(&mut self) {
        while self.closing > 0
            && let Some(slot) = self.registry.engine.next_idle_closing()
        {
            self.closing -= 1;
            // What went wrong was the result of the closing.
            let _ = self.registry.release(slot);
        }
    }

    /// Accepts the closing of a file.
    pub(super) fn submit_close(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.closing += 1;
        let answer = self.submit_queued(|engine| engine.submit_close(fd));
        if answer.is_err() {
            self.closing -= 1;
        }
        answer
    }

    /// Executes what is queued. Returns the number of requests.
    ///
    /// # Errors
    /// `Closed`: after shutdown.
    #[inline]
    pub(super) fn flush(&mut self) -> Result<usize, StorageIoError> {
        if self.registry.engine.is_closed() {
            return Err(StorageIoError::Closed);
        }
        let count = self.run();
        if self.is_armed && self.registry.engine.deliverable() > 0 {
            self.notifier.iter().for_each(|it| it.notify());
            self.is_armed = false;
        }
        Ok(count)
    }

    /// Executes what is queued if it is due, and delivers what is finished.
    #[inline]
    pub(super) fn poll(&mut self, out: &mut dyn CompletionSink) {
        self.is_armed = false;
        if self.registry.engine.has_ready() && self.registry.engine.is_group_due() {
            self.run();
        }
        self.registry.engine.deliver(out);
    }

    /// Executes what is queued if fewer than `min` completions can be polled. Returns how many can.
    pub(super) fn wait(&mut self, min: usize) -> usize {
        if self.registry.engine.deliverable() < min {
            self.run();
        }
        self.registry.engine.deliverable()
    }

    /// What an event loop may sleep on.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn notifier(&mut self) -> io::Result<&Arc<Notifier>> {
        let notifier = match self.notifier.take() {
            Some(notifier) => notifier,
            None => Arc::new(Notifier::new()?),
        };
        Ok(self.notifier.insert(notifier))
    }

    /// Executes what is queued. Returns whether nothing is left to poll: then the next flush that
    /// executes something, or finds it executed, makes the notifier readable.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn prepare_wait(&mut self) -> io::Result<bool> {
        self.notifier()?.drain();
        self.run();
        self.is_armed = self.registry.engine.pending_count() == 0;
        Ok(self.is_armed)
    }

    /// Executes what is queued, also on other files, and closes this one.
    ///
    /// # Errors
    /// `BadFd`, `Closed`. `Io`: the file could not be cut back to its tail.
    pub(super) fn deregister(&mut self, fd: IoFd) -> Result<(), StorageIoError> {
        let slot = self.registry.engine.begin_close(fd)?;
        self.run();
        self.registry.release(slot)
    }

    /// Executes what is queued and closes every file.
    ///
    /// # Errors
    /// `Closed`: already shut down. `Io`: a file could not be cut back to its tail.
    pub(super) fn shutdown(&mut self) -> Result<(), StorageIoError> {
        if self.registry.engine.is_closed() {
            return Err(StorageIoError::Closed);
        }
        self.registry.engine.close_admission();
        self.run();
        self.registry.release_all_idle()
    }
}
