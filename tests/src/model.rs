//! [`Model`]: what a call may answer, a completion may say and a byte may be.
//!
//! Written from the contract, sentence by sentence, and from nothing else; it knows neither blocks
//! nor merging nor lanes. It is told what was submitted and what came back, may look at the disk
//! (which errors were injected, what is in a file), and says whether that is allowed. Every check
//! names the guarantee it comes from.

mod refusal;

use std::collections::BTreeMap;

use ringzero_core::{Alteration, Limits, StorageIoError};

use crate::{
    content::Span,
    disk::FileState,
    file_model::{FileModel, Kind, Reading, Stream, Sync},
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
    Sync {
        /// The tail read just before.
        tail: u64,
    },
    /// A read of `len` bytes at `offset`.
    Read {
        /// Where.
        offset: u64,
        /// How many bytes were asked for.
        len: u64,
        /// The tail read just before.
        tail: u64,
    },
    /// An alteration.
    Alter(Alteration),
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
        self.files[file].follow(disk)?;
        match answer {
            Ok(token) => self.accepted(file, what, token, disk),
            Err(error) => self.refused(file, what, error, disk),
        }
    }

    fn accepted(&mut self, file: usize, what: Submitted, token: u64, disk: &FileState) -> Verdict {
        ensure!(token > self.last_token, "G1: token {token} after {}", self.last_token);
        self.last_token = token;
        self.owners.insert(token, file);
        let model = &mut self.files[file];
        let is_always_taken =
            matches!(what, Submitted::Read { .. } | Submitted::Alter(Alteration::Close));
        let is_sound = model.failed.is_none() || is_always_taken;
        ensure!(is_sound, "G7: taken after the failure was delivered: {what:?}");
        let is_ordered = matches!(what, Submitted::Sync { .. } | Submitted::Alter(_));
        let may_be = is_ordered || !model.is_being_altered(disk);
        ensure!(may_be, "taken while the file is altered: {what:?}");
        model.owed += 1;
        match what {
            Submitted::Sync { tail } => model.syncs.push_back(Sync::at(token, tail)),
            Submitted::Write { id, offset, len } => {
                model.bytes_accepted(token, Kind::Write, Span { id, offset, len });
            }
            Submitted::Append { id, offset, len } => {
                ensure!(model.stream == Stream::Sound, "G5: taken after the failure was delivered");
                model.bytes_accepted(token, Kind::Append, Span { id, offset, len });
            }
            Submitted::Read { offset, len, tail } => {
                let (end, epoch) = ((offset + len).min(tail).max(offset), model.epoch);
                model.reads.insert(token, Reading { offset, len, end, epoch });
            }
            Submitted::Alter(what) => model.alteration_accepted(token, what),
        }
        Ok(())
    }

    /// A completion was delivered, of anything but a read.
    ///
    /// # Errors
    /// Why that is not allowed.
    pub fn delivered(&mut self, token: u64, result: i32, disk: &FileState) -> Verdict {
        let model = self.settle(token, disk)?;
        if model.is_sync(token) {
            return model.sync_delivered(token, result, disk);
        }
        model.change_delivered(token, result, disk)
    }

    /// The completion of a read was delivered, and the read showed these bytes.
    ///
    /// # Errors
    /// Why that is not allowed.
    pub fn read_delivered(
        &mut self,
        token: u64,
        result: i32,
        bytes: &[u8],
        disk: &FileState,
    ) -> Verdict {
        self.settle(token, disk)?.read_delivered(token, result, bytes, disk)
    }

    /// Looks at every byte of a registration that is closed, if nothing of it is owed any more.
    ///
    /// # Errors
    /// What may not be there.
    pub fn look_at_closed(&mut self, file: usize, closed: Option<&FileState>) -> Verdict {
        let model = &mut self.files[file];
        match closed {
            Some(closed) if model.owed() == 0 => {
                model.settled(&closed.bytes, !FileModel::is_lost(closed))
            }
            _ => Ok(()),
        }
    }

    /// A token is owed no longer: the file that it was of.
    fn settle(&mut self, token: u64, disk: &FileState) -> Result<&mut FileModel, String> {
        let owner = self.owners.remove(&token);
        let Some(file) = owner else {
            return Err(format!("G1: token {token} is not owed"));
        };
        let model = &mut self.files[file];
        model.follow(disk)?;
        model.owed -= 1;
        Ok(model)
    }
}
