//! Systems that do not tell, or are not asked: everything is unknown here. On those that are no
//! unix either, Ctrl-C ends the program at once.

use std::{
    fs::File,
    io::{self, ErrorKind},
    path::Path,
};

/// What statfs(2) says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileSystem {
    /// Which kind.
    pub(crate) magic: u64,
    /// Bytes of one of its blocks.
    pub(crate) block_bytes: u64,
    /// Bytes that this process may still use.
    pub(crate) available_bytes: u64,
}

/// What statx(2) says that O_DIRECT asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DirectAlignment {
    /// Of addresses in memory.
    pub(crate) memory: u32,
    /// Of offsets and lengths.
    pub(crate) offset: u32,
}

/// There is no `/proc`.
pub(crate) fn read_fact(_path: &str) -> Option<String> {
    None
}

/// Not asked.
pub(crate) fn file_system(_folder: &Path) -> io::Result<FileSystem> {
    Err(ErrorKind::Unsupported.into())
}

/// Not told.
pub(crate) fn direct_alignment(_file: &File) -> Option<DirectAlignment> {
    None
}

/// Not known here.
pub(crate) fn open_direct(_path: &Path) -> io::Result<File> {
    Err(ErrorKind::Unsupported.into())
}

/// There are no kernel workers.
#[derive(Debug)]
pub(crate) struct WriterClock;

impl WriterClock {
    /// Not told.
    pub(crate) fn start() -> Option<Self> {
        None
    }

    /// Not told.
    pub(crate) fn stop(&self) -> Option<(usize, f64)> {
        None
    }
}

/// No signal is caught.
#[cfg(not(unix))]
pub(crate) fn is_interrupted() -> bool {
    false
}

/// No signal is caught.
#[cfg(not(unix))]
pub(crate) fn catch_signals() {}
