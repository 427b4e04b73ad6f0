//! Storage I/O for hot loops that must never block, lock, allocate or panic.
//!
//! A program submits writes, appends and datasyncs, gets a token for each, and polls for
//! completions. All meaning (order, merging, barriers, failure) is in the engine of
//! [`ringzero_core`]; this crate has the *backends* that carry requests to an operating system, and
//! every guarantee is the same on each:
//!
//! | backend | executes |
//! |---|---|
//! | `UringBackend` (64-bit Linux) | in the kernel, through io_uring |
//! | [`WorkerBackend`] | on threads of its own |
//! | [`SyncBackend`] | inside the submitting call, or merged, inside the flush |
//! | [`SimBackend`] | on a disk in memory that fails and crashes by a seed: for tests |
//!
//! [`open`] sets up the best one that works on this machine and says why it is not a better one.
//!
//! ```
//! use ringzero::{Config, IoCompletion, open};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("log");
//! let mut io = open(&Config::default())?.io;
//! let log = io.register_fd(std::fs::File::create(path)?)?;
//! io.submit_append(log, b"a record")?;
//! let commit = io.submit_datasync(log)?;
//! io.flush()?;
//!
//! let mut completions = Vec::with_capacity(16);
//! while io.pending_count() > 0 {
//!     io.wait(1, None)?;
//!     io.poll_completions(&mut completions);
//! }
//! assert_eq!(completions.last(), Some(&IoCompletion { token: commit, result: 0 }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The [`guide`] begins with the model and ends with what to do after a failure.
//!
//! # Modules
//! Arrows point down only; backends never import each other.
//!
//! | floor | modules |
//! |---|---|
//! | 6 | `open`; `ring` (io_uring for it, where there is one) |
//! | 5 | `probe` |
//! | 4 | `sync`, `uring`, `worker`, `sim` |
//! | 3 | `driver` (what backends with requests in flight have in common) |
//! | 2 | `registry` (engine and files), `storage_io` (the interface over `std::fs::File`) |
//! | 1 | `files`, `lock`, `memory`, `fork`, `report`, `segment`, `setup_error`, `config` |
//! | 1 | `event_source` (the interface to event loops) |
//! | 0 | `guide` (documentation only) |
//! | 0 | `platform` (all that differs by operating system), `error` |

// What only the driver of io_uring uses.
#![cfg_attr(not(all(target_os = "linux", target_pointer_width = "64")), allow(dead_code))]

mod config;
mod driver;
mod error;
mod event_source;
mod files;
mod fork;
pub mod guide;
mod lock;
mod memory;
mod open;
mod platform;
mod probe;
mod registry;
mod report;
mod segment;
mod setup_error;
mod sim;
mod storage_io;
mod sync;
mod worker;

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod uring;

#[cfg_attr(all(target_os = "linux", target_pointer_width = "64"), path = "ring_linux.rs")]
#[cfg_attr(not(all(target_os = "linux", target_pointer_width = "64")), path = "ring_absent.rs")]
mod ring;

pub use config::{
    Choice, Config, ConfigError, SyncConfig, SyncMode, UringConfig, UringMode, WorkerConfig,
};
pub use error::{errno_of, from_io_error, to_io_error};
pub use event_source::{EventSource, WaitHandle};
pub use lock::lock_file;
pub use open::{Opened, open};
pub use report::{BackendKind, Downgrade, Note, Report};
pub use ringzero_core::{
    Claim, Completion, CompletionSink, Errno, FileStatus, IoCompletion, IoFd, Limits, LimitsError,
    SliceSink, Stats, StorageIoError, StorageIoExt, WakerSlot, WakerTable,
};
pub use segment::{SEGMENT_UNIT_BYTES, prepare_segment, recycle_segment};
pub use setup_error::SetupError;
pub use sim::{SimBackend, SimCounts, SimDisk, SimEvent, SimFaults, SimFile, SimPromise, SimTrace};
pub use storage_io::{Backend, StorageIo};
pub use sync::SyncBackend;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub use uring::UringBackend;
pub use worker::WorkerBackend;

/// The examples of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
