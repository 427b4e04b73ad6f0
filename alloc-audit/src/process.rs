//! The totals of the whole process.
//!
//! Relaxed atomics, at most three per call: each total is exact, but a reading taken while other
//! threads allocate may show one total before and another after the same call.
//! Written by the meter, read through `process_totals`.

use crate::call::{Call, Kind};
use crate::counts::Counts;
use std::sync::atomic::{AtomicU64, Ordering};

/// On cache lines of its own, so that counting disturbs no neighbour.
#[repr(align(128))]
struct ProcessTotals {
    allocations: AtomicU64,
    zeroed_allocations: AtomicU64,
    reallocations: AtomicU64,
    deallocations: AtomicU64,
    obtained_bytes: AtomicU64,
    returned_bytes: AtomicU64,
}

static TOTALS: ProcessTotals = ProcessTotals {
    allocations: AtomicU64::new(0),
    zeroed_allocations: AtomicU64::new(0),
    reallocations: AtomicU64::new(0),
    deallocations: AtomicU64::new(0),
    obtained_bytes: AtomicU64::new(0),
    returned_bytes: AtomicU64::new(0),
};

/// Adds `call` to the totals.
#[inline]
pub(crate) fn count(call: &Call) {
    match call.kind {
        Kind::Allocation => add(&TOTALS.allocations, 1),
        Kind::ZeroedAllocation => {
            add(&TOTALS.allocations, 1);
            add(&TOTALS.zeroed_allocations, 1);
        }
        Kind::Reallocation => add(&TOTALS.reallocations, 1),
        Kind::Deallocation => add(&TOTALS.deallocations, 1),
    }
    match call.kind {
        Kind::Deallocation => add(&TOTALS.returned_bytes, call.returned_bytes()),
        Kind::Reallocation => {
            add(&TOTALS.obtained_bytes, call.obtained_bytes());
            add(&TOTALS.returned_bytes, call.returned_bytes());
        }
        _ => add(&TOTALS.obtained_bytes, call.obtained_bytes()),
    }
}

/// The totals now.
pub(crate) fn read() -> Counts {
    Counts {
        allocations: TOTALS.allocations.load(Ordering::Relaxed),
        zeroed_allocations: TOTALS.zeroed_allocations.load(Ordering::Relaxed),
        reallocations: TOTALS.reallocations.load(Ordering::Relaxed),
        deallocations: TOTALS.deallocations.load(Ordering::Relaxed),
        obtained_bytes: TOTALS.obtained_bytes.load(Ordering::Relaxed),
        returned_bytes: TOTALS.returned_bytes.load(Ordering::Relaxed),
    }
}

#[inline]
fn add(total: &AtomicU64, amount: u64) {
    total.fetch_add(amount, Ordering::Relaxed);
}
