//! The sans-IO storage engine of ringzero: which bytes are where, what may run now, what must wait,
//! what a kernel's answer means. No I/O, no allocation, no locks, no panics; `no_std`.
//!
//! Programs use it through the backends of the crate `ringzero`. Use it directly to run the same
//! guarantees over an executor of your own: a flash controller, a user-space driver, a test. See
//! [`Engine`] for an example.
//!
//! # Floors
//! Arrows point down only.
//!
//! | floor | modules |
//! |---|---|
//! | 2 | [`Engine`] and what it is made of; the traits [`StorageIo`] and [`StorageIoExt`] |
//! | 1 | `table`: records, lists, slab, fifo, fd table, buffer ring, completion queue |
//! | 1 | [`handoff`]: a queue between two threads, and a doorbell for who sleeps there |
//! | 1 | [`WakerTable`]: tokens as futures, beside the engine |
//! | 0 | [`Errno`], [`StorageIoError`], [`IoFd`], [`IoCompletion`], [`Limits`], [`Slots`], memory |
//!
//! # Words
//! - *operation*: one accepted submission, named by its *token*, until its completion is delivered
//! - *request*: one write or sync handed to an executor; carries one operation or a *run* of them
//! - *outcome*: what an executor says of a request; *completion*: what a caller is told of a token
//! - *block*: fixed memory that data is copied into; *piece*: a contiguous part of a request
//! - *tail*: where the next append begins; *lane*: one of the append requests in flight per file
//! - *barrier*: a sync waits until everything accepted before it on its file has ended
//! - *gate*: the part of a file's state that refuses what is submitted
//!
//! # Features
//! `alloc`: boxed storage sized at run time, queues between threads in an `Arc`, and
//! [`CompletionSink`] for `Vec`. Off by default.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod completion;
mod engine;
mod errno;
mod error;
#[cfg(target_has_atomic = "32")]
pub mod handoff;
mod id;
pub mod limits;
mod memory;
mod slots;
mod storage_io;
mod storage_io_ext;
mod table;
mod waker_table;

#[cfg(feature = "alloc")]
mod boxed;
#[cfg(all(feature = "alloc", target_has_atomic = "32"))]
mod boxed_queue;
#[cfg(test)]
mod exercise;

#[cfg(feature = "alloc")]
pub use boxed::Boxed;
#[cfg(all(feature = "alloc", target_has_atomic = "32"))]
pub use boxed_queue::BoxedQueue;
pub use completion::{CompletionSink, IoCompletion, SliceSink};
pub use engine::{
    Engine, Registration,
    claim::{Claim, ClaimHost},
    executor::{Alteration, Executor, Outcome, SyncKind, WriteKind, outcome_from_raw},
    file::OpenFile,
    operation::Operation,
    stats::{FileStatus, Stats},
    storage::{Borrowed, Inline, Parts, Storage},
};
pub use errno::Errno;
pub use error::StorageIoError;
pub use id::{FileSlot, IoFd, RequestId};
pub use limits::{Limits, LimitsError};
pub use memory::{NoMemory, Piece, Pieces, PiecesMut, StableMemory, StaticMemory};
pub use slots::Slots;
pub use storage_io::StorageIo;
pub use storage_io_ext::StorageIoExt;
pub use table::buffer_ring::Block;
pub use waker_table::{Completion, WakerSlot, WakerTable};
