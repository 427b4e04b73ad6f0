//! [`RangeFilter`]: a counting filter over ranges of files: might this range be in flight?
//!
//! Random writes fall inside the hull of what is in flight nearly always, and looking at every
//! operation in flight for each of them costs more than the write. So each range in flight counts
//! in the buckets of the granules (16 KiB of the file) that it touches. A new range none of whose
//! buckets is taken overlaps nothing; only otherwise the operations themselves are compared.
//!
//! Worked example: bytes 16,000..17,000 touch granules 0 and 1. Bytes 20,000..20,064 touch granule
//! 1: taken, so compared, and found disjoint. Bytes 40,000..40,064 touch granule 2: free.
//!
//! A range of more than [`NARROW_GRANULES`] granules is not counted here; its file counts it as
//! *wide* and, while it has one in flight, compares.

use super::records::Records;
use crate::Slots;

const GRANULE_SHIFT: u32 = 14;
/// Most granules that a counted range touches.
const NARROW_GRANULES: u64 = 4;

/// Where a range is counted: a bucket, or [`Counted::SEVERAL`]. Kept by whoever will count it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted(u32);

impl Counted {
    /// In the buckets of several granules, or nowhere because it is wide: found again by the range.
    pub(crate) const SEVERAL: Self = Self(u32::MAX);

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

#[derive(Debug)]
pub(crate) struct RangeFilter<S> {
    buckets: Records<u32, S>,
    shift: u32,
}

/// The granules of a range, first and last; `None` when it is wide.
#[inline]
pub(crate) const fn narrow(offset: u64, end: u64) -> Option<(u64, u64)> {
    let first = offset >> GRANULE_SHIFT;
    let last = end.saturating_sub(1) >> GRANULE_SHIFT;
    if last.wrapping_sub(first) < NARROW_GRANULES { Some((first, last)) } else { None }
}

impl<S: Slots<u32>> RangeFilter<S> {
    /// An empty filter over a number of buckets that is a power of two, at least 2.
    pub(crate) fn new(buckets: S) -> Self {
        let buckets = Records::new(buckets, 0);
        let shift = 64 - buckets.count().max(2).ilog2();
        Self { buckets, shift }
    }

    /// Fibonacci hashing (Knuth, TAOCP 3, section 6.4): the high bits of a multiplication by 2⁶⁴/φ.
    #[inline]
    fn bucket(&self, file: u16, granule: u64) -> u32 {
        let key = granule ^ (file as u64) << 48;
        (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as u32
    }

    /// Counts a range of one granule in. Says where, and whether the bucket was taken: then it may
    /// overlap a range that is counted already. A longer range is not counted; it may overlap.
    #[inline]
    pub(crate) fn insert(&mut self, file: u16, (offset, end): (u64, u64)) -> (Counted, bool) {
        let granule = offset >> GRANULE_SHIFT;
        if granule != end.wrapping_sub(1) >> GRANULE_SHIFT {
            return (Counted::SEVERAL, true);
        }
        let bucket = self.bucket(file, granule);
        (Counted(bucket), self.count_in(bucket))
    }

    /// Counts the granules of a narrow range in. Says whether one of its buckets was taken.
    pub(crate) fn insert_several(&mut self, file: u16, (first, last): (u64, u64)) -> bool {
        (first..=last)
            .fold(false, |is_taken, granule| self.count_in(self.bucket(file, granule)) | is_taken)
    }

    /// Counts a range of one granule out that was counted in there.
    #[inline]
    pub(crate) fn remove(&mut self, Counted(bucket): Counted) {
        let count = self.buckets.at_mut(bucket);
        debug_assert!(*count > 0, "a range was removed twice");
        *count = count.wrapping_sub(1);
    }

    /// Counts the granules of a narrow range out.
    pub(crate) fn remove_several(&mut self, file: u16, (first, last): (u64, u64)) {
        (first..=last).for_each(|granule| self.remove(Counted(self.bucket(file, granule))));
    }

    #[inline]
    fn count_in(&mut self, bucket: u32) -> bool {
        let count = self.buckets.at_mut(bucket);
        *count += 1;
        *count > 1
    }
}

#[cfg(test)]
mod tests;
