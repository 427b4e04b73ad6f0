//! The verification of the example `wal`: it accepts what is right, and nothing else.
#![allow(clippy::unwrap_used, reason = "what the tests share is test code too")]

#[path = "../examples/wal/failure.rs"]
#[allow(dead_code, reason = "the program uses the rest")]
mod failure;
#[path = "../examples/wal/format/mod.rs"]
#[allow(dead_code, reason = "the program uses the rest")]
mod format;
#[path = "../examples/wal/lines.rs"]
#[allow(dead_code, reason = "the program uses the rest")]
mod lines;
#[path = "../examples/wal/log_reader.rs"]
mod log_reader;
#[path = "../examples/wal/platform.rs"]
#[allow(dead_code, unused_imports, reason = "the program uses the rest")]
mod platform;
#[path = "../examples/wal/progress.rs"]
mod progress;
#[path = "../examples/wal/segments.rs"]
#[allow(dead_code, reason = "the program uses the rest")]
mod segments;
#[path = "../examples/wal/verify.rs"]
mod verify;

use std::{fs, fs::File};

use failure::Failure;
use lines::{Digest, Lines, WINDOW_BYTES};
use progress::Progress;
use tempfile::TempDir;
use verify::{Expected, verify};

/// Where the expected text comes from.
#[derive(Clone, Copy, Debug)]
enum Input {
    File,
    Stream,
}

const BOTH: [Input; 2] = [Input::File, Input::Stream];

/// An input, the log of it, and what the writer knows about them.
struct Written {
    folder: TempDir,
    text: Vec<u8>,
    log: Vec<u8>,
    records: u64,
    digest: Digest,
}

impl Written {
    fn new(text: &[u8]) -> Self {
        let mut lines = Lines::new(text, WINDOW_BYTES);
        let (mut log, mut records) = (Vec::new(), 0);
        while !lines.is_finished() {
            if lines.advance() {
                log.extend_from_slice(lines.fragment(format::Seal::NONE));
                records += u64::from(lines.part().ends_record());
            } else {
                lines.refill().unwrap();
            }
        }
        let (folder, text) = (TempDir::new().unwrap(), text.to_vec());
        Self { folder, text, log, records, digest: lines.digest() }
    }

    /// Verifies `log` against `text`, whatever they are.
    fn verify(&self, log: &[u8], text: &[u8], input: Input) -> Result<u64, Failure> {
        let (log_path, text_path) = (self.folder.path().join("log"), self.folder.path().join("in"));
        fs::write(&log_path, log).unwrap();
        fs::write(&text_path, text).unwrap();
        let expected = Expected {
            records: self.records,
            log_bytes: self.log.len() as u64,
            digest: self.digest,
            input: match input {
                Input::File => Some(File::open(text_path).unwrap()),
                Input::Stream => None,
            },
        };
        verify(&log_path, expected, Progress::start("", None).counter())
    }
}

#[test]
fn what_was_written_is_verified() {
    let long = [vec![b'x'; 300_000], b"\nend".to_vec()].concat();
    for text in [&b""[..], b"\n", b"a", b"a\n", b"a\nb", b"\n\n\r\n", b"\xff\0\n", &long] {
        let written = Written::new(text);
        for input in BOTH {
            let verified = written.verify(&written.log, text, input);
            assert_eq!(verified.unwrap(), written.records, "{input:?}");
        }
    }
}

#[test]
fn an_input_that_has_grown_meanwhile_is_verified_as_far_as_it_was_read() {
    let written = Written::new(b"one\ntwo");
    assert_eq!(written.verify(&written.log, b"one\ntwo more\nthree\n", Input::File).unwrap(), 2);
}

#[test]
fn every_changed_byte_of_the_log_is_found() {
    let written = Written::new(b"one\n\ntwo\nthree");
    for input in BOTH {
        for at in 0..written.log.len() {
            let mut log = written.log.clone();
            log[at] ^= 0x20;
            let failure = written.verify(&log, &written.text, input).unwrap_err();
            assert!(failure.to_string().contains(" of 4 records"), "{at}: {failure}");
        }
    }
}

#[test]
fn every_cut_and_every_addition_is_found() {
    let written = Written::new(b"one\n\ntwo\nthree");
    for input in BOTH {
        for at in 0..written.log.len() {
            written.verify(&written.log[..at], &written.text, input).unwrap_err();
        }
        let longer = [&written.log[..], b"\0"].concat();
        written.verify(&longer, &written.text, input).unwrap_err();
        // A whole record more than was written.
        let longer = [&written.log[..], &Written::new(b"four").log].concat();
        written.verify(&longer, &written.text, input).unwrap_err();
    }
}

#[test]
fn a_whole_log_of_another_input_is_found() {
    let written = Written::new(b"one\ntwo\n");
    for other in [&b"one\ntwx\n"[..], b"two\none\n", b"one\ntwo", b"on\netwo\n", b"one\n"] {
        for input in BOTH {
            let log = Written::new(other).log;
            let is_same = log == written.log;
            let verified = written.verify(&log, &written.text, input);
            assert_eq!(verified.is_ok(), is_same, "{input:?} {other:?}");
        }
    }
}

#[test]
fn records_that_miss_the_end_of_the_input_are_found() {
    // As if the writer had taken the first line for everything.
    let written = Written { digest: Written::new(b"one\ntwo\n").digest, ..Written::new(b"one\n") };
    for input in BOTH {
        written.verify(&written.log, b"one\ntwo\n", input).unwrap_err();
    }
}

#[test]
fn a_record_with_a_newline_in_it_is_found() {
    let written = Written::new(b"one two\n");
    let head = format::encode_head(format::Seal::NONE, format::Part::Whole, b"one\ntwo").unwrap();
    let log = [&head[..], b"one\ntwo"].concat();
    let digest = Written::new(b"one\ntwo\n").digest;
    let written = Written { digest, ..written };
    for input in BOTH {
        written.verify(&log, b"one\ntwo\n", input).unwrap_err();
    }
}

#[test]
fn an_input_that_has_changed_meanwhile_is_found() {
    let written = Written::new(b"one\ntwo\nthree\n");
    for text in [&b"one\ntwx\nthree\n"[..], b"one\ntwo\n", b""] {
        let failure = written.verify(&written.log, text, Input::File).unwrap_err().to_string();
        assert!(failure.contains("does not change"), "{failure}");
    }
}
