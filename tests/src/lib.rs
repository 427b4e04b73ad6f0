//! The conformance suite of ringzero: every guarantee of the contract, on every backend and mode.
//!
//! A test is a function generic over a [`fixture::Fixture`]; [`conformance!`] makes one `#[test]`
//! of it per backend and mode: the engine over a scripted executor (`scripted`), the same with
//! requests shuffled, delayed, cut short, sent back and answered at once (`scripted_rough`), the
//! simulated disk with what no caller may notice (`sim`), `sync`, worker threads, one and three
//! (`worker`, `worker_few`), and io_uring by default, bound to a thread, with a polling kernel
//! thread, and with registered buffers and a submission queue of one (`uring`, `uring_bound`,
//! `uring_sqpoll`, `uring_fixed`). What needs a request to hang or fail at a chosen moment runs on
//! the scripted executor, and on the others over the file system of `fuse`. A mode that this
//! machine cannot run prints why it is skipped.
//!
//! # Where each guarantee is tested
//! | guarantee | files in `tests/` |
//! |---|---|
//! | 1, 2 accepted or untouched; the slice is free | `conformance_acceptance`, `_groups` |
//! | 3 all or error | `conformance_acceptance`, `conformance_retry` |
//! | 4 order | `conformance_order` |
//! | 5 append | `conformance_append`, `_append_failure`, `_full_device` |
//! | 6 datasync | `conformance_sync`, `_groups`, `_fusing`, `_threads` (a slow file) |
//! | 7 failure | `conformance_failure`, `_full_device`, `_thin_device`, `_no_workers` |
//! | 7 failure of a write that carries its data-sync | `conformance_fusing_answers` |
//! | 8 bounds and shares | `conformance_bounds` |
//! | 9 handles and kinds of files | `conformance_handles`, `conformance_kinds` |
//! | 10, 11 closing, shutdown, drop, memory | `conformance_close`, `_deadlines`, `_frozen` |
//! | 12 polls make progress | `conformance_acceptance` (allocation, panics: other packages) |
//! | 12 no system call that waits | `system_calls` |
//! | 13 threads and forks | `conformance_threads`, `conformance_frozen` |
//! | 3, 5, 6, 7, 8, 10, 11, 13 under faults of a mounted file system | `faults_fuse_*` |
//! | 15 what survives | `kill_storm` (the process's death), `power_cuts` (real file systems) |
//! | 3 to 7 after a power cut | `crash_sim` (a reference log on the simulated disk) |
//! | all of them | `random_faults` (the [`model`]), `random_equal`, `seed_client` |
//!
//! # Modules
//! | module | noun |
//! |---|---|
//! | `fixture`, `real` | one backend in one mode, and files for it |
//! | `session` | a backend and everything it delivered; counts every token |
//! | `matrix` | generic test × fixture → `#[test]` |
//! | `sim` | the simulated disk as a fixture |
//! | `scripted` | the smallest driver over the engine |
//! | `disk`, `traffic`, `script` | its executor: files in memory, requests, what they answer |
//! | `heap` | block memory that shows use after its end |
//! | `model`, `file_model`, `content` | what a call may answer and a byte may be |
//! | `episode` | a backend, its model and a run of calls |
//! | `counts` | what random calls are to meet, and how often they did |
//! | `choices` | what a run is decided by: a seed, or bytes |
//! | `fusing` | groups of committers on the scripted backend, and their requests |
//! | `random` | seeded numbers and recognisable bytes |
//! | `skip` | what this machine cannot run |
//! | `tiny` | a file system with room for a few pages |
//! | `storm` | a process that writes until it is killed, and what its files may hold then |
//! | `confine` | real limits: child processes, filters on system calls, small file systems |
//! | `fuse` | a file system that fails, delays and shortens by script, and logs |
//! | `power` | a block device that loses power: its log, and the images a cut may leave |
//!
//! # Environment
//! `RINGZERO_SEED`, `RINGZERO_OPERATIONS`: seed and length of the random tests. `RINGZERO_SEEDS`:
//! how many seeds `crash_sim` runs.
//! `RINGZERO_CUTS`, `RINGZERO_ROUNDS`: how often `power_cuts` cuts, and `kill_storm` kills.
//! `RINGZERO_EPISODE`: only this episode of `random_faults`, each call printed; with
//! `RINGZERO_TRACE` each request too.
//!
#![doc = include_str!("../MUTATIONS.md")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

pub mod choices;
#[cfg(target_os = "linux")]
pub mod confine;
pub mod content;
pub mod counts;
pub mod disk;
pub mod episode;
pub mod file_model;
pub mod fixture;
#[cfg(target_os = "linux")]
pub mod fuse;
pub mod fusing;
pub mod heap;
pub mod matrix;
pub mod model;
pub mod power;
pub mod random;
pub mod real;
pub mod script;
pub mod scripted;
pub mod session;
pub mod sim;
pub mod skip;
pub mod storm;
pub mod tiny;
pub mod traffic;
