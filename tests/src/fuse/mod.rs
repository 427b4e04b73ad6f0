//! A file system in user space that fails, delays and shortens by script, and logs what it is
//! asked.
//!
//! A test mounts it, opens files on it like any others, and gives them to a backend; the kernel
//! carries each write and each sync to the [`State`], which is memory of the test: what is in a
//! file, what was asked in which order, and what the next requests answer ([`Rule`], [`Rough`]).
//! It is not a copy of a real file system: it caches nothing, so what a sync would have written
//! back is never lost, only refused.
//!
//! # What makes a fault visible
//! Files are opened with `FOPEN_DIRECT_IO`. Then each write(2) of the backend is one WRITE here
//! (one per [`Options::max_write`] bytes), and the answer, short or an error, is what pwrite(2)
//! returns. Through the page cache a short answer would be EIO, and pages would be written for the
//! caller. io_uring sees the same, except that it takes a write of 0 bytes for EAGAIN: it goes on
//! by itself after a short write of a regular file, which a kernel worker ends with what it has,
//! and that is nothing. `FOPEN_NOFLUSH` is set unless [`Options::close`] says that closing waits.
//!
//! # What the kernel orders by itself
//! fsync(2) on FUSE holds the inode's lock, as a write does, so a sync never *runs beside* a write
//! of its file; it can only begin before one that it covers, and that is what the log shows.
//! io_uring sends the writes of one inode one after the other (io-wq hashes them), so replies out
//! of order need several files, or a backend with several threads.
//!
//! # Nothing hangs
//! Answers that are held end when the [`Mount`] is dropped, also by a panic: all is answered, then
//! the connection is aborted and the mount detached. A process that dies in between, or takes too
//! long, is watched by a child ([`watchdog`]) that aborts the connection from outside. A test never
//! touches the mount from a thread that answers.
//!
//! | module | noun |
//! |---|---|
//! | `mount` | the mount, from mount(2) to its last request |
//! | `state` | files, scripts, log, and requests on their way |
//! | `server` | what the kernel asks: the `Filesystem` of the crate `fuser` |
//! | `attributes` | what the kernel is told about a file |
//! | `log` | what was asked, in order, and whether syncs came too early or too late |
//! | `fixture` | one backend in one mode over a mount |
//! | `watchdog` | the child that aborts a mount left behind |
//!
//! [`Rough`]: crate::script::Rough

mod attributes;
pub mod fixture;
pub mod log;
pub mod mount;
pub mod server;
pub mod state;
pub mod watchdog;

pub use fixture::{Fused, open, open_with};
pub use log::Event;
pub use mount::{Close, Mount, Options};
pub use state::{Delays, Holding, Shared, State};

pub use crate::script::{Action, Of, Rule};
