//! What must be in a file: [`Shadow`], to which every accepted write is applied in the order of
//! submission; and [`data`], what is written.
//!
//! Its memory is taken when it is made: recording inside a zone allocates nothing.
//!
//! Worked example: into an empty file go 3 bytes at 0 and 2 bytes at 5. The shadow then has 7
//! bytes, of which those at 3 and 4 are zero.

use std::{fs, io, path::PathBuf};

use ringzero::IoFd;

use crate::wrong::{Wrong, ensure};

/// The most a shadowed file may hold.
const MOST_BYTES: usize = 2 << 20;

/// A little more than the longest write.
const PATTERN_BYTES: usize = 40 << 10;

/// No two places of it look alike for long.
static PATTERN: [u8; PATTERN_BYTES] = {
    let mut pattern = [0; PATTERN_BYTES];
    let mut rest: &mut [u8] = &mut pattern;
    while let Some((first, behind)) = rest.split_first_mut() {
        let spread = (behind.len() as u32).wrapping_mul(2_654_435_761);
        // Never 0, which is what holes read as.
        *first = (spread >> 24) as u8 | 1;
        rest = behind;
    }
    pattern
};

/// `len` bytes (at most 36 KiB), others for another `salt`.
pub(crate) fn data(len: usize, salt: u64) -> &'static [u8] {
    let begin = (salt % 4_001) as usize;
    PATTERN.get(begin..begin + len).unwrap_or_default()
}

/// One file's content as it must be once everything accepted has ended.
#[derive(Debug)]
pub(crate) struct Shadow {
    pub(crate) fd: IoFd,
    path: PathBuf,
    bytes: Vec<u8>,
    byte_count: usize,
}

impl Shadow {
    /// Of an empty file.
    pub(crate) fn new(fd: IoFd, path: PathBuf) -> Self {
        Self { fd, path, bytes: vec![0; MOST_BYTES], byte_count: 0 }
    }

    /// Where the file ends.
    pub(crate) fn end(&self) -> u64 {
        self.byte_count as u64
    }

    /// `data` was accepted at `offset`.
    ///
    /// # Errors
    /// The workload writes more than a shadow holds.
    pub(crate) fn write(&mut self, data: &[u8], offset: u64) -> Result<(), Wrong> {
        let begin = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = begin.saturating_add(data.len());
        let Some(place) = self.bytes.get_mut(begin..end) else {
            return Err(Wrong::untrue("a shadow has room for the file"));
        };
        place.copy_from_slice(data);
        if !data.is_empty() {
            self.byte_count = self.byte_count.max(end);
        }
        Ok(())
    }

    /// Compares with the file.
    ///
    /// # Errors
    /// They differ, or the file cannot be read.
    pub(crate) fn compare(&self) -> io::Result<Result<(), Wrong>> {
        let found = fs::read(&self.path)?;
        let expected = self.bytes.get(..self.byte_count).unwrap_or_default();
        Ok(ensure(!expected.is_empty(), "something was written")
            .and(ensure(found == expected, "every byte of the file is what was written last")))
    }
}
