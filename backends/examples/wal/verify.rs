//! The log against the input: [`verify`].
//!
//! It does not use the code that cut the input into records. It turns the log back into text, each
//! record and a newline, and that must be the input, byte for byte; and no record may hold a
//! newline. A regular file is read again and compared. What can be read only once (a pipe) is
//! compared by length and CRC32C, both taken while it was read: that misses one in four billion
//! random differences, and every record has a checksum of its own besides.
//!
//! The log is read through the page cache: this shows what the file holds, not what a disk would
//! return after a power failure. That is what the datasyncs were for.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Take},
    path::Path,
};

use crate::{
    failure::Failure,
    format::{MAX_PAYLOAD_BYTES, Part, Recovered, Tail},
    lines::Digest,
    log_reader::{LogReader, Next},
    progress::Counter,
};

/// What the log must hold.
pub(crate) struct Expected {
    /// Lines written.
    pub(crate) records: u64,
    /// Bytes written.
    pub(crate) log_bytes: u64,
    /// The input as it was read.
    pub(crate) digest: Digest,
    /// The input from its beginning, if it can be read again.
    pub(crate) input: Option<File>,
}

/// Compares the log with the input, and returns the number of records, all of them good.
///
/// # Errors
/// The first difference.
pub(crate) fn verify(path: &Path, expected: Expected, counter: &Counter) -> Result<u64, Failure> {
    let read_error = |error: io::Error| {
        Failure::reading(format_args!("cannot read back {}", path.display()), &error)
    };
    let mut reader = LogReader::open(path).map_err(read_error)?;
    let Expected { records, log_bytes, digest, input } = expected;
    let mut text = Text::new(input, digest);
    let difference = |verified, result: io::Result<bool>| match result {
        Ok(true) => Ok(()),
        Ok(false) => Err(different(path, verified, records)),
        Err(error) => Err(Failure::reading(
            format_args!("cannot read the input after line {verified}"),
            &error,
        )),
    };
    loop {
        let verified = reader.record_count();
        match reader.next().map_err(read_error)? {
            Next::Fragment(part, payload) => {
                let is_last = verified + 1 == records;
                difference(verified, text.matches(part, payload, is_last))?;
            }
            Next::End(end) => {
                check_end(path, end, records, log_bytes)?;
                // A digest tells only that something is wrong, not from where on.
                let known_good = if text.is_stream() { 0 } else { verified };
                difference(known_good, text.is_complete())?;
                return Ok(verified);
            }
        }
        counter.set(reader.offset(), reader.record_count());
    }
}

/// Checks that the log ends behind its last record, and not before.
fn check_end(path: &Path, end: Recovered, records: u64, log_bytes: u64) -> Result<(), Failure> {
    let Recovered { record_count, byte_count, tail } = end;
    let flaw = match tail {
        Tail::Clean if record_count == records && byte_count == log_bytes => return Ok(()),
        Tail::Clean => "it ends".to_owned(),
        Tail::CutOff => "it is cut off".to_owned(),
        Tail::Damaged(damage) => format!("it has {damage}"),
    };
    Err(Failure::new(
        format_args!(
            "only {record_count} of {records} records are in {}: {flaw} behind byte {byte_count} \
             of {log_bytes}",
            path.display(),
        ),
        "see that no other program writes to the log; otherwise suspect the file system or device",
    ))
}

fn different(path: &Path, verified: u64, records: u64) -> Failure {
    Failure::new(
        format_args!(
            "{} is not the input: only {verified} of {records} records are verified",
            path.display(),
        ),
        "see that the input does not change meanwhile, and that no other program writes to the log",
    )
}

/// The text that the records must add up to.
enum Text {
    /// Read again, no further than it was read the first time.
    File { input: BufReader<Take<File>>, ends_with_newline: bool },
    /// Known by its digest. The second one is of what the log holds so far.
    Stream { expected: Digest, found: Digest },
}

impl Text {
    fn new(input: Option<File>, digest: Digest) -> Self {
        match input {
            Some(file) => Self::File {
                input: BufReader::with_capacity(MAX_PAYLOAD_BYTES, file.take(digest.byte_count)),
                ends_with_newline: digest.ends_with_newline,
            },
            None => Self::Stream { expected: digest, found: Digest::default() },
        }
    }

    /// Takes the next part of a record, and whether it can be right: of a stream only its end
    /// tells.
    fn matches(&mut self, part: Part, payload: &[u8], is_last: bool) -> io::Result<bool> {
        if payload.contains(&b'\n') {
            return Ok(false);
        }
        let is_terminated = !is_last || self.ends_with_newline();
        let newline: &[u8] = if part.ends_record() && is_terminated { b"\n" } else { b"" };
        Ok(self.take(payload)? && self.take(newline)?)
    }

    fn ends_with_newline(&self) -> bool {
        match self {
            Self::File { ends_with_newline, .. } => *ends_with_newline,
            Self::Stream { expected, .. } => expected.ends_with_newline,
        }
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<bool> {
        match self {
            Self::File { input, .. } => begins_with(input, bytes),
            Self::Stream { found, .. } => {
                found.update(bytes);
                Ok(true)
            }
        }
    }

    fn is_stream(&self) -> bool {
        matches!(self, Self::Stream { .. })
    }

    /// Whether this was all of the text.
    fn is_complete(&mut self) -> io::Result<bool> {
        match self {
            Self::File { input, .. } => Ok(input.fill_buf()?.is_empty()),
            Self::Stream { expected, found } => Ok(expected == found),
        }
    }
}

/// Takes as many bytes from `input`, and whether they are the same.
fn begins_with(input: &mut impl BufRead, bytes: &[u8]) -> io::Result<bool> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let have = input.fill_buf()?;
        let byte_count = have.len().min(rest.len());
        let (now, later) = rest.split_at(byte_count);
        if byte_count == 0 || !have.starts_with(now) {
            return Ok(false);
        }
        input.consume(byte_count);
        rest = later;
    }
    Ok(true)
}
