//! A log on disk, read through one buffer that never grows: [`LogReader`].
//!
//! All meaning is in [`format`](crate::format); here are only the reads.

use std::{
    fs::File,
    io::{ErrorKind, Read, Result},
    path::{Path, PathBuf},
};

use crate::{
    format::{FRAGMENT_BYTES, HEADER_BYTES, Part, Recovered, Scanner, Step, Tail},
    segments,
};

const WINDOW_BYTES: usize = 16 * FRAGMENT_BYTES;

/// What comes next in a log.
pub(crate) enum Next<'a> {
    /// A fragment.
    Fragment(Part, &'a [u8]),
    /// Nothing that is whole.
    End(Recovered),
}

/// Reads a log from its beginning.
pub(crate) struct LogReader {
    /// What is read now.
    file: Option<File>,
    /// The segments that were not looked at, the next one last; `None`: the log is one file.
    segments: Option<Vec<(u32, PathBuf)>>,
    buffer: Box<[u8]>,
    begin: usize,
    end: usize,
    scanner: Scanner,
}

impl LogReader {
    /// A reader of the log at `path`: a file, or a folder of segments.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let segments = path.is_dir().then(|| segments::list(path)).transpose()?;
        let segments = segments.map(|segments| segments.into_iter().rev().collect());
        let file = if segments.is_none() { Some(File::open(path)?) } else { None };
        let buffer = vec![0; WINDOW_BYTES].into_boxed_slice();
        Ok(Self { file, segments, buffer, begin: 0, end: 0, scanner: Scanner::new() })
    }

    /// Goes on in the next segment that goes on here, and says whether there is one. If there is
    /// none, nothing is left to read.
    fn enter_next(&mut self) -> Result<bool> {
        loop {
            (self.begin, self.end, self.file) = (0, 0, None);
            let Some((sequence, path)) = self.segments.as_mut().and_then(Vec::pop) else {
                return Ok(false);
            };
            self.file = Some(File::open(path)?);
            self.refill()?;
            let bytes = self.buffer.get(..self.end).unwrap_or_default();
            if self.scanner.enter(sequence, bytes) {
                self.begin = HEADER_BYTES;
                return Ok(true);
            }
        }
    }

    /// The next fragment.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn next(&mut self) -> Result<Next<'_>> {
        if self.end - self.begin < FRAGMENT_BYTES {
            self.refill()?;
        }
        while self.segments.is_some() && !self.is_at_fragment() {
            if !self.enter_next()? {
                // Behind the last record of a segment there may be anything.
                return Ok(Next::End(self.scanner.recovered(0)));
            }
        }
        let bytes = self.buffer.get(self.begin..self.end).unwrap_or_default();
        Ok(match self.scanner.step(bytes) {
            Step::Fragment { part, payload, byte_count } => {
                self.begin += byte_count;
                Next::Fragment(part, payload)
            }
            Step::Short { .. } => Next::End(self.scanner.recovered(bytes.len())),
            Step::Damaged(damage) => {
                let recovered = self.scanner.recovered(bytes.len());
                Next::End(Recovered { tail: Tail::Damaged(damage), ..recovered })
            }
        })
    }

    /// Whether a fragment comes next in the file that is read.
    fn is_at_fragment(&self) -> bool {
        let bytes = self.buffer.get(self.begin..self.end).unwrap_or_default();
        let mut scanner = self.scanner;
        matches!(scanner.step(bytes), Step::Fragment { .. })
    }

    /// Whole records so far.
    pub(crate) fn record_count(&self) -> u64 {
        self.scanner.record_count()
    }

    /// Bytes taken so far.
    pub(crate) fn offset(&self) -> u64 {
        self.scanner.offset()
    }

    /// Reads until the buffer is full or the file ends.
    fn refill(&mut self) -> Result<()> {
        self.buffer.copy_within(self.begin..self.end, 0);
        self.end -= self.begin;
        self.begin = 0;
        let Some(file) = &mut self.file else { return Ok(()) };
        loop {
            let free = self.buffer.get_mut(self.end..).unwrap_or_default();
            match file.read(free) {
                Ok(0) => return Ok(()),
                Ok(byte_count) => self.end += byte_count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
