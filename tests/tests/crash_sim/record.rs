//! The records of the reference log: the format of the example `wal`, and a payload that says which
//! record comes before it, so that a recovery notices what was overwritten and abandoned.
//!
//! Payload: number u32 LE, number of the record before it (0 for the first) u32 LE, filler.

use std::collections::BTreeMap;

use ringzero_tests::random::pattern;

use crate::format::{MAX_PAYLOAD_BYTES, Part, Scanner, Seal, Step, encode_head};

/// Bytes of a payload before its filler.
pub(crate) const LINK_BYTES: usize = 8;

/// The payload of a record.
pub(crate) fn payload(number: u32, previous: u32, filler_bytes: usize) -> Vec<u8> {
    let mut payload = number.to_le_bytes().to_vec();
    payload.extend(previous.to_le_bytes());
    payload.extend((0..filler_bytes as u64).map(|at| pattern(u64::from(number), at)));
    payload
}

/// The fragments of a record, with at most `most` bytes of payload each.
pub(crate) fn fragments(payload: &[u8], most: usize) -> Vec<Vec<u8>> {
    let most = most.min(MAX_PAYLOAD_BYTES);
    let count = payload.len().div_ceil(most);
    let fragment = |(at, chunk): (usize, &[u8])| {
        let part = match (at == 0, at + 1 == count) {
            (true, true) => Part::Whole,
            (true, false) => Part::First,
            (false, false) => Part::Middle,
            (false, true) => Part::Last,
        };
        let mut bytes = encode_head(Seal::NONE, part, chunk).expect("short enough").to_vec();
        bytes.extend(chunk);
        bytes
    };
    payload.chunks(most).enumerate().map(fragment).collect()
}

/// A record that a recovery found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) number: u32,
    pub(crate) offset: u64,
    pub(crate) payload: Vec<u8>,
}

/// What a recovery finds in a log.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    pub(crate) records: Vec<Found>,
    /// Where the last of them ends.
    pub(crate) byte_count: usize,
}

/// The recovery of the reference log: whole records from the beginning, each of which names the one
/// before it; nothing behind the first flaw.
pub(crate) fn recover(log: &[u8]) -> Recovered {
    let mut scanner = Scanner::new();
    let mut recovered = Recovered::default();
    let mut payload = Vec::new();
    let mut last = 0;
    while let Step::Fragment { part, payload: chunk, .. } =
        scanner.step(&log[scanner.offset() as usize..])
    {
        payload.extend_from_slice(chunk);
        if !part.ends_record() {
            continue;
        }
        let whole = std::mem::take(&mut payload);
        let Some((link, _)) = whole.split_first_chunk::<LINK_BYTES>() else { break };
        let [a, b, c, d, e, f, g, h] = *link;
        let number = u32::from_le_bytes([a, b, c, d]);
        if u32::from_le_bytes([e, f, g, h]) != last {
            break;
        }
        last = number;
        let offset = recovered.byte_count as u64;
        recovered.byte_count = scanner.offset() as usize;
        recovered.records.push(Found { number, offset, payload: whole });
    }
    recovered
}

/// Every record that was ever accepted, in whole or in part, and where.
#[derive(Debug, Default)]
pub(crate) struct History {
    records: BTreeMap<u32, (Vec<u8>, Vec<u64>)>,
}

impl History {
    /// A fragment of a record was accepted; the record begins at `offset`.
    pub(crate) fn accepted(&mut self, number: u32, payload: &[u8], offset: u64) {
        let (known, offsets) = self.records.entry(number).or_default();
        payload.clone_into(known);
        if !offsets.contains(&offset) {
            offsets.push(offset);
        }
    }

    /// Whether a record was accepted, with these bytes and at this place.
    pub(crate) fn check(&self, found: &Found) -> Result<(), String> {
        let Some((payload, offsets)) = self.records.get(&found.number) else {
            return Err(format!("foreign: record {} was never accepted", found.number));
        };
        if *payload != found.payload {
            return Err(format!("foreign: record {} has other bytes", found.number));
        }
        if !offsets.contains(&found.offset) {
            let Found { number, offset, .. } = found;
            return Err(format!("foreign: record {number} at {offset}, accepted at {offsets:?}"));
        }
        Ok(())
    }
}
