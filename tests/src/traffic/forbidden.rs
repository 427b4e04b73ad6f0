//! What no engine may do with the requests of a file, seen when one begins: noted in
//! [`State::violations`](super::State::violations).

use ringzero_core::{Alteration, WriteKind};

use super::{Pending, State};
use crate::disk::Ask;

impl State {
    /// A request of `owner` begins.
    pub(super) fn check_begin(&mut self, owner: u64, inode: usize, ask: Ask) {
        if is_sync(ask) {
            if self.pending.iter().any(|p| p.inode == inode && is_sync(p.ask)) {
                self.violation(format!("two data-syncs of file {inode} in flight"));
            }
            if self.files[inode].is_failed {
                self.violation(format!("a data-sync of the failed file {inode}: {ask:?}"));
            }
        }
        // Of the blocks that a read begins and ends in it may want a part only, while the end of a
        // stream in the same block is written again: with the same bytes as before.
        let alignment = self.files[inode].alignment;
        let slack = if alignment > 1 { u64::from(alignment) } else { 0 };
        let is_ours = |p: &&Pending| p.inode == inode && p.owner == owner;
        let mut ours = self.pending.iter().filter(is_ours);
        if let Some(hit) = ours.find(|p| collide(p.ask, ask, slack) || disturb(p.ask, ask)) {
            let text = format!("{ask:?} beside {:?}", hit.ask);
            self.violation(text);
        }
    }
}

/// Whether a request is a data-sync, or carries one.
const fn is_sync(ask: Ask) -> bool {
    matches!(ask, Ask::Sync(_) | Ask::Write { kind: WriteKind::Durable, .. })
}

/// Whether two requests must not be in flight at one time: they overlap, and one is a write. Of
/// a read, `slack` bytes at its begin and its end do not count.
fn collide(one: Ask, other: Ask, slack: u64) -> bool {
    let range = |ask| match ask {
        Ask::Write { offset, len, .. } => Some((offset, offset + len, true)),
        Ask::Read { offset, len, .. } => {
            Some((offset + slack, (offset + len).saturating_sub(slack), false))
        }
        Ask::Sync(_) | Ask::Alter(_) => None,
    };
    let (Some(one), Some(other)) = (range(one), range(other)) else { return false };
    (one.2 || other.2) && one.0 < other.1 && other.0 < one.1
}

/// The same: one is a truncation, a punch or a close, beside which nothing is under way; or an
/// alteration, beside which no other is, and no durable write.
fn disturb(one: Ask, other: Ask) -> bool {
    let is_alone = |ask| match ask {
        Ask::Alter(what) => !matches!(what, Alteration::Allocate { .. }),
        Ask::Write { .. } | Ask::Read { .. } | Ask::Sync(_) => false,
    };
    let is_durable = |ask| matches!(ask, Ask::Write { kind: WriteKind::Durable, .. });
    let is_altering = |ask| matches!(ask, Ask::Alter(_));
    is_alone(one)
        || is_alone(other)
        || is_altering(one) && (is_altering(other) || is_durable(other))
        || is_altering(other) && is_durable(one)
}
