//! [`Heap`]: block memory that shows use after its end.
//!
//! Owned, with a stable address, and overwritten with [`POISON`] when it is dropped, just before it
//! is freed. A backend that gives its memory up while a request is in flight would put that byte
//! into a file, where every content check sees it.
//!
//! # Safety
//! The allocation is made once in `new`, handed out by `base`, and freed once in `drop`.
#![allow(unsafe_code)]

use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    ptr::NonNull,
};

use ringzero_core::StableMemory;

/// What freed memory is filled with.
pub const POISON: u8 = 0xDD;

const ALIGNMENT: usize = 4096;

/// Zeroed, page-aligned memory of a fixed size.
#[derive(Debug)]
pub struct Heap {
    base: NonNull<u8>,
    byte_count: usize,
}

// SAFETY: the memory is owned; the pointer is the only way to it.
unsafe impl Send for Heap {}

impl Heap {
    fn layout(byte_count: usize) -> Layout {
        Layout::from_size_align(byte_count.max(1), ALIGNMENT).expect("a sane size")
    }

    /// `byte_count` zeroed bytes.
    pub fn new(byte_count: usize) -> Self {
        let layout = Self::layout(byte_count);
        // SAFETY: the layout is not of size zero.
        let base = unsafe { alloc_zeroed(layout) };
        let Some(base) = NonNull::new(base) else { handle_alloc_error(layout) };
        Self { base, byte_count }
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // SAFETY: the allocation has at least `byte_count` bytes and is ours.
        unsafe { self.base.as_ptr().write_bytes(POISON, self.byte_count) };
        // SAFETY: allocated in `new` with the same layout, freed only here.
        unsafe { dealloc(self.base.as_ptr(), Self::layout(self.byte_count)) };
    }
}

// SAFETY: one allocation, never moved, freed in `drop` only, aligned to 4096.
unsafe impl StableMemory for Heap {
    fn base(&self) -> NonNull<u8> {
        self.base
    }

    fn byte_count(&self) -> usize {
        self.byte_count
    }
}
