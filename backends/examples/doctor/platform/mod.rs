//! What differs by operating system. Only this folder of the example has `cfg`.
//!
//! | | Linux | other unix | other |
//! |---|---|---|---|
//! | limits, seccomp, io_uring's switch, mounts, O_DIRECT, kernel workers | yes | no | no |
//! | ends in order on Ctrl-C, file size signal | yes | yes | no |

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(unix)]
mod signals;

#[cfg(target_os = "linux")]
pub(crate) use linux::{WriterClock, direct_alignment, file_system, open_direct, read_fact};
#[cfg(not(target_os = "linux"))]
pub(crate) use other::{WriterClock, direct_alignment, file_system, open_direct, read_fact};
#[cfg(not(unix))]
pub(crate) use other::{catch_signals, is_interrupted};
#[cfg(unix)]
pub(crate) use signals::{catch_signals, is_interrupted};
