//! Each method reaches the method of the same name on the inner allocator, with its arguments.
//!
//! # Safety
//!
//! The inner allocator notes what it was asked and forwards to the system's allocator untouched.
#![allow(unsafe_code)]

use ringzero_alloc_audit::CountingAllocator;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::{Mutex, PoisonError};

/// A call as the inner allocator saw it.
#[derive(Debug, PartialEq)]
enum Seen {
    Alloc(Layout),
    AllocZeroed(Layout),
    Realloc(Layout, usize),
    Dealloc(Layout),
}

/// Not the global allocator of this test, so it may itself allocate.
struct Spy {
    seen: Mutex<Vec<Seen>>,
}

impl Spy {
    fn note(&self, call: Seen) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

// SAFETY: forwards to the system's allocator.
unsafe impl GlobalAlloc for &Spy {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.note(Seen::Alloc(layout));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.note(Seen::AllocZeroed(layout));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size_bytes: usize) -> *mut u8 {
        self.note(Seen::Realloc(layout, new_size_bytes));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(block, layout, new_size_bytes) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.note(Seen::Dealloc(layout));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[test]
fn each_method_is_forwarded_once_with_its_arguments() {
    let spy = Spy { seen: Mutex::new(Vec::new()) };
    let counting = CountingAllocator::new(&spy);
    let small = Layout::from_size_align(48, 16).unwrap();
    let large = Layout::from_size_align(96, 16).unwrap();

    // SAFETY: the size is not zero.
    let first = unsafe { counting.alloc(small) };
    assert!(!first.is_null());
    // SAFETY: `first` was allocated with `small`; 96 is neither zero nor too large.
    let moved = unsafe { counting.realloc(first, small, large.size()) };
    assert!(!moved.is_null());
    // SAFETY: the size is not zero.
    let zeroed = unsafe { counting.alloc_zeroed(small) };
    assert!(!zeroed.is_null());
    // SAFETY: `zeroed` points to 48 initialised bytes.
    let contents = unsafe { std::slice::from_raw_parts(zeroed, small.size()) };
    assert!(contents.iter().all(|&byte| byte == 0));
    // SAFETY: `moved` has the layout `large` since its reallocation.
    unsafe { counting.dealloc(moved, large) };
    // SAFETY: `zeroed` was allocated with `small`, and `contents` is not used again.
    unsafe { counting.dealloc(zeroed, small) };

    let expected = [
        Seen::Alloc(small),
        Seen::Realloc(small, large.size()),
        Seen::AllocZeroed(small),
        Seen::Dealloc(large),
        Seen::Dealloc(small),
    ];
    assert_eq!(*spy.seen.lock().unwrap(), expected);
}
