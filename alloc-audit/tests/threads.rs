//! A zone counts its own thread only; the process totals count all; threads come and go unharmed.

use ringzero_alloc_audit::{
    Action, CountingAllocator, Zone, audit, is_installed, process_totals, thread_totals,
};
use std::alloc::System;
use std::cell::RefCell;
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new(System);

/// Larger than anything else in this file, the harness included, so that it shows in the totals.
const LARGE_BYTES: usize = 1 << 24;

#[test]
fn the_work_of_another_thread_is_charged_to_the_process_but_not_to_this_zone() {
    // A failure between the barriers would leave the other side waiting: check before and after.
    let before = process_totals().unwrap();
    let start = Barrier::new(2);
    let end = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            start.wait();
            let outcome =
                audit(Action::Report, || black_box(Vec::<u8>::with_capacity(LARGE_BYTES)));
            let allocations = outcome.map(|(block, report)| {
                drop(block);
                report.allocations()
            });
            end.wait();
            assert_eq!(allocations, Ok(1));
        });
        let ((), report) = audit(Action::Report, || {
            start.wait();
            end.wait();
        })
        .unwrap();
        let process = process_totals().unwrap().since(&before);
        report.assert_clean();
        assert!(process.allocations >= 1);
        assert!(process.deallocations >= 1);
        assert!(process.obtained_bytes >= LARGE_BYTES as u64, "{process}");
        assert!(process.returned_bytes >= LARGE_BYTES as u64, "{process}");
    });
}

#[test]
fn an_abort_zone_does_not_concern_other_threads() {
    assert!(is_installed());
    let start = Barrier::new(2);
    let end = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            start.wait();
            drop(black_box(vec![1_u8; black_box(100)]));
            end.wait();
        });
        let zone = Zone::enter(Action::Abort).unwrap();
        start.wait();
        end.wait();
        zone.finish().assert_clean();
    });
}

#[test]
fn the_totals_of_ended_threads_stay_in_the_process_totals() {
    const THREADS: u64 = 64;
    const BLOCKS: u64 = 100;
    let before = process_totals().unwrap();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let before = thread_totals().unwrap();
                for _ in 0..BLOCKS {
                    drop(black_box(Box::new(black_box(1_u64))));
                }
                let own = thread_totals().unwrap().since(&before);
                assert_eq!((own.allocations, own.deallocations), (BLOCKS, BLOCKS));
            });
        }
    });
    let process = process_totals().unwrap().since(&before);
    assert!(process.allocations >= THREADS * BLOCKS);
    assert!(process.deallocations >= THREADS * BLOCKS);
}

/// Destructors of [`LastWords`] whose zones counted exactly.
static EXACT_LAST_WORDS: AtomicU64 = AtomicU64::new(0);

/// Allocates, frees and audits in the destructor of a thread-local.
struct LastWords {
    zone: Option<Zone>,
}

impl Drop for LastWords {
    fn drop(&mut self) {
        // A panic in here would abort the process: the test looks at the sum instead.
        let audited = audit(Action::Report, || black_box(vec![2_u8; black_box(123)]));
        let Ok((block, inner)) = audited else { return };
        drop(block);
        let Some(outer) = self.zone.take().map(Zone::finish) else { return };
        let is_exact = (inner.allocations(), inner.deallocations()) == (1, 0)
            && inner.offences().len() == 1
            && outer.allocations() >= 1
            && outer.deallocations() >= 1;
        EXACT_LAST_WORDS.fetch_add(u64::from(is_exact), Ordering::Relaxed);
    }
}

thread_local! {
    static LAST_WORDS: RefCell<Option<LastWords>> = const { RefCell::new(None) };
}

#[test]
fn zones_work_while_a_thread_is_torn_down() {
    const THREADS: u64 = 32;
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            thread::spawn(|| {
                let zone = Some(Zone::enter(Action::Report).unwrap());
                LAST_WORDS.with_borrow_mut(|words| *words = Some(LastWords { zone }));
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    // A joined thread is gone, its destructors included.
    assert_eq!(EXACT_LAST_WORDS.load(Ordering::Relaxed), THREADS);
}

#[test]
fn a_thread_may_end_inside_a_forgotten_zone() {
    for _ in 0..32 {
        thread::Builder::new()
            .name("forgetful".to_owned())
            .spawn(|| {
                std::mem::forget(Zone::enter(Action::Report).unwrap());
                drop(black_box(vec![1_u8; black_box(100)]));
            })
            .unwrap()
            .join()
            .unwrap();
    }
}
