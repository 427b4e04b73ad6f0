//! What only Linux has: io_uring, a small file system to fill up, a file that refuses every write.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod this;

pub(crate) use this::{Tiny, read_only_memory, uring};
