//! The counting global allocator: forwards to an inner allocator and reports each call to the
//! meter.
//!
//! It is not an allocator of its own: it keeps no blocks, adds no header and changes no layout.
//!
//! Invariants:
//! - Each method calls the method of the same name on the inner allocator exactly once, with the
//!   arguments it was given, and returns what that returned.
//! - [`meter::record`] never unwinds, so these methods unwind only if the inner allocator does.
//!
//! Called by the standard library through `#[global_allocator]`.
//!
//! # Safety
//!
//! `GlobalAlloc` is an unsafe trait: the blocks handed out must honour their layout. That holds
//! because the inner allocator honours it and this file passes pointers and layouts on untouched.
//! Each method's own contract is the caller's, passed on word for word.
#![allow(unsafe_code)]

use crate::call::{Call, Kind};
use crate::meter;
use std::alloc::{GlobalAlloc, Layout, System};

/// A global allocator that counts every call and forwards it to `A`.
///
/// The counts are per thread and per process, not per instance: install one, and do not wrap one in
/// another.
///
/// ```
/// use ringzero_alloc_audit::CountingAllocator;
/// use std::alloc::System;
///
/// #[global_allocator]
/// static ALLOCATOR: CountingAllocator = CountingAllocator::new(System);
/// ```
#[derive(Debug, Default)]
pub struct CountingAllocator<A = System> {
    inner: A,
}

impl<A> CountingAllocator<A> {
    /// Wraps `inner`, to which every call is forwarded.
    pub const fn new(inner: A) -> Self {
        Self { inner }
    }
}

// SAFETY: every method forwards to `A`, which upholds the trait's contract, and `meter::record`
// neither unwinds nor touches the block.
unsafe impl<A: GlobalAlloc> GlobalAlloc for CountingAllocator<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller promised that `layout` has a non-zero size.
        let block = unsafe { self.inner.alloc(layout) };
        meter::record(&Call::new(Kind::Allocation, layout, !block.is_null()));
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller promised that `layout` has a non-zero size.
        let block = unsafe { self.inner.alloc_zeroed(layout) };
        meter::record(&Call::new(Kind::ZeroedAllocation, layout, !block.is_null()));
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size_bytes: usize) -> *mut u8 {
        // SAFETY: the caller promised that `block` came from this allocator, thus from `inner`,
        // with
        // `layout`, and that the new size is neither zero nor too large for the alignment.
        let moved = unsafe { self.inner.realloc(block, layout, new_size_bytes) };
        meter::record(&Call::reallocation(layout, new_size_bytes, !moved.is_null()));
        moved
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        meter::record(&Call::new(Kind::Deallocation, layout, true));
        // SAFETY: the caller promised that `block` came from this allocator, thus from `inner`,
        // with
        // `layout`, and is not used again.
        unsafe { self.inner.dealloc(block, layout) }
    }
}
