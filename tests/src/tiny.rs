//! [`Tiny`]: a file system with room for a few pages, mounted for one test.
//!
//! # Safety
//! mount(2), umount2(2) and statvfs(3) are given strings that end in zero; the last also a
//! structure to write to.
#![allow(unsafe_code)]

use std::{ffi::CString, io, mem, os::unix::ffi::OsStrExt, path::Path};

use tempfile::TempDir;

/// A tmpfs of a fixed size; unmounted when dropped.
#[derive(Debug)]
pub struct Tiny {
    directory: TempDir,
}

fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("no zero in a path")
}

/// Mounts a tmpfs of `byte_count` bytes at `path`, or, with MS_REMOUNT, makes it as large.
fn mount(path: &Path, byte_count: u64, flags: libc::c_ulong) -> io::Result<()> {
    let target = c_path(path);
    let options = CString::new(format!("size={byte_count}")).expect("no zero in it");
    // SAFETY: all four are strings that end in zero and live until the call returns.
    let result = unsafe {
        libc::mount(
            c"tmpfs".as_ptr(),
            target.as_ptr(),
            c"tmpfs".as_ptr(),
            flags,
            options.as_ptr().cast(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

impl Tiny {
    /// Mounts a tmpfs of `byte_count` bytes.
    ///
    /// # Errors
    /// Why that is not possible: not root, as a rule.
    pub fn mount(byte_count: usize) -> io::Result<Self> {
        let directory = TempDir::new()?;
        mount(directory.path(), byte_count as u64, 0)?;
        Ok(Self { directory })
    }

    /// Makes it larger or smaller: `byte_count` bytes more than what is in it now.
    ///
    /// # Errors
    /// Those of mount(2).
    pub fn leave_room(&self, byte_count: u64) -> io::Result<()> {
        let path = c_path(self.path());
        // SAFETY: a structure of integers, for which zero is valid.
        let mut space: libc::statvfs = unsafe { mem::zeroed() };
        // SAFETY: a string that ends in zero, and a structure to write to.
        if unsafe { libc::statvfs(path.as_ptr(), &raw mut space) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let used = (space.f_blocks - space.f_bfree) * space.f_frsize;
        mount(self.path(), used + byte_count, libc::MS_REMOUNT)
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A directory in it that is removed by itself.
    pub fn directory(&self) -> TempDir {
        TempDir::new_in(self.directory.path()).expect("room for a directory")
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let target = c_path(self.directory.path());
        // SAFETY: a string that ends in zero and lives until the call returns.
        let result = unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) };
        if result != 0 {
            println!("not unmounted: {}", io::Error::last_os_error());
        }
    }
}
