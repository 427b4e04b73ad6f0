//! Where a table keeps its records: [`Slots`].
//!
//! An inline array for static use, a slice handed in by the caller, or (feature `alloc`) a boxed
//! slice sized at run time. No structure above mentions which.

/// A fixed number of records in memory that somebody else chose: `[T; N]`, `&mut [T]`, or (feature
/// `alloc`) `Box<[T]>`.
///
/// Sealed: what is unsafe in this crate rests on the slice being the same at every call.
///
/// ```
/// use ringzero_core::Slots;
///
/// /// A sum over records, wherever they are.
/// fn sum<S: Slots<u32>>(slots: &S) -> u32 {
///     slots.as_slice().iter().sum()
/// }
///
/// let mut inline = [1, 2, 3];
/// inline.as_mut_slice()[0] = 7;
/// assert_eq!(sum(&inline), 12);
/// assert_eq!(sum(&&mut inline[1..]), 5);
/// ```
pub trait Slots<T>: sealed::Sealed {
    /// All records.
    fn as_slice(&self) -> &[T];
    /// All records, to change.
    fn as_mut_slice(&mut self) -> &mut [T];
}

pub(crate) mod sealed {
    /// Only the storage of this crate.
    pub trait Sealed {}
}

impl<T, const N: usize> sealed::Sealed for [T; N] {}
impl<T> sealed::Sealed for &mut [T] {}

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
