//! Side by side: ringzero, what a user would write by hand, and what a user would pick instead.
//!
//! | module | noun |
//! |---|---|
//! | [`job`] | what one run of one contestant does |
//! | [`contestant`] | a way to do it, and how an executable offers several |
//! | [`measured`] | what the run took |
//! | [`meter`], [`usage`] | how that is measured |
//! | [`content`] | the bytes of each record, and checking a file |
//! | [`plan`] | the workloads, as jobs |
//! | [`trial`] | one run: file, child, check |
//! | [`race`] | trying out, and rounds in rotating order |
//! | [`growth`] | series instead of rounds against a base |
//! | [`outcome`], [`machine`] | what it came to, on what; JSON |
//! | [`table`], [`chart`] | for reading |

pub mod chart;
pub mod content;
pub mod contestant;
pub mod growth;
pub mod job;
pub mod machine;
pub mod measured;
pub mod meter;
pub mod outcome;
pub mod plan;
pub mod race;
pub mod table;
pub mod trial;
pub mod usage;
