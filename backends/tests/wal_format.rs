//! The log format of the example `wal`: what it reads back, and that it survives any bytes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what the tests share is test code too"
)]

#[path = "../examples/wal/format/mod.rs"]
mod format;

use format::{
    Damage, FRAGMENT_BYTES, HEAD_BYTES, MAX_PAYLOAD_BYTES, Part, Recovered, Scanner, Seal, Step,
    Tail, encode_head, recover,
};
use proptest::prelude::*;

fn push_fragment(log: &mut Vec<u8>, part: Part, payload: &[u8]) {
    log.extend_from_slice(&encode_head(Seal::NONE, part, payload).unwrap());
    log.extend_from_slice(payload);
}

/// Appends a record in fragments of at most `most` bytes of payload.
fn push_record(log: &mut Vec<u8>, record: &[u8], most: usize) {
    let count = record.len().div_ceil(most).max(1);
    for number in 0..count {
        let payload = &record[number * most..record.len().min((number + 1) * most)];
        let part = match (number == 0, number + 1 == count) {
            (true, true) => Part::Whole,
            (true, false) => Part::First,
            (false, false) => Part::Middle,
            (false, true) => Part::Last,
        };
        push_fragment(log, part, payload);
    }
}

/// All records that can be read, and where each ends.
fn records(log: &[u8]) -> Vec<(Vec<u8>, usize)> {
    let mut scanner = Scanner::new();
    let (mut records, mut record) = (Vec::new(), Vec::new());
    while let Step::Fragment { part, payload, .. } = scanner.step(&log[scanner.offset() as usize..])
    {
        record.extend_from_slice(payload);
        if part.ends_record() {
            records.push((std::mem::take(&mut record), scanner.offset() as usize));
        }
    }
    assert_eq!(scanner.record_count(), records.len() as u64);
    records
}

fn recovered(record_count: u64, byte_count: usize, tail: Tail) -> Recovered {
    Recovered { record_count, byte_count: byte_count as u64, tail }
}

#[test]
fn the_worked_examples_of_the_header_are_true() {
    let mut log = Vec::new();
    push_record(&mut log, b"ab", MAX_PAYLOAD_BYTES);
    assert_eq!(log, [2, 0, 0, 0x20, 0xb9, 0x79, 0x21, 0x7e, b'a', b'b']);

    let mut log = Vec::new();
    push_record(&mut log, &vec![7; 10_000_000], MAX_PAYLOAD_BYTES);
    assert_eq!(log.len(), 10_001_224);
    assert_eq!(recover(&log), recovered(1, log.len(), Tail::Clean));
    let last = HEAD_BYTES + 39_744;
    assert_eq!(log[log.len() - last..][..4], (39_744_u32 | 1 << 29 | 1 << 30).to_le_bytes());
}

#[test]
fn nothing_is_an_empty_log() {
    assert_eq!(recover(b""), recovered(0, 0, Tail::Clean));
}

#[test]
fn empty_records_are_records() {
    let mut log = Vec::new();
    for _ in 0..3 {
        push_record(&mut log, b"", MAX_PAYLOAD_BYTES);
    }
    assert_eq!(recover(&log), recovered(3, 3 * HEAD_BYTES, Tail::Clean));
}

#[test]
fn zeros_are_no_records() {
    for byte_count in [HEAD_BYTES, 100, FRAGMENT_BYTES] {
        let zeros = vec![0; byte_count];
        assert_eq!(recover(&zeros), recovered(0, 0, Tail::Damaged(Damage::Length)));
    }
    let mut log = Vec::new();
    push_record(&mut log, b"good", MAX_PAYLOAD_BYTES);
    let good = log.len();
    log.resize(4_096, 0);
    assert_eq!(recover(&log), recovered(1, good, Tail::Damaged(Damage::Length)));
}

#[test]
fn a_payload_that_is_too_long_has_no_head() {
    assert!(encode_head(Seal::NONE, Part::Whole, &vec![0; MAX_PAYLOAD_BYTES]).is_some());
    assert!(encode_head(Seal::NONE, Part::Whole, &vec![0; MAX_PAYLOAD_BYTES + 1]).is_none());
    let length = ((MAX_PAYLOAD_BYTES as u32 + 1) | (1 << 29)).to_le_bytes();
    let log = [&length[..], &[0; FRAGMENT_BYTES]].concat();
    assert_eq!(recover(&log), recovered(0, 0, Tail::Damaged(Damage::Length)));
}

#[test]
fn parts_out_of_order_end_the_log() {
    use Part::{First, Last, Middle, Whole};
    let all = [Whole, First, Middle, Last];
    for first in all {
        for second in all {
            for third in all {
                let mut log = Vec::new();
                let mut whole = (0, 0);
                let mut is_open = false;
                let mut is_damaged = false;
                for part in [first, second, third] {
                    push_fragment(&mut log, part, b"x");
                    is_damaged |= part.begins_record() == is_open;
                    is_open = !part.ends_record();
                    if !is_damaged && !is_open {
                        whole = (whole.0 + 1, log.len());
                    }
                }
                let tail = match (is_damaged, is_open) {
                    (true, _) => Tail::Damaged(Damage::Order),
                    (false, true) => Tail::CutOff,
                    (false, false) => Tail::Clean,
                };
                let expected = recovered(whole.0, whole.1, tail);
                assert_eq!(recover(&log), expected, "{first:?} {second:?} {third:?}");
            }
        }
    }
}

fn some_records() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..12)
}

proptest! {
    #[test]
    fn every_prefix_of_a_log_holds_the_records_that_end_in_it(
        input in some_records(),
        most in 1_usize..20,
    ) {
        let mut log = Vec::new();
        let mut ends = Vec::new();
        for record in &input {
            push_record(&mut log, record, most);
            ends.push(log.len());
        }
        let found = records(&log);
        let expected = input.iter().cloned().zip(ends.iter().copied()).collect::<Vec<_>>();
        prop_assert_eq!(found, expected);
        for cut in 0..=log.len() {
            let record_count = ends.iter().filter(|end| **end <= cut).count();
            let byte_count = ends[..record_count].last().copied().unwrap_or(0);
            let tail = if byte_count == cut { Tail::Clean } else { Tail::CutOff };
            prop_assert_eq!(recover(&log[..cut]), recovered(record_count as u64, byte_count, tail));
        }
    }

    #[test]
    fn a_flipped_bit_takes_its_record_and_what_follows_and_nothing_else(
        input in some_records().prop_filter("a byte to flip", |input| !input.is_empty()),
        most in 1_usize..20,
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let mut log = Vec::new();
        for record in &input {
            push_record(&mut log, record, most);
        }
        let before = records(&log);
        let at = at.index(log.len());
        log[at] ^= 1 << bit;
        let intact = before.into_iter().take_while(|(_, end)| *end <= at).collect::<Vec<_>>();
        prop_assert_eq!(records(&log), intact);
        prop_assert_ne!(recover(&log).tail, Tail::Clean);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic_and_no_further_than_they_go(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        good in some_records(),
    ) {
        let mut log = Vec::new();
        for record in &good {
            push_record(&mut log, record, 16);
        }
        let whole_bytes = log.len();
        log.extend_from_slice(&bytes);
        let found = recover(&log);
        prop_assert!(found.record_count >= good.len() as u64);
        prop_assert!((whole_bytes..=log.len()).contains(&(found.byte_count as usize)));
    }
}
