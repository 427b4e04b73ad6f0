//! What the handoff is made of: an atomic word and a cell, under names that a model can replace.
//!
//! `spsc` and `doorbell` name these by `super::sync` only. The models include the same two files
//! beside a `sync` of their own, in which every access is watched.

pub(super) use core::sync::atomic::AtomicU32;

/// A cell whose content is reached by pointer, for the time of a call.
#[derive(Debug)]
pub(super) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(super) const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    /// The content, to read.
    #[inline]
    pub(super) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    /// The content, to write.
    #[inline]
    pub(super) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}
