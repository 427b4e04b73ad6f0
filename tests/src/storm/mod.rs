//! A process that writes until it is killed: what it does, and what its files may hold afterwards.
//!
//! ```text
//! test process                                writer process
//!   Victim: starts, reads, kills  ◄── pipe ──  numbers of operations that are complete
//!   Remains: what the files hold               backend ─► the files `appends` and `writes`
//! ```
//!
//! The operations are a pure function of a seed, so the test knows what was written where.

mod operations;
mod remains;
mod victim;
mod writer;

pub use remains::{Found, Remains};
pub use victim::Victim;
pub use writer::{Acknowledge, config, write_until_killed};
