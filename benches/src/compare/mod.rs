//! Side by side: ringzero, what a user would write by hand, and what a user would pick instead.
//!
//! | module | noun |
//! |---|---|
//! | [`job`] | what one run of one contestant does |
//! | [`contestant`] | a way to do it, and how an executable offers several |
//! | [`measured`] | what the run took |
//! | [`meter`], [`usage`] | how that is measured |
//! | [`content`] | the bytes of each record, and checking a file |

pub mod content;
pub mod contestant;
pub mod job;
pub mod measured;
pub mod meter;
pub mod usage;
