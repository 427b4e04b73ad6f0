//! The conformance suite of ringzero: every guarantee of the contract, on every backend and mode.
//!
//! A test is a function generic over a [`fixture::Fixture`]; [`conformance!`] makes one `#[test]`
//! of it per backend and mode: the engine over a scripted executor (`scripted`), the same with
//! requests shuffled, delayed, cut short, sent back and answered at once (`scripted_rough`),
//! `sync`, one worker thread and three (`worker`, `worker_few`), and io_uring by default, bound to
//! a thread, with a polling kernel thread, and with registered buffers and a submission queue of
//! one (`uring`, `uring_bound`, `uring_sqpoll`, `uring_fixed`). What needs a request to hang or
//! fail at a chosen moment runs on the scripted executor only. A mode that this machine cannot run
//! prints why it is skipped.
//!
//! # Where each guarantee is tested
//! | guarantee | files in `tests/` |
//! |---|---|
//! | 1, 2 accepted or untouched; the slice is free | `conformance_acceptance`, `_groups` |
//! | 3 all or error | `conformance_acceptance`, `conformance_retry` |
//! | 4 order | `conformance_order` |
//! | 5 append | `conformance_append`, `_append_failure`, `_full_device` |
//! | 6 datasync | `conformance_sync`, `_groups`, `_threads` (a slow file) |
//! | 7 failure | `conformance_failure`, `conformance_full_device` |
//! | 8 bounds and shares | `conformance_bounds` |
//! | 9 handles and kinds of files | `conformance_handles`, `conformance_kinds` |
//! | 10, 11 closing, shutdown, drop, memory | `conformance_close`, `conformance_deadlines` |
//! | 12 polls make progress | `conformance_acceptance` (allocation, panics: other packages) |
//! | 13 threads and forks | `conformance_threads` |
//! | all of them | `random_faults` (the [`model`]), `random_equal`, `seed_client` |
//!
//! # Modules
//! | module | noun |
//! |---|---|
//! | `fixture`, `real` | one backend in one mode, and files for it |
//! | `session` | a backend and everything it delivered; counts every token |
//! | `matrix` | generic test × fixture → `#[test]` |
//! | `scripted` | the smallest driver over the engine |
//! | `disk`, `traffic`, `script` | its executor: files in memory, requests, what they answer |
//! | `heap` | block memory that shows use after its end |
//! | `model`, `file_model`, `content` | what a call may answer and a byte may be |
//! | `random` | seeded numbers and recognisable bytes |
//! | `tiny` | a file system with room for a few pages |
//! | `confine` | child processes with limits and system-call filters of their own |
//! | `fuse` | a file system that fails, delays and shortens by script, and logs |
//! | `power` | a block device that loses power: its log, and the images a cut may leave |
//!
//! # Environment
//! `RINGZERO_SEED`, `RINGZERO_OPERATIONS`: seed and length of the random tests.
//! `RINGZERO_EPISODE`: only this episode of `random_faults`, each call printed; with
//! `RINGZERO_TRACE` each request too.
//!
#![doc = include_str!("../MUTATIONS.md")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

pub mod confine;
pub mod content;
pub mod disk;
pub mod file_model;
pub mod fixture;
pub mod fuse;
pub mod heap;
pub mod matrix;
pub mod model;
pub mod power;
pub mod random;
pub mod real;
pub mod script;
pub mod scripted;
pub mod session;
pub mod tiny;
pub mod traffic;
