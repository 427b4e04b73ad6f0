//! Where a table keeps its records: [`Slots`].
//!
//! An inline array for static use, a slice handed in by the caller, or (feature `alloc`) a boxed
//! slice sized at run time. No structure above mentions which.

/// A fixed number of records in memory that somebody else chose.
///
/// The slice has the same length and the same contents at every call; the structures of this crate
/// stay free of panics if an implementation breaks that, but lose what they kept.
pub trait Slots<T> {
    /// All records.
    fn as_slice(&self) -> &[T];
    /// All records, to change.
    fn as_mut_slice(&mut self) -> &mut [T];
}

impl<T, const N: usize> Slots<T> for [T; N] {
    #[inline]
    fn as_slice(&self) -> &[T] {
        self
    }

    #[inline]
    fn as_mut_slice(&mut self) -> &mut [T] {
        self
    }
}

impl<T> Slots<T> for &mut [T] {
    #[inline]
    fn as_slice(&self) -> &[T] {
        self
    }

    #[inline]
    fn as_mut_slice(&mut self) -> &mut [T] {
        self
    }
}
