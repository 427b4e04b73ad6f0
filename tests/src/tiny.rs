//! [`Tiny`]: a file system with room for a few pages, mounted for one test.
//!
//! # Safety
//! mount(2) and umount2(2) are given strings that end in zero, and nothing else.
#![allow(unsafe_code)]

use std::{ffi::CString, io, os::unix::ffi::OsStrExt, path::Path};

use tempfile::TempDir;

/// A tmpfs of a fixed size; unmounted when dropped.
#[derive(Debug)]
pub struct Tiny {
    directory: TempDir,
}

fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("no zero in a path")
}

impl Tiny {
    /// Mounts a tmpfs of `byte_count` bytes.
    ///
    /// # Errors
    /// Why that is not possible: not root, as a rule.
    pub fn mount(byte_count: usize) -> io::Result<Self> {
        let directory = TempDir::new()?;
        let target = c_path(directory.path());
        let options = CString::new(format!("size={byte_count}")).expect("no zero in it");
        // SAFETY: all four are strings that end in zero and live until the call returns.
        let result = unsafe {
            libc::mount(
                c"tmpfs".as_ptr(),
                target.as_ptr(),
                c"tmpfs".as_ptr(),
                0,
                options.as_ptr().cast(),
            )
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { directory })
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
