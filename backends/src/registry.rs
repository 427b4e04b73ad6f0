//! What every driver does the same way: [`Registry`], an engine and the files that it knows by
//! slot.
//!
//! Registration and closing are here, once. How requests are carried out is not: a driver borrows
//! `engine` and `files` apart and brings its own executor.
//!
//! Invariant: a slot is taken in `engine` if and only if it has an entry in `files`.

use std::{fs::File, time::Duration};

use ringzero_core::{Boxed, Engine, FileSlot, FileStatus, IoFd, StableMemory, StorageIoError};

use crate::{
    config::{Config, ConfigError},
    files::{Files, Purpose},
    memory, platform,
    setup_error::SetupError,
};

/// An engine over memory `M`, and its files.
#[derive(Debug)]
pub(crate) struct Registry<M: StableMemory> {
    pub(crate) engine: Engine<Boxed<M>>,
    pub(crate) files: Files,
    /// `Config::close_deadline`.
    pub(crate) close_deadline: Duration,
}

impl<M: StableMemory> Registry<M> {
    /// An engine without files, for a configuration that passed its check. `memory` is of
    /// `config.limits.memory_bytes()`.
    ///
    /// # Errors
    /// `SetupError::Memory`.
    pub(crate) fn new(config: &Config, memory: M) -> Result<Self, SetupError> {
        let parts = memory::tables(&config.limits, memory)?;
        let engine = Engine::new(&config.limits, parts).map_err(ConfigError::Limits)?;
        let files = Files::new(&config.limits)?;
        Ok(Self { engine, files, close_deadline: config.close_deadline })
    }

    /// Registers a file.
    ///
    /// # Errors
    /// The file is closed, and nothing else happened. `Closed`, `QueueFull`, and what
    /// [`Files::admit`] finds.
    pub(crate) fn register(
        &mut self,
        file: File,
        purpose: Purpose,
    ) -> Result<(IoFd, FileSlot), StorageIoError> {
        if self.engine.is_closed() {
            return Err(StorageIoError::Closed);
        }
        let admitted = self.files.admit(file, purpose)?;
        let (fd, slot) = self.engine.register_behind(admitted.registration, &admitted.lead)?;
        match admitted.into_entry() {
            Ok(entry) => {
                self.files.insert(slot, entry);
                Ok((fd, slot))
            }
            Err(errno) => {
                self.revoke(fd);
                Err(StorageIoError::Io(errno))
            }
        }
    }

    /// Takes back a registration of which the caller was not told.
    fn revoke(&mut self, fd: IoFd) {
        if let Ok(slot) = self.engine.begin_close(fd) {
            // Nothing was written, so there is nothing to cut back.
            let _ = self.release(slot);
        }
    }

    /// Gives back a slot without I/O whose closing has begun, or any slot without I/O after
    /// shutdown: cuts the file back to its tail if the backend wrote beyond it, and closes it. Of
    /// one that an executor has closed only the slot is left.
    ///
    /// # Errors
    /// `Io`: the file could not be cut back. It is closed and the slot is free all the same.
    pub(crate) fn release(&mut self, slot: FileSlot) -> Result<(), StorageIoError> {
        let was_closed = self.engine.was_closed(slot);
        let cut_to = self.engine.finish_close(slot);
        match (self.files.remove(slot), cut_to) {
            (Some(entry), _) if was_closed => {
                entry.forget();
                Ok(())
            }
            (Some(entry), Some(byte_count)) => {
                entry.cut_back(byte_count).map_err(StorageIoError::Io)
            }
            _ => Ok(()),
        }
    }

    /// Forgets the files that an executor has closed, whose slots were not released since.
    pub(crate) fn forget_closed(&mut self) {
        for slot in self.engine.file_slots().filter(|slot| self.engine.was_closed(*slot)) {
            if let Some(entry) = self.files.remove(slot) {
                entry.forget();
            }
        }
    }

    /// Releases every slot without I/O, after shutdown. The others are left as they are.
    ///
    /// # Errors
    /// The first error of [`Registry::release`]; all are released all the same.
    pub(crate) fn release_all_idle(&mut self) -> Result<(), StorageIoError> {
        let mut result = Ok(());
        // Each turn frees a slot, so the bound is never reached.
        for _ in 0..self.engine.limits().files {
            let mut slots = self.engine.file_slots();
            let Some(slot) = slots.find(|slot| self.engine.is_idle(*slot)) else { break };
            drop(slots);
            result = result.and(self.release(slot));
        }
        result
    }

    /// How one file is doing.
    ///
    /// # Errors
    /// `BadFd`.
    pub(crate) fn status(&self, fd: IoFd) -> Result<FileStatus, StorageIoError> {
        self.engine.status(fd, platform::now_ns())
    }
}
