//! What can be asked about a file, and the numbers.

use core::time::Duration;

use super::{
    Engine,
    file::{AppendGate, Failure, Gate, Health, OpenFile},
    operation::Stage,
    stats::{FileStatus, Stats},
    storage::Storage,
};
use crate::{
    Errno, FileSlot, IoCompletion, IoFd, StorageIoError,
    table::{list::List, records::NIL},
};

impl OpenFile {
    /// Why the file is failed.
    pub(super) const fn failed(&self) -> Option<Errno> {
        match self.health {
            Health::Sound => None,
            Health::Failed(errno) | Health::Announced(errno) => Some(errno),
        }
    }
}

impl<S: Storage> Engine<S> {
    /// The slot of a registered file, failed or not.
    pub(super) fn known(&self, fd: IoFd) -> Result<u32, StorageIoError> {
        self.files.known(fd).ok_or(StorageIoError::BadFd)
    }

    /// The slot of a registered file, for a driver that treats some files in another way.
    ///
    /// # Errors
    /// `BadFd`.
    pub fn file_slot(&self, fd: IoFd) -> Result<FileSlot, StorageIoError> {
        Ok(FileSlot::at(self.known(fd)?))
    }

    fn stream(&self, fd: IoFd) -> Result<&OpenFile, StorageIoError> {
        let file = self.files.records.at(self.known(fd)?);
        match file.append_gate {
            AppendGate::Never => Err(StorageIoError::Io(Errno::INVAL)),
            _ => Ok(file),
        }
    }

    /// Where the next accepted append will begin.
    ///
    /// # Errors
    /// `BadFd`; `Io(EINVAL)` for a device registered without a tail.
    pub fn tail(&self, fd: IoFd) -> Result<u64, StorageIoError> {
        Ok(self.stream(fd)?.tail)
    }

    /// Every byte appended below this is durable; see
    /// [`StorageIoExt::durable_tail`](crate::StorageIoExt::durable_tail).
    ///
    /// # Errors
    /// As [`Engine::tail`].
    pub fn durable_tail(&self, fd: IoFd) -> Result<u64, StorageIoError> {
        Ok(self.stream(fd)?.durable_tail)
    }

    /// Bytes that can still be appended before the limit.
    ///
    /// # Errors
    /// As [`Engine::tail`].
    pub fn room(&self, fd: IoFd) -> Result<u64, StorageIoError> {
        let file = self.stream(fd)?;
        Ok(file.limit.saturating_sub(file.tail))
    }

    /// Whether an append of `len` bytes would be accepted now.
    ///
    /// # Errors
    /// What [`Engine::submit_append`] would answer.
    pub fn can_accept(&self, fd: IoFd, len: usize) -> Result<(), StorageIoError> {
        if self.is_closed {
            return Err(StorageIoError::Closed);
        }
        let slot = self.known(fd)?;
        let file = self.files.records.at(slot);
        let is_taken = match file.health {
            Health::Announced(errno) => return Err(StorageIoError::Io(errno)),
            Health::Failed(_) => self.append_offset(slot, len).map(|_| false)?,
            Health::Sound if file.gate == Gate::Altering => return Err(StorageIoError::QueueFull),
            Health::Sound => self.append_offset(slot, len)?.is_some(),
        };
        if len > self.max_write {
            return Err(StorageIoError::Io(Errno::MSGSIZE));
        }
        if self.operations.available(file.held) == 0 {
            return Err(StorageIoError::QueueFull);
        }
        // What is accepted only to be cancelled, and what is executed inline, needs no block.
        let needs_blocks = is_taken && len > 0 && self.blocks.has_memory();
        // The first one brings the bytes before it in its block along.
        let lead = if file.appends.is_empty() { file.beyond_floor(file.tail) as usize } else { 0 };
        if needs_blocks && !self.blocks.can_extend(&file.chain, &file.packing, lead + len) {
            return Err(StorageIoError::BufferExhausted);
        }
        Ok(())
    }

    /// What offset and length of every positional write must be a multiple of: 1 unless the file
    /// was registered with an alignment.
    ///
    /// # Errors
    /// `BadFd`.
    pub fn alignment(&self, fd: IoFd) -> Result<u32, StorageIoError> {
        Ok(self.files.records.at(self.known(fd)?).mask + 1)
    }

    /// Counters since construction.
    pub fn stats(&self) -> Stats {
        Stats {
            submitted: self.next_token - 1,
            pending_peak: self.stats.pending_peak.max(self.pending_count() as u32),
            blocks_peak: self.blocks.in_use_peak,
            ..self.stats
        }
    }

    /// How one file is doing at `now_ns`, on the clock of [`Engine::start`].
    ///
    /// # Errors
    /// `BadFd`.
    pub fn status(&self, fd: IoFd, now_ns: u64) -> Result<FileStatus, StorageIoError> {
        let file = self.files.records.at(self.known(fd)?);
        let others = [file.writes, file.syncs, file.reads]
            .into_iter()
            .filter_map(|list| self.oldest_sent(list));
        let oldest = file.lanes.oldest_sent_ns().into_iter().chain(others).min();
        Ok(FileStatus {
            pending: file.held - file.orphans - file.kept_reads,
            oldest_in_flight: oldest.map(|ns| Duration::from_nanos(now_ns.saturating_sub(ns))),
            kept_reads: file.kept_reads,
            unreported: file
                .unreported
                .map(|Failure { token, errno }| IoCompletion { token, result: -errno.number() }),
            failed: file.failed(),
            append_failed: match file.append_gate {
                AppendGate::Open | AppendGate::Never => None,
                AppendGate::Draining(errno)
                | AppendGate::Undelivered(errno)
                | AppendGate::Refusing(errno) => Some(errno),
            },
        })
    }

    /// When the operation longest with the executor was handed over.
    fn oldest_sent(&self, list: List) -> Option<u64> {
        let mut oldest: Option<u64> = None;
        let mut index = list.head;
        while index != NIL {
            let operation = self.operations.records.at(index);
            if matches!(operation.stage, Stage::Sent | Stage::SentSingly) {
                let ns = operation.started_ns;
                oldest = Some(oldest.map_or(ns, |known| known.min(ns)));
            }
            index = operation.links.next;
        }
        oldest
    }
}
