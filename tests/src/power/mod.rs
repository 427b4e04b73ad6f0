//! A block device whose power can be cut: the log of its writes and flushes, and the images that a
//! cut may leave.
//!
//! ```text
//! test process                                 device process
//!   backend ─► files in a mounted file system
//!                    │ kernel: ext4, XFS, Btrfs
//!                    ▼
//!              loop device ─► the one file of a FUSE mount ─► Image (memory)
//!                                                       └───► log (file): writes, flushes
//!   position(): how long the log is
//! afterwards: base image + log + a cut + chance ─► Image ─► mounted again and checked
//! ```
//!
//! # What is on the medium after a cut
//! Every write that a flush covers, in order; of the others, each sector for itself (512 bytes;
//! under Btrfs 4,096): any of the versions written to it since, or none. A flush covers the writes
//! that were answered before it began. The device answers one request after the other, so those are
//! the writes before it in the log.
//!
//! # Why the log is what the file system asked for
//! The loop driver turns a write of the block layer into a write of its backing file, and a flush
//! into vfs_fsync of it (drivers/block/loop.c); it has no FUA, so that one arrives as a write and
//! a flush. FUSE without its write-back cache sends a write before it returns; FOPEN_DIRECT_IO
//! keeps the page cache of the backing file out of the way altogether. Discards and zeroing arrive
//! as FALLOCATE, are answered with ENOSYS, and the kernel writes zeros instead.
//!
//! What it cannot show: a write that was under way while a flush was asked for counts as covered if
//! the loop driver took it first. A real device may not do so.
//!
//! # Who waits for whom
//! A process that waits for this file system cannot be killed while it waits, and a thread of it
//! could not serve the device then. So the device is a process of its own: if it dies, its FUSE
//! connection ends, and whoever waits gets EIO. It also mounts and unmounts everything, when its
//! standard input ends. All mounts are in a mount namespace of the test's thread and the processes
//! it starts, so that nothing stays mounted, whoever is killed.
//!
//! Needs root, FUSE, loop devices, and the tools that make the file systems.

mod command;
mod cut;
mod device;
mod file_system;
mod image;
mod log;
mod mounted;
mod namespace;
mod volume;

pub use cut::{Cache, after_cut};
pub use device::serve;
pub use file_system::FileSystem;
pub use image::Image;
pub use log::Log;
pub use mounted::Mounted;
pub use volume::Volume;
