//! [`List`]: a doubly linked list over records. A record is on one list at a time.
//!
//! The links live in the records, the list is two indices: pushing, popping, removing from the
//! middle and moving a whole front part to another list cost a few instructions and no memory.
//!
//! Invariants: `head == NIL` exactly when `tail == NIL`; following `next` from `head` ends at
//! `tail`; `prev` mirrors `next`. The `next` of the last and the `prev` of the first are `NIL`.

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
        *records.at_mut(i).links_mut() = Links { next: NIL, prev: self.tail };
        if self.tail == NIL {
            self.head = i;
        } else {
            records.at_mut(self.tail).links_mut().next = i;
        }
        self.tail = i;
    }

    /// Takes `i`, which is on this list, out of it.
    #[inline]
    pub(crate) fn remove<T: Node, S: Slots<T>>(&mut self, records: &mut Records<T, S>, i: u32) {
        let Links { next, prev } = *records.at(i).links();
        if prev == NIL {
            self.head = next;
        } else {
            records.at_mut(prev).links_mut().next = next;
        }
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
