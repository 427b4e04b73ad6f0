//! What ringzero costs, beside what a user would write instead.
//!
//! `cargo run --release -p ringzero-benches --bin …`
//!
//! | binary | what it tells |
//! |---|---|
//! | `instructions` | user-space instructions per operation, counted by valgrind |
//! | `compare` | every contestant side by side: tables, JSON, charts |
//!
//! | module | noun |
//! |---|---|
//! | [`workload`] | the callers' loops that are measured |
//! | [`callgrind`] | counting a child's instructions |
//! | [`baseline`] | what they were when somebody last looked |
//! | [`rounds`] | medians and ratios of interleaved rounds |
//! | [`compare`] | jobs, children, checks and tables of the side-by-side harness |
//! | [`contestants`] | what is compared: ours, by hand, and std |

pub mod baseline;
pub mod callgrind;
pub mod compare;
pub mod contestants;
pub mod rounds;
pub mod workload;

/// What the commands end with when something goes wrong.
pub type Failure = Box<dyn std::error::Error>;
