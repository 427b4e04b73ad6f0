//! A device that fails under redb: the error surfaces before anything later is called durable, it
//! is no corruption, and what was durable is there after a power cut.
//!
//! What every program must notice is counted by the simulated disk: a program that ends well has
//! met nothing but what is harmless.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout)]

use std::sync::{Arc, Mutex};

use ringzero::{SimCounts, SimDisk, SimFaults};
use ringzero_redb_tests::{
    cuts::{CutStorage, Cuts, Discipline, check, lock},
    edits::Sizes,
    program::{Program, open_database},
    state::Progress,
};
use ringzero_tests::random::number_from_env;

const SIZES: Sizes = Sizes { usual_bytes: 200, big_per_mille: 20, big_bytes: 100 << 10 };
const STEPS: u64 = 30;
const CUTS_PER_MILLE: u64 = 8;

/// What happened to the programs of some seeds.
#[derive(Debug, Default)]
struct Tally {
    ended_well: u64,
    failed: u64,
    images: u64,
    faults: u64,
}

/// Faults of which none may go unnoticed.
fn serious(counts: SimCounts) -> u64 {
    let SimCounts { refused, lost, syncs_failed, write_backs_failed, reads_failed, .. } = counts;
    refused + lost + syncs_failed + write_backs_failed + reads_failed
}

fn run(seed: u64, faults: SimFaults, tally: &mut Tally) {
    let progress = Arc::new(Mutex::new(Progress::default()));
    let cuts = Cuts::new(seed ^ 0xFA17, CUTS_PER_MILLE, Discipline::Syncs, &progress);
    let disk = SimDisk::new();
    let mut storages: Vec<CutStorage> = Vec::new();
    let mut open = || {
        let storage = CutStorage::new(&disk, seed << 8 | storages.len() as u64, faults, &cuts)?;
        storages.push(storage.clone());
        open_database(storage)
    };
    let ended =
        Program::new(seed, SIZES, &progress, &mut open).and_then(|mut program| program.run(STEPS));
    let met: u64 = storages.iter().map(|storage| serious(storage.counts())).sum();
    match ended {
        Ok(()) => {
            assert_eq!(met, 0, "seed {seed}: a program ended well on a device that failed");
            tally.ended_well += 1;
        }
        Err(error) => {
            assert!(met > 0, "seed {seed}: nothing happened, but: {error}");
            let is_corrupted = matches!(error, redb::Error::Corrupted(_));
            assert!(!is_corrupted, "seed {seed}: bytes were wrong: {error}");
            tally.failed += 1;
        }
    }
    // The power fails some time after the device.
    if let Some(last) = storages.last() {
        last.take_image();
    }
    for (number, image) in lock(&cuts).images.iter().enumerate() {
        check(image, seed).unwrap_or_else(|error| panic!("seed {seed}, cut {number}: {error}"));
        tally.images += 1;
    }
    tally.faults += met;
}

fn run_seeds(faults: SimFaults) {
    let first = number_from_env("RINGZERO_SEED", 1);
    let mut tally = Tally::default();
    for seed in first..first + number_from_env("RINGZERO_SEEDS", 40) {
        run(seed, faults, &mut tally);
    }
    println!("{tally:?}");
    assert!(tally.failed > 0 && tally.images > 0, "nothing was tested: {tally:?}");
}

#[test]
fn a_device_that_is_full_now_and_then() {
    run_seeds(SimFaults { refused: 6, ..SimFaults::HARMLESS });
}

#[test]
fn a_device_that_loses_writes() {
    run_seeds(SimFaults { lost: 3, ..SimFaults::HARMLESS });
}

#[test]
fn a_device_whose_syncs_fail() {
    run_seeds(SimFaults { sync_failed: 30, write_back_failed: 3, ..SimFaults::HARMLESS });
}

#[test]
fn a_device_that_cannot_be_read() {
    run_seeds(SimFaults { read_failed: 10, ..SimFaults::HARMLESS });
}

#[test]
fn a_device_that_cuts_nearly_everything_short() {
    let faults = SimFaults { short: 700, retried: 100, ..SimFaults::HARMLESS };
    let mut tally = Tally::default();
    for seed in 1..=number_from_env("RINGZERO_SEEDS", 20) {
        run(seed, faults, &mut tally);
    }
    println!("{tally:?}");
    assert_eq!(tally.failed, 0, "{tally:?}");
}
