//! A log on disk, read through one buffer that never grows: [`LogReader`].
//!
//! All meaning is in [`format`](crate::format); here are only the reads.

use std::{
    fs::File,
    io::{ErrorKind, Read, Result},
};

use crate::format::{FRAGMENT_BYTES, Part, Recovered, Scanner, Step, Tail};

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
    file: File,
    buffer: Box<[u8]>,
    begin: usize,
    end: usize,
    scanner: Scanner,
}

impl LogReader {
    /// A reader of `file`, which stands at its beginning.
    pub(crate) fn new(file: File) -> Self {
        let buffer = vec![0; WINDOW_BYTES].into_boxed_slice();
        Self { file, buffer, begin: 0, end: 0, scanner: Scanner::new() }
    }

    /// The next fragment.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn next(&mut self) -> Result<Next<'_>> {
        if self.end - self.begin < FRAGMENT_BYTES {
            self.refill()?;
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
        loop {
            let free = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.file.read(free) {
                Ok(0) => return Ok(()),
                Ok(byte_count) => self.end += byte_count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
