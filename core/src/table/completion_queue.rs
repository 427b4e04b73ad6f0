//! [`CompletionQueue`]: finished operations, in the order they finished, until delivered.
//!
//! The queue is a list of the operations' own records: an operation keeps its slot from acceptance
//! to delivery, so there is always room for its completion and the queue cannot overflow.

use super::{
    list::{List, Node},
    records::Records,
};
use crate::{IoCompletion, Slots};

/// Completions offered to a sink at a time.
pub(crate) const BATCH: usize = 32;

/// A record that becomes a completion.
pub(crate) trait Finished: Node {
    fn completion(&self) -> IoCompletion;
}

#[derive(Debug)]
pub(crate) struct CompletionQueue {
    list: List,
    count: u32,
}

impl CompletionQueue {
    pub(crate) const fn new() -> Self {
        Self { list: List::EMPTY, count: 0 }
    }

    #[inline]
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    pub(crate) const fn first(&self) -> u32 {
        self.list.head
    }

    #[inline]
    pub(crate) fn push<T: Finished, S: Slots<T>>(&mut self, records: &mut Records<T, S>, i: u32) {
        self.list.push_back(records, i);
        self.count += 1;
    }

    /// Copies the oldest completions to `batch` and returns how many; they stay queued.
    #[inline]
    pub(crate) fn peek<T: Finished, S: Slots<T>>(
        &self,
        records: &Records<T, S>,
        batch: &mut [IoCompletion; BATCH],
    ) -> usize {
        let mut filled = 0;
        let mut index = self.list.head;
        let known = self.count as usize;
        for entry in batch.iter_mut().take(known) {
            let record = records.at(index);
            *entry = record.completion();
            index = record.links().next;
            filled += 1;
        }
        filled
    }

    /// Takes the oldest off the queue.
    #[inline]
    pub(crate) fn pop<T: Finished, S: Slots<T>>(
        &mut self,
        records: &mut Records<T, S>,
    ) -> Option<u32> {
        let first = self.list.pop_front(records)?;
        self.count -= 1;
        Some(first)
    }
}

#[cfg(test)]
mod tests;
