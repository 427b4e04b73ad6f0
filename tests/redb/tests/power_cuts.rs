//! A power cut at any moment: every transaction that was durable is there, whole, and none that was
//! not committed. The cuts are those of the simulated disk, which keeps, drops and tears what is
//! not synced.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout)]

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
};

use ringzero::{SimDisk, SimFaults};
use ringzero_redb_tests::{
    cuts::{CutStorage, Cuts, Discipline, Image, check, lock},
    edits::Sizes,
    program::{Program, Tally, open_database},
    state::Progress,
};
use ringzero_tests::random::number_from_env;

const SIZES: Sizes = Sizes { usual_bytes: 200, big_per_mille: 20, big_bytes: 100 << 10 };
const STEPS: u64 = 30;
const CUTS_PER_MILLE: u64 = 15;

/// One seed's program and the images taken meanwhile.
fn images(seed: u64, discipline: Discipline) -> (Tally, Vec<Image>) {
    let progress = Arc::new(Mutex::new(Progress::default()));
    let cuts = Cuts::new(seed ^ 0xC075, CUTS_PER_MILLE, discipline, &progress);
    let disk = SimDisk::new();
    let mut opened = seed << 8;
    let mut open = || {
        opened += 1;
        open_database(CutStorage::new(&disk, opened, SimFaults::HARMLESS, &cuts)?)
    };
    let mut program = Program::new(seed, SIZES, &progress, &mut open).expect("opened");
    program.run(STEPS).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let tally = program.tally;
    drop(program);
    let images = std::mem::take(&mut lock(&cuts).images);
    (tally, images)
}

fn seeds(default: u64) -> impl Iterator<Item = u64> {
    let first = number_from_env("RINGZERO_SEED", 1);
    first..first + number_from_env("RINGZERO_SEEDS", default)
}

#[test]
fn a_power_cut_leaves_every_durable_transaction_and_no_other() {
    let (mut cut_count, mut commits) = (0, 0);
    let mut states = 0;
    for seed in seeds(300) {
        let (tally, images) = images(seed, Discipline::Syncs);
        for (number, image) in images.iter().enumerate() {
            if let Err(error) = check(image, seed) {
                panic!("seed {seed}, cut {number}: {error}");
            }
            states += u64::from(image.progress.committing.is_some());
        }
        cut_count += images.len();
        commits += tally.commits;
    }
    println!("{commits} commits, {cut_count} power cuts, {states} of them inside a commit");
    assert!(cut_count > 0 && states > 0);
}

#[test]
fn a_sync_that_does_nothing_is_noticed() {
    let mut noticed = 0;
    for seed in 1..=4 {
        let (_, images) = images(seed, Discipline::OnlySaysSo);
        for image in &images {
            // What redb makes of damage may be a panic.
            let checked = catch_unwind(AssertUnwindSafe(|| check(image, seed)));
            noticed += u64::from(!matches!(checked, Ok(Ok(()))));
        }
    }
    println!("{noticed} noticed");
    assert!(noticed > 0, "power cuts without syncs go unnoticed");
}
