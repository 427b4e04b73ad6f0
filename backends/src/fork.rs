//! Noticing a forked child: [`ForkGuard`], and what must not be touched there: [`ProcessBound`].
//!
//! A child of fork(2) inherits a copy of a backend, but not the right to use it: rings and open
//! file descriptions are shared with the parent, and the child does not know what the parent does.
//!
//! One word per process is nonzero, and reads as zero in a child (`platform::fork_word`). The first
//! backend that a process makes puts the next number of [`GENERATION`] there; the counter itself is
//! inherited. Worked example: the parent's word is 1. In a child it is 0, and still is not 1 after
//! the child made a backend of its own and put 2 there.
//!
//! Not noticed: a child of vfork(2), which may do nothing but execve(2) anyway, and one made by a
//! bare clone(2) on systems where the word is zeroed by a handler of pthread_atfork(3).
//!
//! # Safety
//! [`ProcessBound`] drops its value by hand: once, in its own `drop`, and never touches it after.
#![allow(unsafe_code)]

use std::{
    mem::ManuallyDrop,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use ringzero_core::{Errno, StorageIoError};

use crate::platform;

static WORD: OnceLock<Result<&'static AtomicU32, Errno>> = OnceLock::new();
static GENERATION: AtomicU32 = AtomicU32::new(1);

/// Knows the process it was made in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ForkGuard {
    word: &'static AtomicU32,
    own: u32,
}

impl ForkGuard {
    /// A guard of the calling process.
    ///
    /// # Errors
    /// Those of mmap(2) or pthread_atfork(3).
    pub(crate) fn new() -> Result<Self, Errno> {
        let word = (*WORD.get_or_init(platform::fork_word))?;
        let own = match word.load(Ordering::Relaxed) {
            0 => {
                let next = GENERATION.fetch_add(1, Ordering::Relaxed);
                let raced = word.compare_exchange(0, next, Ordering::Relaxed, Ordering::Relaxed);
                raced.err().unwrap_or(next)
            }
            own => own,
        };
        Ok(Self { word, own })
    }

    /// Whether the caller is a forked child of the process that made the guard. One relaxed load.
    #[inline]
    pub(crate) fn is_child(&self) -> bool {
        self.word.load(Ordering::Relaxed) != self.own
    }
}

/// A value that only the process that made it may use. In a forked child it is refused, and not
/// dropped.
#[derive(Debug)]
pub(crate) struct ProcessBound<T> {
    guard: ForkGuard,
    value: ManuallyDrop<T>,
}

impl<T> ProcessBound<T> {
    /// Binds `value` to the calling process.
    ///
    /// # Errors
    /// Those of [`ForkGuard::new`]; `value` is dropped.
    pub(crate) fn new(value: T) -> Result<Self, Errno> {
        Ok(Self { guard: ForkGuard::new()?, value: ManuallyDrop::new(value) })
    }

    /// The value.
    ///
    /// # Errors
    /// `Closed` in a forked child.
    #[inline]
    pub(crate) fn get(&self) -> Result<&T, StorageIoError> {
        if self.guard.is_child() { Err(StorageIoError::Closed) } else { Ok(&self.value) }
    }

    /// The value, to change.
    ///
    /// # Errors
    /// `Closed` in a forked child.
    #[inline]
    pub(crate) fn get_mut(&mut self) -> Result<&mut T, StorageIoError> {
        if self.guard.is_child() { Err(StorageIoError::Closed) } else { Ok(&mut self.value) }
    }

    /// The value, also in a forked child: for numbers that are only read.
    #[inline]
    pub(crate) fn peek(&self) -> &T {
        &self.value
    }
}

impl<T> Drop for ProcessBound<T> {
    fn drop(&mut self) {
        if !self.guard.is_child() {
            // SAFETY: the only drop of the value, and nothing reads it after.
            unsafe { ManuallyDrop::drop(&mut self.value) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{rc::Rc, thread};

    #[test]
    fn the_process_that_made_it_may_use_and_drop_it_on_any_thread() {
        let value = std::sync::Arc::new(());
        let mut bound = ProcessBound::new(value.clone()).unwrap();
        assert!(bound.get().is_ok());
        let other = ProcessBound::new(()).unwrap();
        thread::spawn(move || {
            assert!(bound.get_mut().is_ok());
            assert!(other.get().is_ok());
        })
        .join()
        .unwrap();
        assert_eq!(std::sync::Arc::strong_count(&value), 1, "dropped");
    }

    #[test]
    fn what_belongs_to_another_process_is_refused_and_not_dropped() {
        static OTHER_PROCESS: AtomicU32 = AtomicU32::new(7);
        let value = Rc::new(());
        let guard = ForkGuard { word: &OTHER_PROCESS, own: 6 };
        let mut bound = ProcessBound { guard, value: ManuallyDrop::new(value.clone()) };
        assert_eq!(bound.get(), Err(StorageIoError::Closed));
        assert_eq!(bound.get_mut(), Err(StorageIoError::Closed));
        assert_eq!(Rc::strong_count(bound.peek()), 2);
        drop(bound);
        assert_eq!(Rc::strong_count(&value), 2, "not dropped");
    }
}
