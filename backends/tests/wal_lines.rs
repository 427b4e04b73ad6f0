//! The line reader of the example `wal`, against splitting the whole input at newlines.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what the tests share is test code too"
)]

#[path = "../examples/wal/format/mod.rs"]
#[allow(dead_code, reason = "the program uses the rest")]
mod format;
#[path = "../examples/wal/lines.rs"]
#[allow(dead_code, reason = "the program uses the rest")]
mod lines;

use std::io::{self, Error, ErrorKind, Read};

use format::{FRAGMENT_BYTES, HEAD_BYTES, MAX_PAYLOAD_BYTES, Part, Recovered, Seal, Tail, recover};
use lines::{Digest, Lines};
use proptest::prelude::*;

/// Gives its bytes out in pieces of these sizes, in turn, with an interruption before each.
struct Piecewise<'a> {
    bytes: &'a [u8],
    sizes: Vec<usize>,
    reads: usize,
}

impl Read for Piecewise<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        if self.reads % 2 == 1 {
            return Err(Error::from(ErrorKind::Interrupted));
        }
        let size = self.sizes[self.reads / 2 % self.sizes.len()];
        let byte_count = size.min(buffer.len()).min(self.bytes.len());
        let (now, later) = self.bytes.split_at(byte_count);
        buffer[..byte_count].copy_from_slice(now);
        self.bytes = later;
        Ok(byte_count)
    }
}

/// The lines of `input` as the reader hands them out, and the log their fragments make.
fn read(input: &[u8], sizes: &[usize], window_bytes: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
    let source = Piecewise { bytes: input, sizes: sizes.to_vec(), reads: 0 };
    let mut lines = Lines::new(source, window_bytes);
    let (mut found, mut line, mut log) = (Vec::new(), Vec::new(), Vec::new());
    while !lines.is_finished() {
        if !lines.advance() {
            lines.refill().unwrap();
            continue;
        }
        let part = lines.part();
        assert_eq!(part.begins_record(), line.is_empty(), "{part:?}");
        let fragment = lines.fragment(Seal::NONE).to_vec();
        assert_eq!(fragment, lines.fragment(Seal::NONE), "asked again");
        assert!(fragment.len() <= FRAGMENT_BYTES);
        assert!(part == Part::Whole || fragment.len() > HEAD_BYTES, "an empty part");
        line.extend_from_slice(&fragment[HEAD_BYTES..]);
        log.extend_from_slice(&fragment);
        if part.ends_record() {
            found.push(std::mem::take(&mut line));
        }
    }
    assert!(!lines.advance(), "nothing behind the end");
    let mut digest = Digest::default();
    digest.update(input);
    assert_eq!(lines.digest(), digest);
    (found, log)
}

fn expected(input: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<_> = input.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    // What is behind the last newline is a line only if it is not empty.
    lines.pop_if(|last| last.is_empty());
    lines
}

fn check(input: &[u8], sizes: &[usize], window_bytes: usize) {
    let (found, log) = read(input, sizes, window_bytes);
    let expected = expected(input);
    assert_eq!(found.len(), expected.len());
    assert!(found == expected, "lines differ");
    let (record_count, byte_count) = (expected.len() as u64, log.len() as u64);
    assert_eq!(recover(&log), Recovered { record_count, byte_count, tail: Tail::Clean });
}

#[test]
fn small_inputs_of_every_shape_are_split_right() {
    let bytes = [b'\n', b'a', b'\r', 0, 0xff];
    for length in 0..=5_u32 {
        for number in 0..5_usize.pow(length) {
            let digit = |at| bytes[number / 5_usize.pow(at) % 5];
            let input: Vec<u8> = (0..length).map(digit).collect();
            check(&input, &[1], 0);
            check(&input, &[2, 1], 0);
            check(&input, &[usize::MAX], 0);
        }
    }
}

#[test]
fn lines_about_as_long_as_a_fragment_are_split_right() {
    for length in [
        MAX_PAYLOAD_BYTES - 1,
        MAX_PAYLOAD_BYTES,
        MAX_PAYLOAD_BYTES + 1,
        2 * MAX_PAYLOAD_BYTES,
        2 * MAX_PAYLOAD_BYTES + 1,
    ] {
        for end in [&b""[..], b"\n", b"\n\n", b"\nx", b"\r\n"] {
            let input = [&b"before\n"[..], &vec![b'x'; length], end].concat();
            for sizes in [&[usize::MAX][..], &[MAX_PAYLOAD_BYTES], &[4_096, 61]] {
                check(&input, sizes, 0);
                check(&input, sizes, 4 * FRAGMENT_BYTES);
            }
        }
    }
}

#[test]
fn a_line_of_ten_megabytes_needs_no_more_room_than_any_other() {
    let input = [vec![b'x'; 10_000_000], b"\nshort".to_vec()].concat();
    check(&input, &[usize::MAX], 0);
}

#[test]
fn an_error_of_the_source_is_passed_on_and_what_was_read_stays() {
    struct Failing(bool);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(Error::from_raw_os_error(5));
            }
            buffer[..7].copy_from_slice(b"one\ntwo");
            Ok(7)
        }
    }
    let mut lines = Lines::new(Failing(false), 0);
    lines.refill().unwrap();
    assert!(lines.advance());
    assert_eq!(&lines.fragment(Seal::NONE)[HEAD_BYTES..], b"one");
    assert!(!lines.advance(), "`two` may go on");
    assert_eq!(lines.refill().unwrap_err().raw_os_error(), Some(5));
    assert!(!lines.is_finished());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_lines_read_in_any_pieces_are_split_right(
        lengths in prop::collection::vec(prop_oneof![
            8 => 0_usize..200,
            1 => MAX_PAYLOAD_BYTES - 3..MAX_PAYLOAD_BYTES + 3,
            1 => 60_000_usize..200_000,
        ], 0..40),
        ends_with_newline in any::<bool>(),
        sizes in prop::collection::vec(prop_oneof![1_usize..100, 1_000_usize..100_000], 1..5),
        window_bytes in prop_oneof![Just(0), Just(4 * FRAGMENT_BYTES)],
    ) {
        let mut input = Vec::new();
        for (number, length) in lengths.iter().enumerate() {
            input.extend((0..*length).map(|at| b'a' + ((number + at) % 26) as u8));
            input.push(b'\n');
        }
        if !ends_with_newline {
            input.pop();
        }
        // The smallest pieces only for the smaller inputs.
        let least = input.len() / 5_000;
        let sizes: Vec<_> = sizes.into_iter().map(|size| size.max(least)).collect();
        check(&input, &sizes, window_bytes);
    }
}
