//! Signals of unix: Ctrl-C ends the program between two measurements, so that nothing is left; and
//! a file that may not grow is an error, not the end of the process.
//!
//! # Safety
//! `sigaction` is given memory that lives on the stack for the call. The handler stores to an
//! atomic and does nothing else, so it may run at any time (signal-safety(7)).
#![allow(unsafe_code)]

use std::{
    mem, ptr,
    sync::atomic::{AtomicBool, Ordering},
};

static IS_INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether a signal asked to end.
pub(crate) fn is_interrupted() -> bool {
    IS_INTERRUPTED.load(Ordering::Relaxed)
}

/// Takes note of SIGINT, SIGTERM and SIGHUP, once each: a second one ends the process. Ignores
/// SIGXFSZ, so that a write beyond the limit on the size of files fails with EFBIG.
pub(crate) fn catch_signals() {
    let handler = take_note as extern "C" fn(libc::c_int) as libc::sighandler_t;
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        set(signal, handler, libc::SA_RESETHAND);
    }
    set(libc::SIGXFSZ, libc::SIG_IGN, 0);
}

extern "C" fn take_note(_signal: libc::c_int) {
    IS_INTERRUPTED.store(true, Ordering::Relaxed);
}

/// A signal that cannot be caught does what it did before.
fn set(signal: libc::c_int, handler: libc::sighandler_t, flags: libc::c_int) {
    // SAFETY: integers and null pointers: all of them may be zero.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: `action` is whole, and its handler is safe at any time; nothing is written back.
    unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
}
