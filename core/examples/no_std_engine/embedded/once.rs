//! [`Once`]: static memory that is handed out once, for good.
//!
//! # Safety
//! The flag is set before the reference is made and never cleared, so there is one reference at
//! most.
#![allow(unsafe_code)]

use core::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, Ordering},
};

/// A static value of which exactly one exclusive reference can be taken.
#[derive(Debug)]
pub struct Once<T> {
    value: UnsafeCell<T>,
    is_taken: AtomicBool,
}

// SAFETY: only the winner of `is_taken` reaches the value.
unsafe impl<T: Send> Sync for Once<T> {}

impl<T> Once<T> {
    /// The value, not taken yet.
    pub const fn new(value: T) -> Self {
        Self { value: UnsafeCell::new(value), is_taken: AtomicBool::new(false) }
    }

    /// The reference; `None` at the second call.
    #[allow(clippy::mut_from_ref)] // The flag makes it exclusive.
    pub fn take(&'static self) -> Option<&'static mut T> {
        // ORDERING: the swap alone decides; nothing is published through it.
        if self.is_taken.swap(true, Ordering::Relaxed) {
            return None;
        }
        // SAFETY: nobody else passed the swap, and nobody will.
        Some(unsafe { &mut *self.value.get() })
    }
}
