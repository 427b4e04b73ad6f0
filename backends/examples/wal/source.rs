//! Where the input comes from: [`Source`], a file or standard input.
//!
//! What matters later is decided here once, by what was opened and not by its name: a regular file
//! can be read again to verify the log, is always ready and has a size; pipes, terminals and
//! devices are none of it, whether named `-`, `/dev/fd/63` or otherwise.

use std::{
    fs::File,
    io::{self, Error, ErrorKind, Read, Seek, StdinLock},
    path::Path,
};

use crate::{failure::Failure, platform};

/// An open input.
pub(crate) enum Source {
    /// A regular file.
    File(File),
    /// A pipe or device that has a name.
    Stream(File),
    /// Standard input. Its own buffer is passed by: reads are larger than it.
    Stdin(StdinLock<'static>),
}

impl Source {
    /// Opens `path`; `-` is standard input.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self::Stdin(io::stdin().lock()));
        }
        Self::open_file(path).map_err(|error| {
            Failure::reading(format_args!("cannot read {}", path.display()), &error)
        })
    }

    fn open_file(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            // Opening succeeds, and only reading would tell.
            return Err(Error::from(ErrorKind::IsADirectory));
        }
        Ok(if metadata.is_file() { Self::File(file) } else { Self::Stream(file) })
    }

    /// How long the input is, where that is known.
    pub(crate) fn byte_count(&self) -> Option<u64> {
        match self {
            Self::File(file) => file.metadata().ok().map(|metadata| metadata.len()),
            Self::Stream(_) | Self::Stdin(_) => None,
        }
    }

    /// Whether a read would return at once, with data or the end.
    pub(crate) fn is_ready(&self) -> bool {
        match self {
            Self::File(_) => true,
            Self::Stream(file) => platform::is_ready(file),
            Self::Stdin(stdin) => platform::is_ready(stdin),
        }
    }

    /// The input from its beginning again; `None` if it can be read only once.
    pub(crate) fn again(self) -> Option<io::Result<File>> {
        match self {
            Self::File(mut file) => Some(file.rewind().map(|()| file)),
            Self::Stream(_) | Self::Stdin(_) => None,
        }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) | Self::Stream(file) => file.read(buffer),
            Self::Stdin(stdin) => stdin.read(buffer),
        }
    }
}
