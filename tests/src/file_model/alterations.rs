//! Alterations of a file: what is owed of them, and where they put the tail.
//!
//! A truncation moves the tail when it ends, which may be a while before it is delivered; so the
//! model follows the disk, which knows what was done.

use ringzero_core::{Alteration, Errno};

use super::{CANCELED, FileModel, log::Kind};
use crate::{
    content::Change,
    disk::{Ask, FileState},
    ensure,
    model::Verdict,
    traffic::is_retried,
};

/// One that was accepted and not delivered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owed {
    pub(crate) token: u64,
    pub(crate) what: Alteration,
    pub(crate) is_done: bool,
}

/// Whether nothing else of the file may be under way.
const fn is_exclusive(what: Alteration) -> bool {
    !matches!(what, Alteration::Allocate { .. })
}

/// Whether there is nothing to do, so that it is over at once.
pub(crate) const fn is_empty(what: Alteration) -> bool {
    matches!(what, Alteration::Allocate { len: 0, .. } | Alteration::Punch { len: 0, .. })
}

/// What it does to the bytes of the file.
pub(crate) const fn change(what: Alteration) -> Change {
    match what {
        Alteration::Truncate { len } => Change::Truncate(len),
        Alteration::Punch { offset, len } => Change::Punch(offset, offset + len),
        Alteration::Allocate { .. } | Alteration::Close => Change::Nothing,
    }
}

impl FileModel {
    /// Takes note of what the disk has altered by now. To be called before anything else is told.
    ///
    /// # Errors
    /// It altered what nobody had asked for.
    pub fn follow(&mut self, disk: &FileState) -> Verdict {
        while let Some(&what) = disk.altered.get(self.altered_count) {
            self.altered_count += 1;
            // One at a time is unfinished: those before the newest have ended, if not delivered.
            let mut newest_first = self.altering.iter_mut().rev();
            match newest_first.find(|owed| !owed.is_done && owed.what == what) {
                Some(owed) => owed.is_done = true,
                // Closing a file may cut it back.
                None if self.is_closed => continue,
                None => return Err(format!("{what:?}, which nobody had asked for")),
            }
            if let Alteration::Truncate { len } = what {
                self.truncated(len);
            }
        }
        Ok(())
    }

    fn truncated(&mut self, len: u64) {
        self.tail = len;
        self.write_end = self.write_end.min(len);
        self.highest = self.highest.max(len);
        self.durable.truncated(len);
        self.syncs.iter_mut().for_each(|sync| sync.truncated(len));
    }

    /// The alteration of this token, if one is owed.
    pub fn alteration(&self, token: u64) -> Option<Alteration> {
        self.altering.iter().find(|owed| owed.token == token).map(|owed| owed.what)
    }

    /// Whether a truncation, a punch or a close has not ended.
    pub(crate) fn is_being_altered(&self, disk: &FileState) -> bool {
        let is_open = |owed: &Owed| {
            let error = disk.harmless.iter().find_map(|(ask, errno)| {
                (*ask == Ask::Alter(owed.what) && !is_retried(*errno)).then_some(*errno)
            });
            is_exclusive(owed.what) && !is_empty(owed.what) && !owed.is_done && error.is_none()
        };
        !Self::is_lost(disk) && self.altering.iter().any(is_open)
    }

    /// Whether an alteration that has something to do was not delivered yet.
    pub(crate) fn has_alteration(&self) -> bool {
        self.altering.iter().any(|owed| !is_empty(owed.what))
    }

    /// The same, of one beside which nothing else is taken.
    pub(crate) fn has_exclusive_alteration(&self) -> bool {
        self.altering.iter().any(|owed| is_exclusive(owed.what) && !is_empty(owed.what))
    }

    /// A completion of an alteration was delivered, which the log knows already.
    pub(crate) fn alteration_delivered(
        &mut self,
        token: u64,
        result: i32,
        disk: &FileState,
    ) -> Verdict {
        let at = self.altering.iter().position(|owed| owed.token == token);
        let Some(Owed { what, is_done, .. }) = at.and_then(|at| self.altering.remove(at)) else {
            return Err(format!("{token} is no alteration that is owed"));
        };
        ensure!(result <= 0, "{what:?} says {result}");
        if is_exclusive(what) && is_done {
            let is_older = |entry: &&super::log::Entry| entry.result.is_none();
            let older = self.log.before(token).iter().find(is_older);
            ensure!(older.is_none(), "{what:?} {token} before {older:?}");
            let read = self.reads.keys().next().filter(|read| **read < token);
            ensure!(read.is_none(), "{what:?} {token} before the read {read:?}");
            let sync = self.syncs.front().filter(|sync| sync.token < token);
            ensure!(sync.is_none(), "{what:?} {token} before the sync {sync:?}");
        }
        let was_answered = |errno: Errno| {
            disk.harmless.iter().any(|(ask, seen)| {
                let seen = if *seen == Errno::CANCELED { Errno::IO } else { *seen };
                matches!(ask, Ask::Alter(_)) && seen == errno
            })
        };
        match result {
            0 => {
                // Answers that leave the descriptor to the driver, or say that it is gone.
                let left = [Errno::OPNOTSUPP, Errno::INVAL, Errno::INTR];
                let is_left = what == Alteration::Close && left.into_iter().any(was_answered);
                ensure!(is_done || is_empty(what) || is_left, "{what:?} {token} was not done");
            }
            CANCELED => {
                let may_be = Self::is_lost(disk) && what != Alteration::Close && !is_done;
                ensure!(may_be, "{what:?} {token} cancelled, but nothing failed");
            }
            _ => {
                let errno = Errno::new(-result);
                let may_be = !is_done || what == Alteration::Close;
                ensure!(may_be && was_answered(errno), "{what:?} {token} says {errno}");
            }
        }
        Ok(())
    }

    /// The tail that an append which failed leaves, if it began at `begin`.
    pub(crate) fn tail_after_failure(&self, token: u64, begin: u64) -> u64 {
        let cut = self.altering.iter().rev().find_map(|owed| match owed.what {
            Alteration::Truncate { len } if owed.is_done && owed.token > token => Some(len),
            _ => None,
        });
        cut.unwrap_or(begin).max(self.write_end)
    }

    /// An alteration was accepted.
    pub(crate) fn alteration_accepted(&mut self, token: u64, what: Alteration) {
        self.is_closed |= what == Alteration::Close;
        self.altering.push_back(Owed { token, what, is_done: false });
        self.log_change(token, Kind::Alteration, change(what));
    }
}
