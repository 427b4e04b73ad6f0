//! Everything that differs by operating system. The only place with `cfg`, apart from `lib.rs`.
//!
//! One function per thing that a driver needs; what a platform does not have is its simplest
//! substitute, never a promise it cannot keep. Linux is what this is run on; the rest is
//! type-checked only.
//!
//! | file | of what |
//! |---|---|
//! | `unix` | files, pages, signals: what all Unix systems share |
//! | `linux` | what Linux adds: vectors, RWF_NOAPPEND, wiped pages, coarse clock, control groups |
//! | `alter` | fallocate, ftruncate, close |
//! | `direct` | O_DIRECT: the alignment of a file, and reading where that matters |
//! | `by_piece` | vectored and durable writes where there are none |
//! | `rename` | a rename that replaces nothing, where there is none |
//! | `notifier_*` | what a thread sleeps on: an eventfd, a pipe, or nothing |
//! | `wait_handle` | a share of it, for callers |
//! | `other_unix` | the substitutes elsewhere; F_FULLFSYNC of macOS |
//! | `windows` | all of it for Windows |

mod alter;
#[cfg(not(target_os = "linux"))]
mod by_piece;
#[cfg(target_os = "linux")]
mod direct;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(unix))]
mod notifier_absent;
#[cfg(target_os = "linux")]
mod notifier_eventfd;
// Not used on Linux, but tried there.
#[cfg(all(unix, any(test, not(target_os = "linux"))))]
#[cfg_attr(target_os = "linux", allow(dead_code))]
mod notifier_pipe;
#[cfg(test)]
mod notifier_tests;
#[cfg(all(unix, not(target_os = "linux")))]
mod other_unix;
mod rename;
#[cfg(unix)]
mod unix;
mod wait_handle;
#[cfg(windows)]
mod windows;

pub(crate) use alter::alter;
#[cfg(not(target_os = "linux"))]
pub(crate) use by_piece::{
    alignment, durable_write_flags, read_lead, read_pieces_at, write_pieces_at,
};
#[cfg(target_os = "linux")]
pub(crate) use direct::{alignment, read_lead};
// Only a ring asks.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub(crate) use linux::{Reading, ask_whether_ready, reading};
#[cfg(target_os = "linux")]
pub(crate) use linux::{
    durable_write_flags, fork_word, keep_position_flags, memory_bytes, memory_file, now_ns,
    read_pieces_at, rename_to_unused, sync, unnamed_file, write_pieces_at,
};
#[cfg(not(unix))]
pub(crate) use notifier_absent::Notifier;
#[cfg(target_os = "linux")]
pub(crate) use notifier_eventfd::Notifier;
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) use notifier_pipe::Notifier;
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) use other_unix::{
    fork_word, keep_position_flags, memory_bytes, memory_file, now_ns, sync, unnamed_file,
};
#[cfg(not(target_os = "linux"))]
pub(crate) use rename::rename_after_look as rename_to_unused;
#[cfg(unix)]
pub(crate) use unix::{
    Descriptor, inspect, leave_append_mode, map_zeroed, number, sync_directory, try_lock, unmap,
    with_signals_blocked,
};
#[cfg(windows)]
pub(crate) use windows::{
    Descriptor, fork_word, inspect, keep_position_flags, leave_append_mode, map_zeroed,
    memory_bytes, memory_file, now_ns, number, sync, sync_directory, try_lock, unmap, unnamed_file,
    with_signals_blocked,
};

pub use wait_handle::WaitHandle;

/// What kind of file a descriptor is open on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file: has an end, and can be written anywhere.
    Regular,
    /// A block device, or a character device that can be written at a position.
    Device,
    /// Can be synced, and nothing else.
    Directory,
    /// Has no positions: a pipe, socket, terminal, ...
    Other,
}

/// The same for two descriptors only if a write through one is seen through the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Of a device: its own number. Of anything else: that of the device it is on.
    pub(crate) device: u64,
    /// Of a device: 0.
    pub(crate) inode: u64,
    pub(crate) kind: Kind,
}

/// What a descriptor tells about its file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inspection {
    pub(crate) kind: Kind,
    pub(crate) identity: Identity,
    pub(crate) byte_count: u64,
    pub(crate) is_writable: bool,
    pub(crate) is_append_mode: bool,
    /// Data goes past the page cache, and must be aligned in memory: O_DIRECT of open(2).
    pub(crate) is_direct: bool,
}
