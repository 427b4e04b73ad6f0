//! What only Linux has: io_uring, a small file system to fill up, a file that refuses every write.

#[cfg_attr(all(target_os = "linux", target_pointer_width = "64"), path = "linux.rs")]
#[cfg_attr(not(all(target_os = "linux", target_pointer_width = "64")), path = "other.rs")]
mod this;

pub(crate) use this::{Tiny, read_only_memory, uring};
