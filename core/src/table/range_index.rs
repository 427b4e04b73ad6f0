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
//! Mostly a bucket chains one record. It keeps the number of its bucket instead of a link, so that
//! it is taken out without hashing again.
//!
//! Invariants: a record is chained in at most one bucket; following the links from a bucket's head
//! ends at [`NIL`]; a record that keeps the number of its bucket is the last of it. Ranges of
//! several files may share a bucket.

use super::records::{NIL, Records};
use crate::Slots;

/// What a chained record keeps: the number of its bucket, or what is behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link(u32);

/// With this bit the rest is an index. (There are fewer records and fewer buckets.)
const IS_INDEX: u32 = 1 << 31;

impl Link {
    /// Nothing is behind it, and it says nothing of its bucket.
    pub(crate) const NONE: Self = Self(NIL);

    /// To a record, or nothing.
    #[inline]
    const fn to(index: u32) -> Self {
        Self(index | IS_INDEX)
    }

    /// The record behind, [`NIL`] if there is none.
    #[inline]
    pub(crate) const fn next(self) -> u32 {
        if self.0 == NIL || self.0 & IS_INDEX == 0 { NIL } else { self.0 & !IS_INDEX }
    }

    /// The same without the number of a bucket.
    pub(crate) const fn without_bucket(self) -> Self {
        if self.0 & IS_INDEX == 0 { Self::NONE } else { self }
    }

    /// As a number that a record can keep.
    #[inline]
    pub(crate) const fn to_i32(self) -> i32 {
        self.0 as i32
    }

    /// From that number.
    #[inline]
    pub(crate) const fn from_i32(number: i32) -> Self {
        Self(number as u32)
    }
}

/// A record that has the link of a chain.
pub(crate) trait Chained: Copy {
    fn link(&self) -> Link;
    fn link_to(&mut self, link: Link);
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

    /// Puts a record at the head of a bucket. Returns the link that it must keep, and whether the
    /// bucket had a record.
    #[inline]
    pub(crate) fn push(&mut self, granule: Granule, index: u32) -> (Link, bool) {
        let bucket = self.bucket(granule);
        let head = core::mem::replace(self.heads.at_mut(bucket), index);
        if head == NIL { (Link(bucket), false) } else { (Link::to(head), true) }
    }

    /// Takes a record with this link out of its bucket, if it is known to be the only one there.
    #[inline]
    pub(crate) fn remove_only(&mut self, index: u32, link: Link) -> bool {
        if link.0 & IS_INDEX == 0
            && let Some(head) = self.heads.at_bounded_mut(link.0)
            && *head == index
        {
            *head = NIL;
            return true;
        }
        false
    }

    /// Takes a record with this link out of the bucket of its granule.
    pub(crate) fn remove<T: Chained, R: Slots<T>>(
        &mut self,
        records: &mut Records<T, R>,
        granule: Granule,
        (index, link): (u32, Link),
    ) {
        let head = self.heads.at_mut(self.bucket(granule));
        if *head == index {
            *head = link.next();
        } else {
            unchain(records, *head, (index, link));
        }
    }
}

/// Takes a record out of the chain that begins with another.
fn unchain<T: Chained, R: Slots<T>>(
    records: &mut Records<T, R>,
    head: u32,
    (index, link): (u32, Link),
) {
    let mut at = head;
    while at != NIL {
        let record = records.at_mut(at);
        at = record.link().next();
        if at == index {
            record.link_to(Link::to(link.next()));
            return;
        }
    }
    debug_assert!(false, "a range was removed that is not there");
}

#[cfg(test)]
mod tests;
