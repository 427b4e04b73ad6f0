//! Zones nest, end in any order, survive panics, and never deadlock with a backtrace in progress.

use ringzero_alloc_audit::{Action, CountingAllocator, Kind, Zone, audit};
use std::alloc::System;
use std::backtrace::Backtrace;
use std::hint::black_box;
use std::panic::catch_unwind;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new(System);

fn allocate_and_free(size_bytes: usize) {
    drop(black_box(Vec::<u8>::with_capacity(black_box(size_bytes))));
}

#[test]
fn an_outer_zone_contains_what_its_inner_zone_sees() {
    let outer = Zone::enter(Action::Report).unwrap();
    allocate_and_free(10);
    let inner = Zone::enter(Action::Report).unwrap();
    allocate_and_free(20);
    let inner = inner.finish();
    allocate_and_free(30);
    let outer = outer.finish();

    assert_eq!((inner.allocations(), inner.deallocations()), (1, 1));
    assert_eq!(inner.counts().obtained_bytes, 20);
    assert_eq!((outer.allocations(), outer.deallocations()), (3, 3));
    assert_eq!(outer.counts().obtained_bytes, 60);
    let sizes = |kind| {
        let of_kind = outer.offences().iter().filter(move |offence| offence.kind() == kind);
        of_kind.map(|offence| offence.size_bytes()).collect::<Vec<_>>()
    };
    assert_eq!(sizes(Kind::Allocation), [10, 20, 30]);
    assert_eq!(sizes(Kind::Deallocation), [10, 20, 30]);
}

#[test]
fn a_counting_zone_inside_does_not_silence_the_reporting_zone_around_it() {
    let (inner, outer) =
        audit(Action::Report, || audit(Action::Count, || allocate_and_free(10)).unwrap().1)
            .unwrap();
    assert!(inner.offences().is_empty());
    assert_eq!(outer.offences().len(), 2);
}

#[test]
fn inner_zones_and_their_reports_add_nothing_to_the_zone_around_them() {
    let ((), outer) = audit(Action::Report, || {
        for _ in 0..20 {
            let ((), inner) = audit(Action::Report, || ()).unwrap();
            inner.assert_clean();
        }
        let zones: [Zone; 20] = std::array::from_fn(|_| Zone::enter(Action::Count).unwrap());
        drop(zones);
    })
    .unwrap();
    outer.assert_clean();
}

#[test]
fn zones_may_end_in_any_order() {
    let first = Zone::enter(Action::Report).unwrap();
    let second = Zone::enter(Action::Report).unwrap();
    allocate_and_free(10);
    let first = first.finish();
    allocate_and_free(20);
    let second = second.finish();
    assert_eq!(first.counts().obtained_bytes, 10);
    assert_eq!(first.offences().len(), 2);
    assert_eq!(second.counts().obtained_bytes, 30);
    assert_eq!(second.offences().len(), 4);
}

#[test]
fn a_dropped_guard_ends_its_zone() {
    drop(Zone::enter(Action::Abort).unwrap());
    allocate_and_free(10);
}

#[test]
fn a_panic_ends_the_zone_and_goes_on() {
    let outcome = catch_unwind(|| audit(Action::Report, || std::panic::panic_any(7_u32)).is_ok());
    assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&7_u32));
    let ((), report) = audit(Action::Report, || ()).unwrap();
    report.assert_clean();
}

#[test]
fn a_panic_caught_inside_a_zone_is_counted_without_deadlock() {
    let (outcome, report) = audit(Action::Report, || {
        catch_unwind(|| assert_eq!(black_box(1), 2, "an expected failure"))
    })
    .unwrap();
    assert!(outcome.is_err());
    assert!(report.allocations() > 0);
}

#[test]
fn a_backtrace_taken_and_printed_inside_a_zone_is_counted_without_deadlock() {
    let (text, report) = audit(Action::Report, || Backtrace::force_capture().to_string()).unwrap();
    assert!(text.contains("deadlock"));
    assert!(report.allocations() > 0);
}

#[test]
fn an_offence_can_be_resolved_inside_another_zone() {
    let ((), first) = audit(Action::Report, || allocate_and_free(10)).unwrap();
    let (text, second) = audit(Action::Report, || first.to_string()).unwrap();
    assert!(text.contains("allocate_and_free"), "{text}");
    assert!(second.allocations() > 0);
}
