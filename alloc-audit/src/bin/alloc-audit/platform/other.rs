//! Systems that have none of it: the cells say so.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use ringzero::{Backend, Config, SetupError};

/// # Errors
/// Always.
pub(crate) fn uring(_config: &Config) -> Result<Box<dyn Backend>, String> {
    Err(SetupError::NotOnThisPlatform.to_string())
}

/// # Errors
/// Always.
pub(crate) fn read_only_memory() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A small file system.
#[derive(Debug)]
pub(crate) struct Tiny;

impl Tiny {
    /// # Errors
    /// Always.
    pub(crate) fn mount(_at: PathBuf, _byte_count: usize) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn path(&self) -> &Path {
        Path::new("")
    }
}
