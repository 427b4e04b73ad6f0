//! [`Durable`]: what is known of a file's durable tail.

use ringzero_core::Errno;

use super::{FileModel, log::Kind};
use crate::{content::Change, disk::FileState, ensure, model::Verdict};

/// A datasync that is owed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sync {
    pub(crate) token: u64,
    /// The tail when it was accepted.
    tail: u64,
    /// The same, put back to where an append began that failed.
    least: u64,
}

impl Sync {
    /// One that was accepted with the tail there.
    pub(crate) const fn at(token: u64, tail: u64) -> Self {
        Self { token, tail, least: tail }
    }

    /// An append failed that began at `begin`.
    pub(crate) fn put_back(&mut self, begin: u64) {
        self.least = self.least.min(begin);
    }

    /// The file was truncated to `len` bytes.
    pub(crate) fn truncated(&mut self, len: u64) {
        self.tail = self.tail.min(len);
        self.least = self.least.min(len);
    }
}

/// Where the durable tail may be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Durable {
    /// A datasync that was delivered with success reached at least this.
    synced: u64,
    /// And at most this.
    most: u64,
    /// What was answered last.
    seen: u64,
    /// A truncation put it back since.
    was_cut: bool,
}

impl Durable {
    pub(crate) fn synced(&mut self, sync: Sync) {
        self.synced = self.synced.max(sync.least);
        self.most = self.most.max(sync.tail);
    }

    pub(crate) fn truncated(&mut self, len: u64) {
        self.was_cut |= self.seen > len;
        self.synced = self.synced.min(len);
        self.most = self.most.min(len);
        self.seen = self.seen.min(len);
    }
}

impl FileModel {
    /// What `durable_tail` answered, the tail being at `tail`. Whether it moved on. While
    /// `append_failed` says so, of the appends that are owed any may have failed.
    ///
    /// # Errors
    /// Why that is not allowed.
    pub fn durable_tail_is(
        &mut self,
        now: u64,
        (tail, append_failed): (u64, Option<Errno>),
        disk: &FileState,
    ) -> Result<bool, String> {
        let Durable { synced, seen, most, .. } = self.durable;
        ensure!(now >= seen, "the durable tail is {now}, after {seen}");
        ensure!(now >= synced, "the durable tail is {now}, a datasync reached {synced}");
        ensure!(now <= tail, "the durable tail is {now}, the tail {tail}");
        let of_waiting = self.syncs.iter().map(|sync| sync.tail).max();
        let most = most.max(seen).max(of_waiting.unwrap_or(0));
        ensure!(now <= most, "the durable tail is {now}, and no datasync reached beyond {most}");
        (seen..now).try_for_each(|at| self.is_durable(at, append_failed, disk))?;
        self.durable.seen = now;
        Ok(now > seen)
    }

    /// Whether a truncation put the durable tail back since this was asked.
    pub fn was_durable_tail_cut(&mut self) -> bool {
        std::mem::take(&mut self.durable.was_cut)
    }

    /// Whether what was appended at a position is durable.
    fn is_durable(&self, at: u64, append_failed: Option<Errno>, disk: &FileState) -> Verdict {
        let byte = disk.durable.get(at as usize).copied();
        let newest_first = self.log.all().iter().rev();
        let position = at..at + 1;
        for entry in newest_first.filter(|entry| entry.change.touches(&position)) {
            let is_there = entry.change.may_leave(at, byte);
            match (entry.kind, entry.change) {
                _ if is_there => return Ok(()),
                // One behind a failed one: it is cancelled, if that was not delivered yet.
                (Kind::Append, _)
                    if entry.result.is_none()
                        && (append_failed.is_some() || entry.epoch < self.epoch) => {}
                (Kind::Append, _) if !entry.has_failed() => {
                    return Err(format!("byte {at} of append {} is {byte:?}", entry.token));
                }
                (_, Change::Truncate(_)) if entry.is_good() => return Ok(()),
                _ => {}
            }
        }
        Ok(())
    }
}
