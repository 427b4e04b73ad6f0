//! [`Log`]: what the device was asked for, in order, in a file that grows while it works.
//!
//! An entry is in the file before its request is answered. So whoever looks at the length of the
//! file, a *position*, knows that everything answered before lies before it.
//!
//! ```text
//! entry   bytes  0..8   offset of a write, u64 LE; u64::MAX: a flush
//!         bytes  8..16  bytes of data, u64 LE; a flush has none
//!         bytes 16..    data
//! ```

use std::{
    fs::File,
    io::{self, Write},
    ops::Range,
    path::Path,
};

const HEAD_BYTES: usize = 16;
const FLUSH: u64 = u64::MAX;

/// The device's end of the log.
#[derive(Debug)]
pub(super) struct LogWriter(File);

impl LogWriter {
    /// A new log.
    ///
    /// # Errors
    /// Those of creating a file.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        File::create_new(path).map(Self)
    }

    /// A write.
    ///
    /// # Errors
    /// Those of writing; the log is torn then.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut head = [0; HEAD_BYTES];
        head[..8].copy_from_slice(&offset.to_le_bytes());
        head[8..].copy_from_slice(&(data.len() as u64).to_le_bytes());
        self.0.write_all(&head)?;
        self.0.write_all(data)
    }

    /// A flush.
    ///
    /// # Errors
    /// As of a write.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.write(FLUSH, &[])
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// A write of [`Log::data`] of this range, at this offset of the device.
    Write {
        /// Where on the device.
        offset: u64,
        /// Where in the log.
        data: Range<usize>,
    },
    /// A flush.
    Flush,
}

/// A log that is complete.
#[derive(Debug)]
pub struct Log {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// The position behind each entry.
    ends: Vec<u64>,
}

impl Log {
    /// Reads a log.
    ///
    /// # Errors
    /// Those of reading; it is torn.
    pub fn load(path: &Path) -> io::Result<Self> {
        Self::parse(std::fs::read(path)?)
    }

    fn parse(bytes: Vec<u8>) -> io::Result<Self> {
        let torn = || io::Error::new(io::ErrorKind::UnexpectedEof, "the log is torn");
        let (mut entries, mut ends, mut at) = (Vec::new(), Vec::new(), 0);
        while at < bytes.len() {
            let number = |at: usize| {
                let eight = bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok());
                eight.map(u64::from_le_bytes).ok_or_else(torn)
            };
            let (offset, len) = (number(at)?, number(at + 8)? as usize);
            let data = at + HEAD_BYTES..at + HEAD_BYTES + len;
            at = data.end;
            if at > bytes.len() {
                return Err(torn());
            }
            entries.push(if offset == FLUSH {
                Entry::Flush
            } else {
                Entry::Write { offset, data }
            });
            ends.push(at as u64);
        }
        Ok(Self { bytes, entries, ends })
    }

    /// The requests that were logged in whole at `position`.
    pub(super) fn until(&self, position: u64) -> &[Entry] {
        &self.entries[..self.ends.partition_point(|end| *end <= position)]
    }

    /// The position behind each request.
    pub fn ends(&self) -> &[u64] {
        &self.ends
    }

    /// What a write wrote.
    pub(super) fn data(&self, range: &Range<usize>) -> &[u8] {
        &self.bytes[range.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_reads_as_it_was_written_and_is_known_to_be_torn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut writer = LogWriter::create(&path).unwrap();
        writer.write(512, b"first").unwrap();
        writer.flush().unwrap();
        writer.write(0, b"").unwrap();
        let log = Log::load(&path).unwrap();
        assert_eq!(log.ends(), [21, 37, 53]);
        assert_eq!(
            log.until(52),
            [Entry::Write { offset: 512, data: 16..21 }, Entry::Flush],
            "the third was not there in whole"
        );
        assert_eq!(log.until(53)[2], Entry::Write { offset: 0, data: 53..53 });
        assert_eq!(log.data(&(16..21)), b"first");
        for len in [1, 20, 36] {
            assert!(Log::parse(log.bytes[..len].to_vec()).is_err(), "{len}");
        }
    }
}
