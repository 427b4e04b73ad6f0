//! [`skip`]: what a test says that this machine cannot run.

use std::fmt::Display;

/// Prints that `what` is skipped and why.
///
/// # Panics
/// If `RINGZERO_REQUIRE_ALL` is set: where everything exists, skipping is a failure.
pub fn skip(what: &str, reason: impl Display) {
    assert!(std::env::var_os("RINGZERO_REQUIRE_ALL").is_none(), "{what} cannot run: {reason}");
    println!("skipped: {what}: {reason}");
}
