//! What a refused submission may have been refused for.

use ringzero_core::{Errno, StorageIoError};

use super::{Model, Submitted, Verdict};
use crate::{
    disk::FileState,
    ensure,
    file_model::{FileModel, Stream},
};

impl Model {
    /// A submission on `file` was refused.
    pub(super) fn refused(
        &self,
        file: usize,
        what: Submitted,
        error: StorageIoError,
        disk: &FileState,
    ) -> Verdict {
        match error {
            StorageIoError::Io(errno) => self.files[file].failure_known(what, errno, disk),
            StorageIoError::QueueFull => {
                let is_full = self.is_full(file) || self.files[file].is_later(what, disk);
                let owed = self.files[file].owed;
                ensure!(is_full, "G8: QueueFull with {owed} owed: {what:?}");
                Ok(())
            }
            StorageIoError::BufferExhausted => {
                let (Submitted::Write { len, .. }
                | Submitted::Append { len, .. }
                | Submitted::Read { len, .. }) = what
                else {
                    return Err(format!("G8: {what:?} needs no room"));
                };
                let share_bytes = self.limits.blocks_per_file * self.limits.block_bytes;
                let is_used = self.files[file].held() + self.held_by_closed() > 0;
                let is_long = len > u64::from(share_bytes);
                ensure!(is_used || is_long, "G8: BufferExhausted with nothing owed: {what:?}");
                Ok(())
            }
            _ => Err(format!("G1: refused with {error:?}: {what:?}")),
        }
    }

    /// Those of earlier registrations hold slots of the share until they are delivered, and reads
    /// until they are released.
    fn held_by_closed(&self) -> usize {
        self.files.iter().filter(|file| file.is_closed).map(FileModel::held).sum()
    }

    /// Whether a file has its share of operations.
    fn is_full(&self, file: usize) -> bool {
        let share = self.limits.operations_per_file as usize;
        self.files[file].held() + self.held_by_closed() >= share
    }
}

impl FileModel {
    /// Whether a submission may be refused with the error of something that failed.
    fn failure_known(&self, what: Submitted, errno: Errno, disk: &FileState) -> Verdict {
        ensure!(!matches!(what, Submitted::Read { .. }), "a read refused with {errno}: {what:?}");
        let is_known = self.failed == Some(errno)
            || matches!(what, Submitted::Append { .. }) && self.stream == Stream::Broken(errno);
        // An append request behind a failed one may fail the file; its appends are cancelled.
        let is_behind = self.stream != Stream::Sound
            && disk.injected.iter().any(|i| i.errno == errno && i.offset.is_some());
        let is_lost = is_behind && !errno.keeps_file_usable();
        // A datasync with the failure of a write to report may itself have failed, too.
        let is_failed = disk.injected.iter().any(|injected| injected.offset.is_none());
        let is_reported = is_failed && self.reported.contains(&errno);
        ensure!(is_known || is_lost || is_reported, "G1: refused with {errno}: {what:?}");
        Ok(())
    }

    /// Whether a submission has to wait for another.
    fn is_later(&self, what: Submitted, disk: &FileState) -> bool {
        match what {
            Submitted::Sync { .. } => false,
            Submitted::Alter(_) => self.has_alteration(),
            Submitted::Append { .. } | Submitted::Read { .. } => self.has_exclusive_alteration(),
            Submitted::Write { offset, len, .. } => {
                // Once an append has failed, unknown to the caller, the tail stands still.
                let is_still = !disk.injected.is_empty();
                let is_extending =
                    !self.appends.is_empty() && (is_still || offset + len > self.tail);
                is_extending || self.has_exclusive_alteration()
            }
        }
    }
}
