//! An abort zone ends the process with SIGABRT and prints size and place.
//!
//! Each test runs one of the functions below in a child process: this same binary, told by an
//! environment variable which one.
#![cfg(unix)]

use ringzero_alloc_audit::{Action, CountingAllocator, Zone};
use std::alloc::System;
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new(System);

const OFFENDER: &str = "ALLOC_AUDIT_TEST_OFFENDER";
const SIGABRT: i32 = 6;

#[inline(never)]
fn allocate_where_forbidden() {
    black_box(Vec::<u8>::with_capacity(black_box(4321)));
}

#[inline(never)]
fn zero_where_forbidden() {
    black_box(vec![0_u8; black_box(4322)]);
}

#[inline(never)]
fn grow_where_forbidden(buffer: &mut Vec<u8>) {
    buffer.reserve_exact(black_box(4323));
    black_box(buffer);
}

#[inline(never)]
fn free_where_forbidden(buffer: Vec<u8>) {
    drop(buffer);
    // Keeps the call above from becoming a tail call, which would hide this function.
    black_box(());
}

/// The child process: does nothing unless told what to do.
#[test]
fn offender() {
    let Ok(offender) = std::env::var(OFFENDER) else { return };
    let mut buffer = black_box(Vec::with_capacity(100));
    buffer.push(1);
    let zone = Zone::enter(Action::Abort).unwrap();
    match offender.as_str() {
        "allocate" => allocate_where_forbidden(),
        "zero" => zero_where_forbidden(),
        "grow" => grow_where_forbidden(&mut buffer),
        "free" => free_where_forbidden(buffer),
        "nested" => {
            let _inner = Zone::enter(Action::Report).unwrap();
            allocate_where_forbidden();
        }
        _ => {}
    }
    drop(zone);
}

/// The status of a child process that ran `name`, and what it wrote to standard error.
fn run_offender(name: &str) -> std::io::Result<(ExitStatus, String)> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--exact", "offender"])
        .env(OFFENDER, name)
        .current_dir(std::env::temp_dir())
        .output()?;
    Ok((output.status, String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// Checks that `name` ends by SIGABRT and prints `call` and `place`, the latter without its crate:
/// an optimised build with line tables only does not know it.
fn assert_aborts(name: &str, call: &str, place: &str) -> std::io::Result<()> {
    let (status, errors) = run_offender(name)?;
    assert_eq!(status.signal(), Some(SIGABRT), "{errors}");
    assert!(errors.contains(&format!("{call}, inside an abort zone")), "{errors}");
    let place_line = errors.lines().find(|line| line.starts_with("allocation audit: in "));
    let place_line = place_line.unwrap_or_default();
    assert!(place_line.contains(place), "{errors}");
    assert!(place_line.contains("tests/aborting.rs:"), "{errors}");
    assert!(errors.lines().any(|line| line.contains("offender (")), "{errors}");
    Ok(())
}

#[test]
fn a_process_that_offends_no_zone_lives() {
    let (status, errors) = run_offender("nobody").unwrap();
    assert!(status.success(), "{errors}");
    assert!(!errors.contains("allocation audit"), "{errors}");
}

#[test]
fn an_allocation_aborts() {
    assert_aborts("allocate", "allocation of 4321 bytes, align 1", "allocate_where_forbidden")
        .unwrap();
}

#[test]
fn a_zeroed_allocation_aborts() {
    assert_aborts("zero", "zeroed allocation of 4322 bytes, align 1", "zero_where_forbidden")
        .unwrap();
}

#[test]
fn a_reallocation_aborts() {
    assert_aborts("grow", "reallocation from 100 to 4324 bytes, align 1", "grow_where_forbidden")
        .unwrap();
}

#[test]
fn a_deallocation_aborts() {
    assert_aborts("free", "deallocation of 100 bytes, align 1", "free_where_forbidden").unwrap();
}

#[test]
fn a_reporting_zone_inside_grants_no_exemption() {
    assert_aborts("nested", "allocation of 4321 bytes, align 1", "allocate_where_forbidden")
        .unwrap();
}
