//! Each kind of call is seen and counted exactly: the positive controls of "the zone is clean".

use ringzero_alloc_audit::{
    Action, CountingAllocator, Counts, Kind, OFFENCE_CAPACITY, Report, audit, is_installed,
    thread_totals,
};
use std::alloc::System;
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new(System);

/// The calls of a report in the order: allocations, of them zeroed, reallocations, deallocations.
fn calls(report: &Report) -> [u64; 4] {
    let Counts { allocations, zeroed_allocations, reallocations, deallocations, .. } =
        report.counts();
    [allocations, zeroed_allocations, reallocations, deallocations]
}

/// The bytes of a report: obtained, returned.
fn bytes(report: &Report) -> [u64; 2] {
    [report.counts().obtained_bytes, report.counts().returned_bytes]
}

#[test]
fn the_allocator_is_found_installed() {
    assert!(is_installed());
}

#[test]
fn a_loop_over_reserved_memory_is_clean() {
    let mut reserved = Vec::with_capacity(1000);
    let ((), report) = audit(Action::Report, || {
        for value in 0..1000_u32 {
            reserved.push(black_box(value));
        }
    })
    .unwrap();
    assert!(report.is_clean());
    assert_eq!(report.counts(), Counts::default());
    assert!(report.offences().is_empty());
    report.assert_clean();
}

#[test]
fn an_allocation_is_counted_once() {
    let (block, report) = audit(Action::Report, || black_box(Box::new([7_u64; 5]))).unwrap();
    assert_eq!(calls(&report), [1, 0, 0, 0]);
    assert_eq!(bytes(&report), [40, 0]);
    assert!(!report.is_clean());
    let offence = report.first_offence().unwrap();
    assert_eq!(offence.kind(), Kind::Allocation);
    assert_eq!((offence.size_bytes(), offence.align_bytes()), (40, align_of::<u64>()));
    assert_eq!(offence.old_size_bytes(), None);
    assert_eq!(block.len(), 5);
}

#[test]
fn a_zeroed_allocation_is_counted_once() {
    let (block, report) = audit(Action::Report, || vec![0_u8; black_box(333)]).unwrap();
    assert_eq!(calls(&report), [1, 1, 0, 0]);
    assert_eq!(bytes(&report), [333, 0]);
    assert!(!report.is_clean());
    let offence = report.first_offence().unwrap();
    assert_eq!((offence.kind(), offence.size_bytes()), (Kind::ZeroedAllocation, 333));
    assert_eq!(black_box(block).len(), 333);
}

#[test]
fn a_reallocation_is_counted_once_with_both_sizes() {
    let mut block = vec![1_u8; black_box(64)];
    let ((), report) = audit(Action::Report, || block.reserve_exact(32)).unwrap();
    assert_eq!(calls(&report), [0, 0, 1, 0]);
    assert_eq!(bytes(&report), [96, 64]);
    assert!(!report.is_clean());
    let offence = report.first_offence().unwrap();
    assert_eq!((offence.kind(), offence.size_bytes()), (Kind::Reallocation, 96));
    assert_eq!(offence.old_size_bytes(), Some(64));
    assert_eq!(offence.to_string(), "reallocation from 64 to 96 bytes, align 1");
    assert_eq!(black_box(block).capacity(), 96);
}

#[test]
fn a_deallocation_is_counted_once_and_is_an_offence() {
    let block = black_box(vec![1_u8; black_box(77)]);
    let ((), report) = audit(Action::Report, || drop(block)).unwrap();
    assert_eq!(calls(&report), [0, 0, 0, 1]);
    assert_eq!(bytes(&report), [0, 77]);
    assert!(!report.is_clean());
    let offence = report.first_offence().unwrap();
    assert_eq!((offence.kind(), offence.size_bytes()), (Kind::Deallocation, 77));
}

#[test]
fn a_refused_request_is_an_offence_of_no_bytes() {
    let mut block = Vec::<u8>::new();
    let too_much = black_box(isize::MAX as usize);
    let (outcome, report) =
        audit(Action::Report, || block.try_reserve_exact(too_much).is_err()).unwrap();
    assert!(outcome, "the system granted half of the address space");
    assert_eq!(calls(&report), [1, 0, 0, 0]);
    assert_eq!(bytes(&report), [0, 0]);
    assert_eq!(report.first_offence().unwrap().size_bytes(), too_much);
}

#[test]
fn many_offences_are_all_counted_and_the_first_are_kept() {
    let ((), report) = audit(Action::Report, || {
        for size_bytes in 1..=1000 {
            drop(black_box(Vec::<u8>::with_capacity(black_box(size_bytes))));
        }
    })
    .unwrap();
    assert_eq!(calls(&report), [1000, 0, 0, 1000]);
    assert_eq!(bytes(&report), [500_500, 500_500]);
    let kept: Vec<_> = report.offences().iter().map(|o| (o.kind(), o.size_bytes())).collect();
    let expected: Vec<_> = (1..=OFFENCE_CAPACITY / 2)
        .flat_map(|size_bytes| [(Kind::Allocation, size_bytes), (Kind::Deallocation, size_bytes)])
        .collect();
    assert_eq!(kept, expected);
}

#[test]
fn a_counting_zone_counts_and_keeps_no_offence() {
    let (_block, report) = audit(Action::Count, || black_box(Box::new(1_u8))).unwrap();
    assert_eq!(calls(&report), [1, 0, 0, 0]);
    assert!(!report.is_clean());
    assert!(report.offences().is_empty());
    assert!(report.to_string().contains("Action::Report"), "{report}");
}

#[test]
fn the_thread_totals_go_on_outside_of_zones() {
    let before = thread_totals().unwrap();
    drop(black_box(vec![1_u8; black_box(50)]));
    let during = thread_totals().unwrap().since(&before);
    assert_eq!((during.allocations, during.deallocations), (1, 1));
    assert_eq!((during.obtained_bytes, during.returned_bytes), (50, 50));
}

#[test]
fn a_thousand_clean_zones_leave_the_totals_alone() {
    let before = thread_totals().unwrap();
    for _ in 0..1000 {
        let ((), report) = audit(Action::Report, || ()).unwrap();
        report.assert_clean();
    }
    assert_eq!(thread_totals().unwrap(), before);
}
