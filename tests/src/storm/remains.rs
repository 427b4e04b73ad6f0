//! [`Remains`]: the files of a writer that was killed, and what they may hold.
//!
//! What was reported is in them, byte by byte, unless a later write to the same place is there
//! instead. What was submitted and not reported may be there, or a part of it.
//!
//! Of appends, what was reported is a prefix of what was submitted. Two append requests fly at a
//! time; if the second was carried out and the first was not, there is one hole behind that prefix.
//! It holds zeros, so a reader that takes whole records from the beginning stops before it.
//!
//! # Safety
//! fcntl(2) with numbers only.
#![allow(unsafe_code)]

use std::{
    fs::File,
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{
    operations::{Operation, Operations},
    writer::IN_FLIGHT,
};
use crate::{
    content::{Change, Content, Span},
    session::PATIENCE,
};

/// The file that is appended to.
pub(super) const APPENDS: &str = "appends";
/// The file that is written to at any position.
pub(super) const WRITES: &str = "writes";

/// The files of one writer.
#[derive(Debug)]
pub struct Remains {
    folder: PathBuf,
    seed: u64,
}

/// What was found, if nothing was wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    /// Bytes of appends that were reported.
    pub reported_bytes: u64,
    /// Bytes behind them.
    pub more_bytes: u64,
    /// Holes among those: 0 or 1.
    pub holes: u64,
}

impl Remains {
    /// Two empty files in `folder`, for a writer of this seed.
    ///
    /// # Errors
    /// Those of creating files.
    pub fn prepare(folder: &Path, seed: u64) -> io::Result<Self> {
        for name in [APPENDS, WRITES] {
            File::create(folder.join(name))?;
        }
        Ok(Self { folder: folder.to_owned(), seed })
    }

    /// Compares the files with what was reported.
    ///
    /// # Errors
    /// What should be there and is not, or the other way round.
    ///
    /// # Panics
    /// If the files cannot be read, or somebody keeps writing to them.
    pub fn check(&self, reported: &[u64]) -> Result<Found, String> {
        let expected = Expected::of(self.seed, reported)?;
        let read = |name| {
            let path = self.folder.join(name);
            wait_for_the_last_writer(&path);
            std::fs::read(path).expect("read")
        };
        let (appends, writes) = (read(APPENDS), read(WRITES));
        expected.appends.check_all(&appends).map_err(|error| format!("appends: {error}"))?;
        expected.writes.check_all(&writes).map_err(|error| format!("writes: {error}"))?;
        let behind = &appends[expected.reported_bytes as usize..];
        let runs = behind.chunk_by(|a, b| (*a == 0) == (*b == 0));
        Ok(Found {
            reported_bytes: expected.reported_bytes,
            more_bytes: behind.len() as u64,
            holes: runs.filter(|run| run[0] == 0).count() as u64,
        })
    }
}

/// What the files may hold.
struct Expected {
    appends: Content,
    writes: Content,
    /// Where the last append ends that was reported.
    reported_bytes: u64,
}

impl Expected {
    /// After so many reports, and with everything else that may have been submitted.
    ///
    /// # Errors
    /// An operation was reported before its time.
    fn of(seed: u64, reported: &[u64]) -> Result<Self, String> {
        let mut is_reported = vec![false; reported.len() + IN_FLIGHT + 1];
        for &number in reported {
            let early = || format!("operation {number} is one of {}", reported.len());
            *is_reported.get_mut(number as usize).ok_or_else(early)? = true;
        }
        let (appends, writes) = (Content::new(&[]), Content::new(&[]));
        let mut expected = Self { appends, writes, reported_bytes: 0 };
        let mut append_end = 0;
        let operations = Operations::new(seed).zip(is_reported);
        for (id, (operation, is_reported)) in (1..).zip(operations) {
            match operation {
                Operation::Append { len } => {
                    let span = Span { id, offset: append_end, len: len as u64 };
                    expected.appends.settle(Change::Write(span), is_reported);
                    if is_reported && expected.reported_bytes < append_end {
                        return Err(format!("{span:?} was reported before an older append"));
                    }
                    append_end += span.len;
                    if is_reported {
                        expected.reported_bytes = append_end;
                    }
                }
                Operation::Write { offset, len } => {
                    let span = Span { id, offset, len: len as u64 };
                    expected.writes.settle(Change::Write(span), is_reported);
                }
                Operation::Datasync => {}
            }
        }
        Ok(expected)
    }
}

/// Waits until nobody has the file open for writing. The writer is dead; but its ring ends on the
/// kernel's own time, and until then it keeps the file, and may carry requests out. Asked with a
/// lease, which is refused while that is so: F_SETLEASE of fcntl(2).
fn wait_for_the_last_writer(path: &Path) {
    let file = File::open(path).expect("opened");
    let begin = Instant::now();
    // SAFETY: the descriptor is open; the call takes numbers.
    while unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_RDLCK) } != 0 {
        let error = io::Error::last_os_error();
        assert!(begin.elapsed() < PATIENCE, "somebody still has {path:?}: {error}");
        thread::sleep(Duration::from_micros(200));
    }
}
