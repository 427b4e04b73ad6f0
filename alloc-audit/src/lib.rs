//! A counting global allocator with zones: prove that a hot loop neither allocates nor frees.
//!
//! Install [`CountingAllocator`] in a test, bench or audit binary, open a [`Zone`] around the loop,
//! and read the [`Report`]. This is how a program audits its own loop:
//!
//! ```
//! use ringzero_alloc_audit::{Action, CountingAllocator, NotInstalled, audit};
//! use std::alloc::System;
//!
//! #[global_allocator]
//! static ALLOCATOR: CountingAllocator = CountingAllocator::new(System);
//!
//! fn main() -> Result<(), NotInstalled> {
//!     let mut samples = Vec::with_capacity(1024); // The set-up may allocate.
//!     let (sum, report) = audit(Action::Report, || {
//!         samples.extend(0..1024_u64);
//!         samples.iter().sum::<u64>()
//!     })?;
//!     assert_eq!(sum, 523_776);
//!     report.assert_clean(); // Panics with the size and the place of the first offence.
//!
//!     // One element more than was reserved: the meter sees the vector grow.
//!     let ((), report) = audit(Action::Report, || samples.push(1024))?;
//!     assert!(!report.is_clean());
//!     assert_eq!(report.reallocations(), 1);
//!     println!("{report}");
//!     Ok(())
//! }
//! ```
//!
//! # What counts as an offence
//!
//! Every call that reaches the global allocator while a zone is open on the calling thread:
//! allocation, zeroed allocation, reallocation and deallocation. Freeing is an offence because a
//! loop in steady state has nothing to free, and because a free pays the same locks and page faults
//! as an allocation. It is counted apart, so a caller who tolerates frees asserts on
//! [`Report::allocations`] and [`Report::reallocations`] instead of [`Report::is_clean`]. A request
//! the inner allocator refuses is counted as well: the loop asked.
//!
//! # A check cannot pass without the allocator
//!
//! [`Zone::enter`], [`audit`], [`process_totals`] and [`thread_totals`] make a real allocation
//! first and return [`NotInstalled`] when [`CountingAllocator`] did not see it. No figure leaves
//! this crate in a program that forgot `#[global_allocator]`.
//!
//! # Threads
//!
//! A zone counts the thread that entered it and no other. Work handed to other threads shows up in
//! [`process_totals`], or in zones which those threads enter themselves.
//!
//! # The meter's own work
//!
//! Entering and finishing a zone, the probe for [`NotInstalled`], and recording a backtrace are
//! counted nowhere, so that a nested zone adds nothing to the zone around it. Recording walks the
//! stack and keeps instruction addresses only. Names and lines are looked up when asked for
//! ([`Offence::place`], `Display`): that look-up allocates and is counted like any other code.
//!
//! # The audit of ringzero's backends
//!
//! `cargo run --release -p ringzero-alloc-audit --features backends --bin alloc-audit` runs every
//! kind of call on every backend and mode of ringzero inside zones, from the first submission after
//! registration on, checks every result, prints a table, and fails with the size and the place of
//! the first offence. With `-- --control` it allocates on purpose and has to fail; with
//! `RINGZERO_REQUIRE_ALL=1` what the machine cannot run is a failure too. Its source is an example
//! of how to audit a loop with errors, full queues and several threads in it. The library has
//! nothing of the feature `backends`.
//!
//! # What it is not
//!
//! It is not a profiler and not a leak detector; it does not see memory obtained past the global
//! allocator (`mmap`, C's `malloc`, stack). It needs a target with native thread-local storage:
//! where the standard library emulates it, the first access on a thread could itself allocate.
//!
//! # Glossary
//!
//! *Call*: one use of the global allocator. *Offence*: a call inside a zone. *Place*: function,
//! file and line of the code that made a call. *Meter*: this crate's state on one thread.

mod action;
mod allocator;
mod call;
mod counts;
mod meter;
mod offence;
mod open_zones;
mod process;
mod report;
mod trace;
mod zone;

pub use action::Action;
pub use allocator::CountingAllocator;
pub use call::Kind;
pub use counts::Counts;
pub use offence::Offence;
pub use report::Report;
pub use trace::{Place, Trace};
pub use zone::{NotInstalled, Zone, audit, is_installed, process_totals, thread_totals};

/// How many offences a [`Report`] keeps: the first ones; the counts go on beyond.
pub const OFFENCE_CAPACITY: usize = 8;

/// How many stack frames a [`Trace`] keeps, innermost first.
///
/// An unoptimised build spends about twenty-five on the meter, the allocator's shims and a
/// collection before it reaches the caller.
pub const FRAME_CAPACITY: usize = 64;
