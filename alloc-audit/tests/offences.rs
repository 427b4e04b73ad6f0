//! A report names the place, also after the zone ended and on another thread.
//!
//! Functions are compared without their crate, which a build with line tables only does not know.

use ringzero_alloc_audit::{Action, CountingAllocator, Kind, Place, audit};
use std::alloc::System;
use std::collections::HashMap;
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new(System);

#[inline(never)]
fn build_the_offending_buffer() -> Vec<u8> {
    black_box(Vec::with_capacity(black_box(777)))
}

#[inline(never)]
fn grow_the_offending_buffer(buffer: &mut Vec<u8>) {
    buffer.resize(black_box(4000), 1);
    black_box(buffer);
}

#[inline(never)]
fn insert_into_the_offending_map() -> HashMap<u32, u32> {
    let mut map = HashMap::new();
    map.insert(black_box(1), 2);
    black_box(map)
}

#[test]
fn the_place_is_the_function_that_allocated() {
    let (_buffer, report) = audit(Action::Report, build_the_offending_buffer).unwrap();
    let offence = report.first_offence().unwrap();
    assert_eq!(offence.to_string(), "allocation of 777 bytes, align 1");
    let place = offence.place().unwrap();
    assert!(place.function.ends_with("build_the_offending_buffer"));
    assert!(place.file.as_deref().unwrap().ends_with("tests/offences.rs"), "{place}");
    assert!(place.line.unwrap() > 0);
}

#[test]
fn the_place_is_found_through_the_layers_of_a_collection() {
    let mut buffer = build_the_offending_buffer();
    let ((), growth) = audit(Action::Report, || grow_the_offending_buffer(&mut buffer)).unwrap();
    let offence = growth.first_offence().unwrap();
    assert_eq!(offence.kind(), Kind::Reallocation);
    assert!(offence.place().unwrap().function.ends_with("grow_the_offending_buffer"));

    let (_map, insertion) = audit(Action::Report, insert_into_the_offending_map).unwrap();
    let place = insertion.first_offence().unwrap().place().unwrap();
    assert!(place.function.ends_with("insert_into_the_offending_map"));
}

#[test]
fn the_trace_starts_at_the_caller_and_leads_to_the_test() {
    let (_buffer, report) = audit(Action::Report, build_the_offending_buffer).unwrap();
    let trace = report.first_offence().unwrap().trace();
    let is_at = |place: &Place, name: &str| place.function.ends_with(name);
    let is_in = |place: &Place, file: &str| place.file.as_ref().is_some_and(|f| f.ends_with(file));
    assert!(!trace.places().iter().any(|place| is_at(place, "__rust_alloc")), "{trace}");
    assert!(!trace.places().iter().any(|place| is_in(place, "src/allocator.rs")), "{trace}");
    assert!(!trace.places().iter().any(|place| is_in(place, "src/meter.rs")), "{trace}");
    assert!(
        trace.places().iter().any(|place| is_at(place, "build_the_offending_buffer")),
        "{trace}"
    );
    let test = "the_trace_starts_at_the_caller_and_leads_to_the_test";
    assert!(trace.places().iter().any(|place| is_at(place, test)), "{trace}");
    assert!(trace.to_string().contains("   0: "), "{trace}");
}

#[test]
fn the_places_are_in_the_printed_report() {
    let (_buffer, report) = audit(Action::Report, build_the_offending_buffer).unwrap();
    let text = report.to_string();
    let place = "\n  allocation of 777 bytes, align 1, in ";
    assert!(text.starts_with("1 allocations (0 zeroed), 0 reallocations"), "{text}");
    assert!(text.contains(place), "{text}");
    assert!(text.contains("build_the_offending_buffer ("), "{text}");
}

#[test]
fn the_place_is_in_the_failed_check() {
    let (_buffer, report) = audit(Action::Report, build_the_offending_buffer).unwrap();
    let panic = std::panic::catch_unwind(|| report.assert_clean()).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("777 bytes"), "{message}");
    assert!(message.contains("build_the_offending_buffer"), "{message}");
}

#[test]
fn a_report_is_resolved_on_another_thread() {
    let (_buffer, report) = audit(Action::Report, build_the_offending_buffer).unwrap();
    let place = std::thread::spawn(move || report.first_offence().and_then(|o| o.place()));
    assert!(place.join().unwrap().unwrap().function.ends_with("build_the_offending_buffer"));
}
