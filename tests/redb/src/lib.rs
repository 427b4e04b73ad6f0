//! The embedded database redb over ringzero: a storage engine that others wrote, on top of ours.
//!
//! [`storage`] is redb's storage backend over any backend of ringzero. The rest asks whether a
//! database over it is what a database over a plain file is: the same answers, the same contents,
//! nothing committed lost in a power cut, no error kept silent.
//!
//! | module | noun |
//! |---|---|
//! | `shared` | a backend for several threads, that waits outside its lock |
//! | `storage` | `redb::StorageBackend` over `StorageIo` and `StorageIoExt` |
//! | `contents` | what the tables hold, as maps of std |
//! | `state` | contents and savepoints; what a crash may leave |
//! | `edits` | changes to the tables, made in a transaction and in the model |
//! | `program` | a random program over a database |
//! | `cuts` | a storage that takes images of power cuts while redb works |
//!
//! # Where what is tested
//! | file in `tests/` | question |
//! |---|---|
//! | `programs` | is every answer what the model says, on every backend, and the file the same? |
//! | `power_cuts` | is everything committed there after a power cut, and nothing else? |
//! | `faults` | does every error of the device surface before a commit succeeds? |
//! | `storage` | does the storage by itself keep what redb asks of it? |
//! | `threads` | does every reader beside a writer see one commit, whole? |
//! | `waiting` | is every thread that waits woken, and given its own result? |
//!
//! The speed beside redb's own file backend: `cargo run --release -p ringzero-redb-tests --bin
//! redb-compare`.
//!
//! # Mutations
//! Of `storage`, each tried, and the tests that went red: a failed sync is taken for a success
//! (`faults`); a sync is not waited for (`faults`, `power_cuts`); a read gives only its first
//! piece, or `set_len` does nothing (all of `programs`, `power_cuts`, `faults`); a failed write is
//! forgotten, or a read does not look for one (`storage` only: the sync of the engine tells of the
//! write too, once). A sync that does nothing is a test of its own in `power_cuts`.
//!
//! # Environment
//! `RINGZERO_SEED`: the first seed. `RINGZERO_SEEDS`: how many seeds each test runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod contents;
pub mod cuts;
pub mod edits;
pub mod program;
pub mod shared;
pub mod state;
pub mod storage;
