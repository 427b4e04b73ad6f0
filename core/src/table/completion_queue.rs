//! [`CompletionQueue`]: finished operations, in the order they finished, until delivered.
//!
//! The queue is a chain of the operations' own records, by `next`: an operation keeps its slot from
//! acceptance to delivery, so there is always room for its completion and the queue cannot
//! overflow. A whole run of operations is queued at once.
//!
//! Invariant: from `head`, `count - 1` steps along `next` lead to `tail`. What the `next` of `tail`
//! holds means nothing.

use super::{
    list::Node,
    records::{NIL, Records},
};
use crate::{IoCompletion, Slots};

/// Completions offered to a sink at a time.
pub(crate) const BATCH: usize = 32;

/// A record that becomes a completion.
pub(crate) trait Finished: Node {
    fn completion(&self) -> IoCompletion;
}

/// Where a look at the front of the queue ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peeked {
    /// The last record seen.
    pub(crate) last: u32,
    /// The one behind it.
    pub(crate) behind: u32,
}

#[derive(Debug)]
pub(crate) struct CompletionQueue {
    head: u32,
    tail: u32,
    count: u32,
}

impl CompletionQueue {
    pub(crate) const fn new() -> Self {
        Self { head: NIL, tail: NIL, count: 0 }
    }

    #[inline]
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    #[inline]
    pub(crate) fn push<T: Finished, S: Slots<T>>(&mut self, records: &mut Records<T, S>, i: u32) {
        self.push_chain(records, i, i, 1);
    }

    /// Queues the `count` records from `first` to `last`, linked by `next`.
    #[inline(always)]
    pub(crate) fn push_chain<T: Finished, S: Slots<T>>(
        &mut self,
        records: &mut Records<T, S>,
        first: u32,
        last: u32,
        count: u32,
    ) {
        if self.count == 0 {
            self.head = first;
        } else {
            records.at_mut(self.tail).links_mut().next = first;
        }
        self.tail = last;
        self.count += count;
    }

    /// Copies the oldest completions to `batch`, shows each record to `look`, and returns how many
    /// there are and where it ended; they stay queued.
    #[inline]
    pub(crate) fn peek<T: Finished, S: Slots<T>>(
        &self,
        records: &Records<T, S>,
        batch: &mut [IoCompletion; BATCH],
        mut look: impl FnMut(&T),
    ) -> (usize, Peeked) {
        let known = self.count as usize;
        let mut peeked = Peeked { last: self.head, behind: self.head };
        for entry in batch.iter_mut().take(known) {
            let record = records.at(peeked.behind);
            *entry = record.completion();
            look(record);
            peeked = Peeked { last: peeked.behind, behind: record.links().next };
        }
        (known.min(BATCH), peeked)
    }

    /// The oldest, if there is one; otherwise the index means nothing.
    #[inline]
    pub(crate) const fn first(&self) -> u32 {
        self.head
    }

    /// Takes the `count` oldest off the queue; `next` follows them.
    #[inline]
    pub(crate) fn drop_front(&mut self, count: u32, next: u32) {
        debug_assert!(count <= self.count, "more were taken than there are");
        self.head = next;
        self.count = self.count.saturating_sub(count);
    }

    /// Looks at every record, oldest first, to change it.
    pub(crate) fn for_each_mut<T: Finished, S: Slots<T>>(
        &self,
        records: &mut Records<T, S>,
        mut change: impl FnMut(&mut T),
    ) {
        let mut index = self.head;
        for _ in 0..self.count {
            let record = records.at_mut(index);
            change(record);
            index = record.links().next;
        }
    }
}

#[cfg(test)]
mod tests;
