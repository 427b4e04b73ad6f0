//! A mount namespace of the calling thread's own: what is mounted in it is unmounted by the kernel
//! when the last of its threads and processes has ended, however that came about.
//!
//! # Safety
//! unshare(2) with a number, and mount(2) with strings that end in zero.
#![allow(unsafe_code)]

use std::{ffi::CStr, io, ptr};

/// Moves the calling thread into a new mount namespace. Its children start there, and nobody else
/// sees what they mount.
///
/// # Errors
/// EPERM: not root.
pub(super) fn enter() -> io::Result<()> {
    const ROOT: &CStr = c"/";
    let none = ptr::null::<libc::c_char>();
    // SAFETY: takes a number.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the one string ends in zero; this use of the call ignores the others.
    let result = unsafe {
        libc::mount(none, ROOT.as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, ptr::null())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
