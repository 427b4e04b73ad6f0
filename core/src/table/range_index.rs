//! [`RangeIndex`]: a hash index of ranges of files: which of those in flight begin near here?
//!
//! Random writes fall inside the hull of what is in flight nearly always, and looking at every
//! operation in flight for each of them costs more than the write. So each range in flight is
//! chained in the bucket of the *granule* of its file in which it begins. How large a granule is
//! the file chooses, so that no chained range is longer: then a range that reaches into a granule
//! begins in it or in the one before.
//!
//! Worked example, granules of 512 bytes: bytes 500..600 are chained in granule 0, and reach into
//! granule 1. What overlaps 600..700 begins in granule 0 or 1, what overlaps 1,000..1,100 in 0, 1
//! or 2: at most three chains are looked at.
//!
//! Invariants: a record is chained in at most one bucket; following the links from a bucket's head
//! ends at [`NIL`]. Ranges of several files may share a bucket.

use super::records::{NIL, Records};
use crate::Slots;

/// A record that has the link of a chain.
pub(crate) trait Chained: Copy {
    /// The record behind this one in its bucket.
    fn chained_to(&self) -> u32;
    /// Lets `next` be the record behind this one.
    fn chain_to(&mut self, next: u32);
}

/// A granule of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Granule {
    pub(crate) file: u16,
    pub(crate) number: u64,
}

#[derive(Debug)]
pub(crate) struct RangeIndex<S> {
    heads: Records<u32, S>,
    shift: u32,
}

impl<S: Slots<u32>> RangeIndex<S> {
    /// An empty index over a number of buckets that is a power of two, at least 2.
    pub(crate) fn new(buckets: S) -> Self {
        let heads = Records::new(buckets, NIL);
        let shift = 64 - heads.count().max(2).ilog2();
        Self { heads, shift }
    }

    /// Fibonacci hashing (Knuth, TAOCP 3, section 6.4): the high bits of a multiplication by 2⁶⁴/φ.
    #[inline]
    fn bucket(&self, Granule { file, number }: Granule) -> u32 {
        let key = number ^ (file as u64) << 48;
        (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as u32
    }

    /// The first record in the bucket of a granule, [`NIL`] if there is none.
    #[inline]
    pub(crate) fn head(&self, granule: Granule) -> u32 {
        *self.heads.at(self.bucket(granule))
    }

    /// Puts a record at the head of a bucket. Returns the former head, to which the caller chains
    /// it.
    #[inline]
    pub(crate) fn push(&mut self, granule: Granule, index: u32) -> u32 {
        core::mem::replace(self.heads.at_mut(self.bucket(granule)), index)
    }

    /// Takes a record, and the `next` it is chained to, out of the bucket of its granule.
    #[inline]
    pub(crate) fn remove<T: Chained, R: Slots<T>>(
        &mut self,
        records: &mut Records<T, R>,
        granule: Granule,
        (index, next): (u32, u32),
    ) {
        // There is one for every granule; a bounded access needs no way back from what it is not.
        let Some(head) = self.heads.at_bounded_mut(self.bucket(granule)) else { return };
        if *head == index {
            *head = next;
        } else {
            unchain(records, *head, (index, next));
        }
    }
}

/// Takes a record out of the chain that begins with another.
#[cold]
#[inline(never)]
fn unchain<T: Chained, R: Slots<T>>(
    records: &mut Records<T, R>,
    head: u32,
    (index, next): (u32, u32),
) {
    let mut at = head;
    while at != NIL {
        let record = records.at_mut(at);
        at = record.chained_to();
        if at == index {
            record.chain_to(next);
            return;
        }
    }
    debug_assert!(false, "a range was removed that is not there");
}

#[cfg(test)]
mod tests;
