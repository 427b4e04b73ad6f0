//! Segments in the log format of the example `wal`: nothing of a segment's former life is ever read
//! as new, wherever the new records end.
//!
//! # Mutations
//! | removed | red |
//! |---|---|
//! | the seal in the checksum of a fragment | an old record, many lives |
//! | the sequence in the seal | an old record, many lives, no two seals |
//! | the comparison of a header's sequence with the name | the former header, many lives |
//! | the comparison of records and fragments before | a gap |
//! | the bit that is always set | zeros |
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what the tests share is test code too"
)]

#[path = "../examples/wal/format/mod.rs"]
#[allow(dead_code, reason = "the program uses the rest")]
mod format;

use format::{HEADER_BYTES, Header, Part, Scanner, Seal, Step, encode_head};
use proptest::prelude::*;

const LOG: u64 = 0x0123_4567_89ab_cdef;
const SEGMENT_BYTES: usize = 4_096;

/// A segment with these records, over what it held before.
fn written_over(before: &[u8], header: &Header, records: &[Vec<u8>]) -> Vec<u8> {
    let mut new = header.encode().to_vec();
    for record in records {
        new.extend(encode_head(header.seal(), Part::Whole, record).unwrap());
        new.extend(record);
    }
    new.extend_from_slice(&before[new.len()..]);
    new
}

fn header(sequence: u32) -> Header {
    Header { log: LOG, sequence, records_before: 0, fragments_before: 0 }
}

/// The records of a chain of segments, each with its name.
fn read(chain: &[(u32, &[u8])]) -> Vec<Vec<u8>> {
    let (mut scanner, mut records) = (Scanner::new(), Vec::new());
    for (sequence, segment) in chain {
        if !scanner.enter(*sequence, segment) {
            continue;
        }
        let mut rest = &segment[HEADER_BYTES..];
        while let Step::Fragment { payload, byte_count, .. } = scanner.step(rest) {
            records.push(payload.to_vec());
            rest = &rest[byte_count..];
        }
    }
    assert_eq!(scanner.record_count(), records.len() as u64);
    records
}

fn zeros() -> Vec<u8> {
    vec![0; SEGMENT_BYTES]
}

#[test]
fn a_header_reads_as_it_was_written_and_every_flipped_bit_is_found() {
    let header = Header { log: LOG, sequence: 7, records_before: 8, fragments_before: 9 };
    let encoded = header.encode();
    assert_eq!(Header::decode(&encoded), Some(header));
    for bit in 0..HEADER_BYTES * 8 {
        let mut flipped = encoded;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Header::decode(&flipped), None, "bit {bit}");
    }
    assert_eq!(Header::decode(&encoded[..HEADER_BYTES - 1]), None);
    assert_eq!(Header::decode(&zeros()), None);
}

#[test]
fn a_segment_that_has_the_header_of_its_former_life_holds_nothing() {
    let old = written_over(&zeros(), &header(1), &vec![b"old".to_vec(); 9]);
    assert_eq!(read(&[(1, &old)]).len(), 9, "control");
    assert!(read(&[(2, &old)]).is_empty());
}

/// The sequence whose seal makes zero the checksum of four zeros. A CRC is affine, so it is the
/// solution of 32 linear equations.
fn sequence_that_agrees_with_zeros() -> u32 {
    let log = crc32c::crc32c(&LOG.to_le_bytes());
    let checksum = |sequence: u32| {
        crc32c::crc32c_append(crc32c::crc32c_append(log, &sequence.to_le_bytes()), &[0; 4])
    };
    // By its highest bit: a change of the checksum, and the change of the sequence that makes it.
    let mut rows = [(0_u32, 0_u32); 32];
    let reduce = |rows: &[(u32, u32); 32], mut sum: (u32, u32)| {
        while sum.0 != 0 && rows[sum.0.ilog2() as usize].0 != 0 {
            let row = rows[sum.0.ilog2() as usize];
            sum = (sum.0 ^ row.0, sum.1 ^ row.1);
        }
        sum
    };
    for bit in 0..32 {
        let row = reduce(&rows, (checksum(1 << bit) ^ checksum(0), 1 << bit));
        assert_ne!(row.0, 0, "every sequence has a checksum of its own");
        rows[row.0.ilog2() as usize] = row;
    }
    let (rest, sequence) = reduce(&rows, (checksum(0), 0));
    assert_eq!((rest, checksum(sequence)), (0, 0));
    sequence
}

