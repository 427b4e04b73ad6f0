//! The records of a file: a pure function of the file's number, so that a reader knows what the
//! writer wrote.

use ringzero_tests::random::{Random, bytes};

use crate::format::{HEAD_BYTES, MAX_PAYLOAD_BYTES, Part, Seal, encode_head};

/// Record number `record` of file number `file`: up to 3,000 bytes, one in fifty above 64 KiB.
pub(crate) fn record(file: u64, record: u64) -> Vec<u8> {
    let id = file << 32 | record;
    let mut random = Random::new(id);
    let len = if random.chance(20) { 70_000 } else { random.below(3_000) as usize };
    bytes(id, 0, len)
}

/// The fragments of a record: what is appended, one after the other.
pub(crate) fn fragments(seal: Seal, record: &[u8]) -> Vec<Vec<u8>> {
    let count = record.len().div_ceil(MAX_PAYLOAD_BYTES).max(1);
    let fragment = |number: usize| {
        let part = match (number == 0, number + 1 == count) {
            (true, true) => Part::Whole,
            (true, false) => Part::First,
            (false, false) => Part::Middle,
            (false, true) => Part::Last,
        };
        let begin = number * MAX_PAYLOAD_BYTES;
        let payload = &record[begin..record.len().min(begin + MAX_PAYLOAD_BYTES)];
        let head = encode_head(seal, part, payload).expect("not too long");
        [&head[..], payload].concat()
    };
    (0..count).map(fragment).collect()
}

/// How many bytes the fragments of a record have.
pub(crate) fn byte_count(record: &[u8]) -> u64 {
    let count = record.len().div_ceil(MAX_PAYLOAD_BYTES).max(1);
    (record.len() + count * HEAD_BYTES) as u64
}
