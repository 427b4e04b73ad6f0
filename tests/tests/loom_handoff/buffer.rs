//! [`Buffer`]: memory that is handed from thread to thread, not protected by itself.
//!
//! # Safety
//! The threads of a model take turns by messages. If they do not, loom's cell reports the two
//! accesses before the second one is made.
#![allow(unsafe_code)]

use std::sync::Arc;

use loom::cell::UnsafeCell;

/// One number, shared.
#[derive(Clone, Debug)]
pub(crate) struct Buffer(Arc<Shared>);

#[derive(Debug)]
struct Shared(UnsafeCell<u32>);

// SAFETY: loom's cell sees to it that no two accesses meet.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Buffer {
    pub(crate) fn new(value: u32) -> Self {
        Self(Arc::new(Shared(UnsafeCell::new(value))))
    }

    pub(crate) fn read(&self) -> u32 {
        // SAFETY: the cell has checked that nobody writes.
        self.0.0.with(|value| unsafe { *value })
    }

    pub(crate) fn write(&self, new: u32) {
        // SAFETY: the cell has checked that nobody reads or writes.
        self.0.0.with_mut(|value| unsafe { *value = new });
    }
}