#[test]
fn zeros_are_no_records_even_where_their_checksum_is_right() {
    let sequence = sequence_that_agrees_with_zeros();
    let seal = Seal::new(LOG, sequence);
    let head = encode_head(seal, Part::Whole, b"").unwrap();
    assert_ne!(head[..4], [0; 4]);
    let fresh = written_over(&zeros(), &header(sequence), &[b"one".to_vec()]);
    assert_eq!(read(&[(sequence, &fresh)]), [b"one"]);
}

/// The hardest case: old and new records of the same lengths and the same bytes, so that an old one
/// begins wherever a new one ends, at every possible end.
#[test]
fn an_old_record_that_begins_where_the_new_ones_end_is_not_read() {
    for same in [true, false] {
        let record = |life: u8, at: u8| vec![if same { at } else { at ^ life }; 50];
        let records = |life| (0..60).map(|at| record(life, at)).collect::<Vec<_>>();
        let old = written_over(&zeros(), &header(1), &records(1));
        for count in 0..=60 {
            let new = records(2)[..count].to_vec();
            let recycled = written_over(&old, &header(2), &new);
            assert_eq!(read(&[(2, &recycled)]), new, "{count}");
        }
    }
}

#[test]
fn no_two_seals_of_a_log_are_the_same() {
    // Every single bit, and every pair of neighbours of many.
    for bit in 0..32 {
        for sequence in [0, 1, 0xdead_beef, u32::MAX] {
            assert_ne!(Seal::new(LOG, sequence), Seal::new(LOG, sequence ^ 1 << bit));
        }
    }
    let mut seals: Vec<String> =
        (0..100_000).map(|it| format!("{:?}", Seal::new(LOG, it))).collect();
    seals.sort();
    seals.dedup();
    assert_eq!(seals.len(), 100_000);
    assert_ne!(Seal::new(LOG, 1), Seal::new(LOG + 1, 1));
}

#[test]
fn what_is_behind_a_gap_or_of_another_log_is_not_read() {
    let records = vec![b"record".to_vec(); 5];
    let first = written_over(&zeros(), &header(1), &records);
    let behind = Header { sequence: 2, records_before: 5, fragments_before: 5, ..header(0) };
    let follows = |header: Header| {
        let second = written_over(&zeros(), &header, &records);
        read(&[(1, &first), (header.sequence, &second)]).len()
    };
    assert_eq!(follows(behind), 10);
    assert_eq!(follows(Header { records_before: 4, ..behind }), 5);
    assert_eq!(follows(Header { records_before: 6, ..behind }), 5);
    assert_eq!(follows(Header { fragments_before: 6, ..behind }), 5);
    assert_eq!(follows(Header { log: LOG + 1, ..behind }), 5);
    assert_eq!(follows(Header { sequence: 9, ..behind }), 10, "recycled ones are missing between");

    let mut torn = first.clone();
    torn[HEADER_BYTES + 4 * 14] ^= 1;
    let second = written_over(&zeros(), &behind, &records);
    assert_eq!(read(&[(1, &torn), (2, &second)]).len(), 4);
    // What a recovery began behind that gap is read, though the one between is still there.
    let again = Header { sequence: 3, records_before: 4, fragments_before: 4, ..behind };
    let again = written_over(&second, &again, &records);
    assert_eq!(read(&[(1, &torn), (2, &second), (3, &again)]).len(), 9);
    // A log whose beginning was released begins where it begins.
    let later = Header { sequence: 3, records_before: 10, fragments_before: 10, ..behind };
    let mut scanner = Scanner::new();
    assert!(scanner.enter(2, &second));
    let mut rest = &second[HEADER_BYTES..];
    while let Step::Fragment { byte_count, .. } = scanner.step(rest) {
        rest = &rest[byte_count..];
    }
    assert_eq!(scanner.record_count(), 10);
    assert!(scanner.enter(3, &later.encode()));
}

proptest! {
    /// Any lives, one over the other: only the last is read.
    #[test]
    fn of_many_lives_only_the_last_is_read(
        lives in prop::collection::vec(
            prop::collection::vec(prop::collection::vec(0..3_u8, 0..4), 0..30),
            1..6,
        ),
        torn in any::<prop::sample::Index>(),
    ) {
        let mut segment = zeros();
        for (sequence, records) in (1..).zip(&lives) {
            let before = segment.clone();
            segment = written_over(&segment, &header(sequence), records);
            prop_assert_eq!(&read(&[(sequence, &segment)]), records);
            // The first part is new and the rest is old: a prefix.
            let cut = torn.index(SEGMENT_BYTES);
            let half = [&segment[..cut], &before[cut..]].concat();
            let found = read(&[(sequence, &half)]);
            prop_assert!(records.starts_with(&found));
        }
    }
}
