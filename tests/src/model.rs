//! [`Model`]: what a call may answer, a completion may say and a byte may be.
//!
//! Written from the contract, sentence by sentence, and from nothing else; it knows neither blocks
//! nor merging nor lanes. It is told what was submitted and what came back, may look at the disk
//! (which errors were injected, what is in a file), and says whether that is allowed. Every check
//! names the guarantee it comes from.

use std::collections::BTreeMap;

use ringzero_core::{Limits, StorageIoError};

use crate::{
    content::Span,
    disk::FileState,
    file_model::{CANCELED, Entry, FileModel, Stream},
};

/// What was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// A write of `len` bytes of number `id` at `offset`.
    Write {
        /// Number of its bytes.
        id: u64,
        /// Where.
        offset: u64,
        /// How many.
        len: u64,
    },
    /// An append, to `offset` if it is executed.
    Append {
        /// Number of its bytes.
        id: u64,
        /// The tail read just before.
        offset: u64,
        /// How many.
        len: u64,
    },
    /// A datasync.
    Sync,
}

/// Everything that was accepted, and what has been said of it.
#[derive(Debug)]
pub struct Model {
    limits: Limits,
    last_token: u64,
    /// Which registration a token belongs to.
    owners: BTreeMap<u64, usize>,
    /// All registrations so far.
    pub files: Vec<FileModel>,
}

/// An answer or a byte that the contract does not allow.
pub type Verdict = Result<(), String>;

/// Returns with a text unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($text:tt)*) => {
        if !$condition {
            return Err(format!($($text)*));
        }
    };
}

impl Model {
    /// Nothing was submitted yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, last_token: 0, owners: BTreeMap::new(), files: Vec::new() }
    }

    /// Accepted and not delivered, on all files.
    pub fn owed(&self) -> usize {
        self.owners.len()
    }

    /// The registration to which a token belongs that is owed.
    pub fn owner(&self, token: u64) -> Option<usize> {
        self.owners.get(&token).copied()
    }

    /// A submission on `file` was answered.
    ///
    /// # Errors
    /// Why that is not allowed.
    pub fn submitted(
        &mut self,
        file: usize,
        what: Submitted,
        answer: Result<u64, StorageIoError>,
        disk: &FileState,
    ) -> Verdict {
        match answer {
            Ok(token) => self.accepted(file, what, token),
            Err(error) => self.refused(file, what, error, disk),
        }
    }

    fn accepted(&mut self, file: usize, what: Submitted, token: u64) -> Verdict {
        ensure!(token > self.last_token, "G1: token {token} after {}", self.last_token);
        self.last_token = token;
        self.owners.insert(token, file);
        let model = &mut self.files[file];
        ensure!(model.failed.is_none(), "G7: taken after the failure was delivered");
        model.owed += 1;
        let (span, is_append) = match what {
            Submitted::Sync => {
                model.syncs.push_back(token);
                return Ok(());
            }
            Submitted::Write { id, offset, len } => (Span { id, offset, len }, false),
            Submitted::Append { id, offset, len } => {
                ensure!(model.stream == Stream::Sound, "G5: taken after the failure was delivered");
                model.appends.push_back(token);
                (Span { id, offset, len }, true)
            }
        };
        let end = span.offset + span.len;
        model.highest = model.highest.max(end);
        if is_append {
            model.tail = end;
        } else {
            if span.len > 0 {
                model.write_end = model.write_end.max(end);
                model.tail = model.tail.max(end);
            }
        }
        let epoch = model.epoch;
        model.entries.push_back(Entry { token, span, is_append, epoch, result: None });
        Ok(())
    }

    fn refused(
        &self,
        file: usize,
        what: Submitted,
        error: StorageIoError,
        disk: &FileState,
    ) -> Verdict {
        let model = &self.files[file];
        let share = self.limits.operations_per_file as usize;
        let share_bytes = u64::from(self.limits.blocks_per_file * self.limits.block_bytes);
        // Those of earlier registrations hold slots of the share until they are delivered.
        let closed = self.files.iter().filter(|file| file.is_closed);
        let closed_owed: usize = closed.map(FileModel::owed).sum();
        let broken = match model.stream {
            Stream::Sound => None,
            Stream::Broken(errno, _) => Some(errno),
        };
        match (error, what) {
            (StorageIoError::Io(errno), _) if model.failed == Some(errno) => Ok(()),
            (StorageIoError::Io(errno), Submitted::Append { .. }) if broken == Some(errno) => {
                Ok(())
            }
            // An append request behind a failed one may fail the file; its appends are cancelled.
            (StorageIoError::Io(errno), _) => {
                let is_behind = model.stream != Stream::Sound
                    && disk.injected.iter().any(|i| i.errno == errno && i.offset.is_some());
                let is_lost = is_behind && !errno.keeps_file_usable();
                ensure!(is_lost, "G1: refused with {errno}: {what:?}");
                Ok(())
            }
            (StorageIoError::QueueFull, what) => {
                // Once an append has failed, unknown to the caller, the tail stands still.
                let is_still = !disk.injected.is_empty();
                let is_extending = matches!(what, Submitted::Write { offset, len, .. }
                    if !model.appends.is_empty() && (is_still || offset + len > model.tail));
                let is_full = model.owed + closed_owed >= share;
                ensure!(
                    is_full || is_extending,
                    "G8: QueueFull with {} owed: {what:?}",
                    model.owed
                );
                Ok(())
            }
            (StorageIoError::BufferExhausted, Submitted::Write { len, .. })
            | (StorageIoError::BufferExhausted, Submitted::Append { len, .. }) => {
                let is_used = model.owed > 0 || len > share_bytes;
                ensure!(is_used, "G8: BufferExhausted with nothing owed: {what:?}");
                Ok(())
            }
            _ => Err(format!("G1: refused with {error:?}: {what:?}")),
        }
    }

    /// A completion was delivered.
    ///
    /// # Errors
    /// Why that is not allowed.
    pub fn delivered(&mut self, token: u64, result: i32, disk: &FileState) -> Verdict {
        let owner = self.owners.remove(&token);
        let Some(file) = owner else {
            return Err(format!("G1: token {token} is not owed"));
        };
        let model = &mut self.files[file];
        model.owed -= 1;
        if model.syncs.contains(&token) {
            return model.sync_delivered(token, result, disk);
        }
        let at = model.entries.iter().position(|entry| entry.token == token);
        let Some(at) = at else { return Err(format!("G6: token {token} after its sync")) };
        let Entry { span, is_append, epoch, .. } = model.entries[at];
        model.entries[at].result = Some(result);
        if is_append {
            let first = model.appends.pop_front();
            ensure!(first == Some(token), "G5: append {token} delivered before {first:?}");
            if epoch < model.epoch {
                // Accepted behind a failed one, and resumed before this was delivered.
                ensure!(result == CANCELED, "G5: append {token} behind a failed one: {result}");
                return Ok(());
            }
        }
        if result >= 0 {
            ensure!(result as u64 == span.len, "G3: {result} of {} bytes", span.len);
            ensure!(
                !is_append || model.stream == Stream::Sound,
                "G5: append {token} succeeded after one had failed"
            );
            return Ok(());
        }
        model.write_failed(token, span, is_append, result, disk)
    }
}
