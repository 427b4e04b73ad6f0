//! [`Slab`]: which records are free, and how many each file may still take.
//!
//! Free records form a chain through their `next` link, at first in the order of their indices.
//! What was given back last is handed out first.
//!
//! Shares: of `count` records, `share` are set aside for each file. A file within its share takes
//! from what was set aside for it; above that it takes from `common`. Worked example with 2 files,
//! share 2, 5 records (so 1 common): file A takes 3 (two of its own, the common one) and is refused
//! a fourth, while file B still gets its two.
//!
//! Invariant: records free = `common` + Σ over files of `share − min(held, share)`.

use super::{
    list::Node,
    records::{NIL, Records},
};
use crate::Slots;

#[derive(Debug)]
pub(crate) struct Slab<T, S> {
    pub(crate) records: Records<T, S>,
    free: u32,
    share: u32,
    common: u32,
}

impl<T: Node, S: Slots<T>> Slab<T, S> {
    /// All records free, `share` of them for each of `file_count` files, the rest common.
    pub(crate) fn new(mut records: Records<T, S>, share: u32, file_count: u32) -> Self {
        let common = records.count().saturating_sub(share.saturating_mul(file_count));
        let mut free = NIL;
        for index in (0..records.count()).rev() {
            records.at_mut(index).links_mut().next = free;
            free = index;
        }
        Self { records, free, share, common }
    }

    /// Whether a file that holds `held` has some of the common ones.
    #[inline]
    pub(crate) const fn is_beyond_share(&self, held: u32) -> bool {
        held > self.share
    }

    /// How many records a file that holds `held` may still take.
    #[inline]
    pub(crate) fn available(&self, held: u32) -> u32 {
        self.share.saturating_sub(held) + self.common
    }

    /// Takes one record for the file that holds `held` so far.
    #[inline]
    pub(crate) fn claim(&mut self, held: &mut u32) -> Option<u32> {
        if self.reserve(held) { Some(self.take().0) } else { None }
    }

    /// Puts one record on the account of the file that holds `held` so far. It must be taken with
    /// [`Slab::take`], or given back with [`Slab::settle`].
    #[inline]
    pub(crate) fn reserve(&mut self, held: &mut u32) -> bool {
        if *held >= self.share {
            if self.common == 0 {
                return false;
            }
            self.common -= 1;
        }
        *held += 1;
        true
    }

    /// The record that is taken next, `NIL` if none is free. Its `next` is the one after that.
    pub(crate) const fn next_free(&self) -> u32 {
        self.free
    }

    /// Takes a record that was reserved.
    #[inline]
    pub(crate) fn take(&mut self) -> (u32, &mut T) {
        let index = self.free;
        let record = self.records.at_mut(index);
        self.free = record.links().next;
        (index, record)
    }

    /// Settles the account of `count` records that their file gives back; the records themselves
    /// follow with [`Slab::free_chain`].
    #[inline]
    pub(crate) fn settle(&mut self, held: &mut u32, count: u32) {
        self.common += count.min(held.saturating_sub(self.share));
        *held = held.saturating_sub(count);
    }

    /// Gives back the records from `first` to `last`, linked by `next`, all settled.
    #[inline]
    pub(crate) fn free_chain(&mut self, first: u32, last: u32) {
        self.records.at_mut(last).links_mut().next = self.free;
        self.free = first;
    }

    /// Gives back one record.
    #[inline]
    pub(crate) fn release(&mut self, index: u32, held: &mut u32) {
        self.settle(held, 1);
        self.free_chain(index, index);
    }
}

#[cfg(test)]
mod tests;
