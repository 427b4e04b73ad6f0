//! The guide: how to think about this crate, and how to put it to work.
//!
//! Documentation only: there is no code here but that of the examples, which are compiled and run
//! with the tests. What a method does, and which errors it has, is told where it is declared, in
//! [`StorageIo`](crate::StorageIo) and [`StorageIoExt`](crate::StorageIoExt); the pages say how
//! these fit together.
//!
//! | page | answers |
//! |---|---|
//! | [`model`] | What may I rely on, and what does a call cost? |
//! | [`choosing`] | Which backend, which flags, and at what price? |
//! | [`a_log`] | What does a whole program look like? |
//! | [`testing_recovery`] | How do I cut the power in a test? |
//! | [`migrating`] | What becomes of my calls, and of my error handling? |
//! | [`after_a_failure`] | EIO, ENOSPC: what is safe, and what now? |

#[doc = include_str!("../docs/model.md")]
pub mod model {}

#[doc = include_str!("../docs/choosing.md")]
pub mod choosing {}

#[doc = include_str!("../docs/a_log.md")]
pub mod a_log {}

#[doc = include_str!("../docs/testing_recovery.md")]
pub mod testing_recovery {}

#[doc = include_str!("../docs/migrating.md")]
pub mod migrating {}

#[doc = include_str!("../docs/after_a_failure.md")]
pub mod after_a_failure {}
