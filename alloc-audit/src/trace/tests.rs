//! Where a stack leaves the meter, in builds with and without debug information.

use super::{Place, caller_index, own_folder};
use std::path::{Path, PathBuf};

/// A function as a symbol table names it.
fn symbol(function: &str) -> Place {
    Place { function: function.to_owned(), file: None, line: None }
}

/// A function as line tables name it.
fn line(function: &str, file: impl AsRef<Path>) -> Place {
    Place { file: Some(PathBuf::from(file.as_ref())), line: Some(1), ..symbol(function) }
}

/// A function of this crate as line tables name it.
fn own_line(function: &str, file: &str) -> Place {
    line(function, Path::new("/build").join(own_folder().unwrap()).join(file))
}

/// The innermost function behind the meter, and the innermost that is not the library's either.
fn caller_and_culprit(places: &[Place]) -> (&str, &str) {
    let callers = &places[caller_index(places).unwrap()..];
    let culprit = callers.iter().find(|place| !place.is_meter() && !place.is_library()).unwrap();
    (&callers[0].function, &culprit.function)
}

#[test]
fn full_debug_information_is_cut_behind_the_shims() {
    let places = [
        line("backtrace::backtrace::trace", "/registry/backtrace-0.3.77/src/backtrace/mod.rs"),
        own_line("ringzero_alloc_audit::trace::Trace::capture", "trace.rs"),
        own_line("ringzero_alloc_audit::meter::Meter::watch", "meter.rs"),
        line("std::thread::local::LocalKey<T>::try_with", "/rustc/0123/library/std/src/local.rs"),
        own_line("ringzero_alloc_audit::meter::record", "meter.rs"),
        own_line(
            "<ringzero_alloc_audit::allocator::CountingAllocator as G>::alloc",
            "allocator.rs",
        ),
        line("__rustc::__rust_alloc", "/build/user/src/main.rs"),
        line("alloc::alloc::alloc", "/rustc/0123/library/alloc/src/alloc.rs"),
        line("user::offend", "/build/user/src/main.rs"),
        own_line("ringzero_alloc_audit::zone::audit", "zone.rs"),
    ];
    assert_eq!(caller_and_culprit(&places), ("alloc::alloc::alloc", "user::offend"));
}

#[test]
fn line_tables_without_crate_names_are_cut_by_file() {
    let places = [
        line("trace<closure>", "/registry/backtrace-0.3.77/src/backtrace/mod.rs"),
        own_line("watch", "meter.rs"),
        line("try_with", "/rustc/0123/library/std/src/local.rs"),
        own_line("alloc<System>", "allocator.rs"),
        line("with_capacity<u8>", "/rustc/0123/library/alloc/src/vec.rs"),
        line("alloc", "/build/user/src/allocator.rs"),
    ];
    assert_eq!(caller_and_culprit(&places), ("with_capacity<u8>", "alloc"));
}

#[test]
fn symbols_alone_are_cut_behind_the_meter() {
    let places = [
        symbol("backtrace::backtrace::trace"),
        symbol("ringzero_alloc_audit::trace::Trace::capture"),
        symbol("std::panicking::catch_unwind"),
        symbol("ringzero_alloc_audit::meter::Meter::watch"),
        symbol("<alloc::vec::Vec<T> as core::clone::Clone>::clone"),
        symbol("<user::Queue as user::Push>::push"),
    ];
    let expected =
        ("<alloc::vec::Vec<T> as core::clone::Clone>::clone", "<user::Queue as user::Push>::push");
    assert_eq!(caller_and_culprit(&places), expected);
}

#[test]
fn a_binary_beside_this_crate_is_not_taken_for_the_meter() {
    let places = [
        own_line("ringzero_alloc_audit::allocator::alloc", "allocator.rs"),
        own_line("audit_all::run", "bin/audit_all.rs"),
    ];
    assert_eq!(caller_and_culprit(&places), ("audit_all::run", "audit_all::run"));
}

#[test]
fn a_stack_without_symbols_has_no_caller() {
    assert_eq!(caller_index(&[]), None);
    assert_eq!(caller_index(&[symbol("main")]), None);
}
