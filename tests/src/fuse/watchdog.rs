//! `Watchdog`: a child process that aborts a mount whose process died or takes too long.
//!
//! A thread would not do. A process that is killed while its own mount holds its requests cannot
//! end: its threads that answer are gone, and the kernel's workers that wait for the answers keep
//! the process's descriptors open, so the connection is never closed. Somebody outside has to abort
//! it.
//!
//! # Safety
//! Between fork(2) and _exit(2) the child makes only calls that are allowed in the child of a
//! process with threads (signal-safety(7)), on memory prepared before.
#![allow(unsafe_code)]

use std::{ffi::CString, io};

/// Nanoseconds between two looks.
const PERIOD_NS: libc::c_long = 100_000_000;

/// Looks before a mount is taken to hang: after this many periods, 60 s.
const MOST_LOOKS: u32 = 600;

/// The child; ended when dropped.
#[derive(Debug)]
pub(crate) struct Watchdog {
    child: libc::pid_t,
}

/// Aborts the connection of a mount and detaches it: umount2(2).
pub(crate) fn abort(target: &CString) -> i32 {
    // SAFETY: a string that ends in zero and lives until the call returns.
    unsafe { libc::umount2(target.as_ptr(), libc::MNT_FORCE | libc::MNT_DETACH) }
}

/// The child's whole life.
fn watch(target: &CString, parent: libc::pid_t) -> ! {
    // Signals for the group of the test are not for it.
    // SAFETY: takes nothing.
    unsafe { libc::setsid() };
    // It must not keep the connection, or a file on it, open.
    // SAFETY: takes numbers only; the child uses no descriptor.
    unsafe { libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0) };
    for _ in 0..MOST_LOOKS {
        let period = libc::timespec { tv_sec: 0, tv_nsec: PERIOD_NS };
        // SAFETY: reads one timespec; the rest of a sleep cut short is not asked for.
        unsafe { libc::nanosleep(&raw const period, std::ptr::null_mut()) };
        // SAFETY: takes nothing.
        if unsafe { libc::getppid() } != parent {
            break;
        }
    }
    abort(target);
    // SAFETY: ends the child without running what belongs to the parent.
    unsafe { libc::_exit(0) }
}

impl Watchdog {
    /// Watches the mount at `target`.
    ///
    /// # Errors
    /// Those of fork(2).
    pub(crate) fn start(target: &CString) -> io::Result<Self> {
        // SAFETY: takes nothing.
        let parent = unsafe { libc::getpid() };
        // SAFETY: the child only runs `watch`.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => watch(target, parent),
            child => Ok(Self { child }),
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // SAFETY: the child is ours and not waited for yet, so the number is still its own.
        unsafe { libc::kill(self.child, libc::SIGKILL) };
        // SAFETY: as above; the status is not asked for.
        unsafe { libc::waitpid(self.child, std::ptr::null_mut(), 0) };
    }
}
