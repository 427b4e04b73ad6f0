//! The contestants of this executable; those with dependencies of their own are in `peers`.
//!
//! All make each record in a buffer of their own and copy it to where the kernel takes it from
//! (`std` writes it from there; claims of ours need neither buffer nor copy), check every result,
//! and take committers from [`committers`].
//!
//! | module | noun |
//! |---|---|
//! | [`ours`] | our backends |
//! | [`raw`] | written by hand on io_uring |
//! | [`plain`] | `std::fs::File` |
//! | [`committers`], [`group`] | the closed loop of commits, and commits in groups |
//! | [`place`], [`files`] | where a write goes, and opening files |

pub mod committers;
pub mod files;
pub mod group;
pub mod ours;
pub mod place;
pub mod plain;
pub mod raw;

use crate::compare::contestant::Contestant;

/// Everyone in this executable.
pub fn all() -> Vec<Contestant> {
    [plain::CONTESTANTS, raw::CONTESTANTS, ours::CONTESTANTS].concat()
}
