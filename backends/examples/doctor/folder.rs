//! The directory that is looked at: [`Folder`]. Files made in it have no name once they are open.

use std::{
    cell::Cell,
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    process,
};

use ringzero::prepare_segment;

use crate::{failure::Failure, platform};

/// Bytes of a segment, and the most that a growing file grows to.
pub(crate) const SEGMENT_BYTES: u64 = 16 << 20;

/// A directory that can be written to.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    next: Cell<u32>,
}

/// A file of really written zeros, twice: through the page cache, and past it.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Through the page cache.
    pub(crate) file: File,
    /// Opened with O_DIRECT, or why not.
    pub(crate) direct: io::Result<File>,
}

impl Folder {
    /// The directory at `path`.
    ///
    /// # Errors
    /// It is not there, is none, or no file can be made in it.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let cannot_use = |error| Failure::of_folder("cannot use", path, &error);
        let is_folder = fs::metadata(path).map_err(cannot_use)?.is_dir();
        if !is_folder {
            return Err(cannot_use(io::ErrorKind::NotADirectory.into()));
        }
        let folder = Self { path: path.canonicalize().map_err(cannot_use)?, next: Cell::new(0) };
        match folder.new_file() {
            Ok(_) => Ok(folder),
            Err(error) => Err(Failure::of_folder("cannot create a file in", path, &error)),
        }
    }

    /// Its absolute path, without links.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// An empty file for reading and writing.
    ///
    /// # Errors
    /// Those of making and removing it.
    pub(crate) fn new_file(&self) -> io::Result<File> {
        let path = self.new_path();
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        fs::remove_file(&path)?;
        Ok(file)
    }

    /// An empty file opened with O_DIRECT.
    ///
    /// # Errors
    /// EINVAL: the file system does not take it. Others of making and removing it.
    pub(crate) fn new_direct_file(&self) -> io::Result<File> {
        let path = self.new_path();
        File::create_new(&path)?;
        let file = platform::open_direct(&path);
        fs::remove_file(&path)?;
        file
    }

    /// A segment. `progress` is told when a part of it is written.
    ///
    /// # Errors
    /// Those of [`prepare_segment`] and of removing it.
    pub(crate) fn new_segment(&self) -> io::Result<Segment> {
        let path = self.new_path();
        let file = prepare_segment(&path, SEGMENT_BYTES, |_, _| ())?;
        let direct = platform::open_direct(&path);
        fs::remove_file(&path)?;
        Ok(Segment { file, direct })
    }

    /// Where no file is: the process and a number are in the name.
    fn new_path(&self) -> PathBuf {
        let number = self.next.replace(self.next.get() + 1);
        self.path.join(format!(".ringzero-doctor-{}-{number}", process::id()))
    }
}
