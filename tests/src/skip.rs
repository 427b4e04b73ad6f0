//! [`skip`]: what a test says that this machine cannot run.

use std::fmt::Display;

/// Says why a test, or a part of it, does not run.
///
/// # Panics
/// If `RINGZERO_REQUIRE_ALL` is set: where everything exists, skipping is a failure.
pub fn skip(reason: impl Display) {
    println!("skipped: {reason}");
    assert!(std::env::var_os("RINGZERO_REQUIRE_ALL").is_none(), "skipped: {reason}");
}
