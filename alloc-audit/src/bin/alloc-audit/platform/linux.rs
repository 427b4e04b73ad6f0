//! Linux: io_uring, a tmpfs of a few pages, a sealed memfd.
//!
//! # Safety
//! Calls of libc with strings that end in zero and with descriptors that are open during the call.
#![allow(unsafe_code)]

use std::{
    ffi::CString,
    fs::{self, File},
    io,
    os::{
        fd::{AsRawFd, FromRawFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use ringzero::{Backend, Config, Note, UringBackend};

/// A ring as `config` asks for it.
///
/// # Errors
/// Why there is none, or not with registered buffers although they are asked for.
pub(crate) fn uring(config: &Config) -> Result<Box<dyn Backend>, String> {
    let backend = UringBackend::new(config).map_err(|reason| reason.to_string())?;
    let is_refused = |note: &&Note| matches!(note, Note::BuffersNotRegistered(_));
    match backend.notes().iter().find(is_refused) {
        Some(note) => Err(note.to_string()),
        None => Ok(Box::new(backend)),
    }
}

/// A file to which every write fails with EPERM: sealed with F_SEAL_WRITE (memfd_create(2),
/// fcntl(2)), though open for writing.
///
/// # Errors
/// Those of the two calls.
pub(crate) fn read_only_memory() -> io::Result<File> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the name ends in zero.
    let descriptor = unsafe { libc::memfd_create(c"alloc-audit".as_ptr(), flags) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    let file = unsafe { File::from_raw_fd(descriptor) };
    // SAFETY: the descriptor is open, and F_ADD_SEALS takes an int.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, libc::F_SEAL_WRITE) };
    if result == 0 { Ok(file) } else { Err(io::Error::last_os_error()) }
}

/// A tmpfs of a fixed size; unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Tiny {
    folder: PathBuf,
}

impl Tiny {
    /// Makes the folder `at` and mounts a tmpfs of `byte_count` bytes there.
    ///
    /// # Errors
    /// Those of mkdir(2) and mount(2): EPERM without root, as a rule.
    pub(crate) fn mount(at: PathBuf, byte_count: usize) -> io::Result<Self> {
        fs::create_dir(&at)?;
        let target = c_path(&at)?;
        let options = CString::new(format!("size={byte_count}"))?;
        let (kind, data) = (c"tmpfs".as_ptr(), options.as_ptr().cast());
        // SAFETY: all four are strings that end in zero and live until the call returns.
        let result = unsafe { libc::mount(kind, target.as_ptr(), kind, 0, data) };
        if result == 0 { Ok(Self { folder: at }) } else { Err(io::Error::last_os_error()) }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let Ok(target) = c_path(&self.folder) else { return };
        // SAFETY: a string that ends in zero and lives until the call returns.
        let result = unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) };
        if result != 0 {
            eprintln!("{} stays mounted: {}", self.folder.display(), io::Error::last_os_error());
        }
    }
}

fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}
