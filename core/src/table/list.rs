//! [`List`]: a doubly linked list over records. A record is on one list at a time.
//!
//! The links live in the records, the list is two indices: pushing, popping, removing from the
//! middle and moving a whole front part to another list cost a few instructions and no memory.
//!
//! Invariants: `head == NIL` exactly when `tail == NIL`; following `next` from `head` ends at
//! `tail`; `prev` mirrors `next`, except that the `prev` of the first means nothing. The `next` of
//! the last is `NIL`.

use super::records::{NIL, Records};
use crate::Slots;

/// The links of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Links {
    pub(crate) next: u32,
    pub(crate) prev: u32,
}

impl Links {
    pub(crate) const NONE: Self = Self { next: NIL, prev: NIL };
}

/// A record with links.
pub(crate) trait Node: Copy {
    fn links(&self) -> &Links;
    fn links_mut(&mut self) -> &mut Links;
}

/// The ends of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct List {
    pub(crate) head: u32,
    pub(crate) tail: u32,
}

impl List {
    pub(crate) const EMPTY: Self = Self { head: NIL, tail: NIL };

    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.head == NIL
    }

    #[inline]
    pub(crate) fn push_back<T: Node, S: Slots<T>>(&mut self, records: &mut Records<T, S>, i: u32) {
        *records.at_mut(i).links_mut() = self.links_for_back();
        self.push_back_linked(records, i);
    }

    /// The links that a record about to be pushed with [`List::push_back_linked`] must have.
    #[inline]
    pub(crate) const fn links_for_back(&self) -> Links {
        Links { next: NIL, prev: self.tail }
    }

    /// Pushes a record that has the links of [`List::links_for_back`] already. Returns the record
    /// that it now follows.
    #[inline]
    pub(crate) fn push_back_linked<'a, T: Node, S: Slots<T>>(
        &mut self,
        records: &'a mut Records<T, S>,
        i: u32,
    ) -> Option<&'a mut T> {
        let before = core::mem::replace(&mut self.tail, i);
        if before == NIL {
            self.head = i;
            return None;
        }
        let before = records.at_mut(before);
        before.links_mut().next = i;
        Some(before)
    }

    /// Takes the whole front part of the list up to `last` off it, as a chain by `next`.
    #[inline]
    pub(crate) fn split_front<T: Node, S: Slots<T>>(
        &mut self,
        records: &mut Records<T, S>,
        last: u32,
    ) {
        self.head = records.at(last).links().next;
        if self.head == NIL {
            self.tail = NIL;
        }
    }

    /// Takes `i`, which is on this list, out of it.
    #[inline]
    pub(crate) fn remove<T: Node, S: Slots<T>>(&mut self, records: &mut Records<T, S>, i: u32) {
        let links = *records.at(i).links();
        self.remove_linked(records, i, links);
    }

    /// Takes `i`, which is on this list with these links, out of it.
    #[inline]
    pub(crate) fn remove_linked<T: Node, S: Slots<T>>(
        &mut self,
        records: &mut Records<T, S>,
        i: u32,
        Links { next, prev }: Links,
    ) {
        if self.head == i {
            self.head = next;
            if next == NIL {
                self.tail = NIL;
            }
            return;
        }
        records.at_mut(prev).links_mut().next = next;
        if next == NIL {
            self.tail = prev;
        } else {
            records.at_mut(next).links_mut().prev = prev;
        }
    }

    #[inline]
    pub(crate) fn pop_front<T: Node, S: Slots<T>>(
        &mut self,
        records: &mut Records<T, S>,
    ) -> Option<u32> {
        let first = self.head;
        if first == NIL {
            return None;
        }
        self.remove(records, first);
        Some(first)
    }
}

#[cfg(test)]
mod tests;
