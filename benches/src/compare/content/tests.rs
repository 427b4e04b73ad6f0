//! Positive controls: every kind of damage is found.
//!
//! # Mutations
//! Tried with `compare`, each ended with the contestant named as wrong: `std` skips record 77;
//! `raw` swaps neighbouring records; the fourth group of `std-group` is overwritten by one record.
//! A [`shuffled`] that gives one number twice turns its test red. So does, in [`make_record`]: no
//! fill, a sector on the seam stamped for the place behind it, or parted elsewhere when copied.

use super::*;

const COUNT: u64 = 40;

/// What is wrong with a file of [`COUNT`] records after `damage`.
fn checked(record_bytes: u32, rest: Rest, damage: impl Fn(&mut Vec<u8>)) -> Result<(), String> {
    let mut record = Record::new(record_bytes);
    let mut bytes: Vec<u8> = (0..COUNT).flat_map(|index| record.of(index).to_vec()).collect();
    damage(&mut bytes);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    check(file.path(), record_bytes, 0..COUNT, rest).map_err(|error| error.to_string())
}

#[test]
fn whole_files_pass() {
    for record_bytes in [16, 64, 128, 256, 512, 4_096, 65_536] {
        checked(record_bytes, Rest::End, |_| {}).unwrap();
        let end = COUNT * u64::from(record_bytes) + 5_000;
        checked(record_bytes, Rest::ZerosTo(end), |b| b.resize(end as usize, 0)).unwrap();
    }
}

#[test]
fn every_damage_is_found() {
    for record_bytes in [64_u32, 128, 256, 4_096] {
        let size = record_bytes as usize;
        let bad = |what: &str, damage: &dyn Fn(&mut Vec<u8>)| {
            let found = checked(record_bytes, Rest::End, damage);
            assert!(found.is_err(), "{what} of {record_bytes}");
        };
        bad("swapped records", &|bytes| {
            let (left, right) = bytes.split_at_mut(4 * size);
            left[3 * size..].swap_with_slice(&mut right[..size]);
        });
        bad("a record twice", &|bytes| bytes.copy_within(size..2 * size, 2 * size));
        bad("a gap", &|bytes| bytes[5 * size..6 * size].fill(0));
        bad("a torn record", &|bytes| bytes.copy_within(size..size + size / 2, 3 * size));
        bad("a torn end", &|bytes| bytes.copy_within(2 * size - 8..2 * size, 4 * size - 8));
        bad("half a record missing", &|bytes| bytes[size + size / 2..2 * size].fill(0));
        bad("one byte in the middle", &|bytes| bytes[7 * size + size / 2] ^= 1);
        bad("a record lost", &|bytes| drop(bytes.drain(size..2 * size)));
        bad("the last byte lost", &|bytes| bytes.truncate(bytes.len() - 1));
        bad("a byte too many", &|bytes| bytes.push(0));
        bad("shifted", &|bytes| {
            bytes.insert(0, FILL);
            bytes.pop();
        });
    }
}

#[test]
fn a_record_made_in_any_two_parts_of_used_memory_is_the_same_record() {
    for record_bytes in [16, 17, 128, 512, 1_024, 4_096] {
        let mut record = Record::new(record_bytes);
        let expected = record.of(7).to_vec();
        assert_eq!(record.made(7), expected);
        for seam in 0..=record_bytes as usize {
            let mut memory = vec![0xEE; record_bytes as usize];
            let (front, back) = memory.split_at_mut(seam);
            make_record([front, back], 7);
            assert!(memory == expected, "{record_bytes} bytes, cut at {seam}");
        }
    }
}

#[test]
fn what_stands_behind_the_records_of_a_segment_is_found() {
    let end = COUNT * 256 + 4_096;
    let garbage = |bytes: &mut Vec<u8>| {
        bytes.resize(end as usize, 0);
        bytes[end as usize - 100] = 1;
    };
    assert!(checked(256, Rest::ZerosTo(end), garbage).is_err());
    assert!(checked(256, Rest::ZerosTo(end), |_| {}).is_err(), "too short");
}

#[test]
fn the_random_order_has_every_number_once_and_is_no_sequence() {
    for bits in 1..=16 {
        let count = 1_u64 << bits;
        let mut order: Vec<u64> = (0..count).map(|index| shuffled(index, count)).collect();
        let neighbours = order.windows(2).filter(|pair| pair[1] == pair[0] + 1).count();
        assert!(bits < 6 || neighbours * 8 < order.len(), "{neighbours} of {count}");
        order.sort_unstable();
        assert!(order.into_iter().eq(0..count), "{count}");
    }
}

#[test]
fn a_block_holds_the_last_of_its_versions() {
    let blocks = 64;
    for operations in [0, 1, 40, 64, 65, 200] {
        let mut model: Vec<u64> = (0..blocks).map(earlier).collect();
        for index in 0..operations {
            model[shuffled(index, blocks) as usize] = index;
        }
        assert_eq!(overwritten(blocks, operations), model, "{operations}");
    }
}
