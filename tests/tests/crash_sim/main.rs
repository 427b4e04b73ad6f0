//! A log that keeps to the contract loses nothing that it was told is safe: by simulated power cuts.
//!
//! A random program per seed (a log in the format of the example `wal`, and a file that is written
//! all over) meets random faults; after every step the power is cut, several ways, and the program
//! goes on as if not; in the end it is cut for good, and the program recovers and lives on. Checked
//! at each cut: every record that a delivered datasync covers is present and whole; what is there
//! is a chain of records from the first on, each accepted, at its place and behind the one that it
//! names; no byte of the other file was never written there; and every promise of
//! `SimBackend::promises` holds.
//!
//! `RINGZERO_SEEDS`: how many seeds, 10,000 by default. `RINGZERO_SEED`: the first of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

#[path = "../../../backends/examples/wal/format/mod.rs"]
#[allow(dead_code, reason = "the log uses a part of it")]
mod format;
mod life;
mod log;
mod record;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use life::{Life, Tally, add};
use log::Discipline;
use ringzero_tests::random::number_from_env;

/// Runs one seed.
fn run(seed: u64, discipline: Discipline) -> (Tally, Result<(), String>) {
    let mut life = Life::new(seed, discipline);
    let result = life.run();
    (life.tally, result)
}

fn sum(a: Tally, b: &Tally) -> Tally {
    let mut faults = a.faults;
    add(&mut faults, &b.faults);
    Tally {
        steps: a.steps + b.steps,
        crashes: a.crashes + b.crashes,
        promised_bytes: a.promised_bytes + b.promised_bytes,
        found: a.found + b.found,
        losses: a.losses + b.losses,
        resumed: a.resumed + b.resumed,
        reopened: a.reopened + b.reopened,
        failed_lives: a.failed_lives + b.failed_lives,
        faults,
    }
}

/// Takes seeds in order until there are no more.
fn worker(next: &AtomicU64, end: u64) -> Tally {
    let mut tally = Tally::default();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return tally;
        }
        let (of_seed, result) = run(seed, Discipline::Sound);
        if let Err(what) = result {
            panic!("RINGZERO_SEED={seed}: {what}");
        }
        tally = sum(tally, &of_seed);
    }
}

#[test]
fn what_a_delivered_datasync_covers_survives_a_power_cut_after_every_step() {
    let first = number_from_env("RINGZERO_SEED", 0);
    let count = number_from_env("RINGZERO_SEEDS", 10_000);
    let next = AtomicU64::new(first);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let tally = thread::scope(|scope| {
        let spawn = |_| scope.spawn(|| worker(&next, first + count));
        let workers: Vec<_> = (0..workers).map(spawn).collect();
        workers.into_iter().fold(Tally::default(), |tally, worker| match worker.join() {
            Ok(of_worker) => sum(tally, &of_worker),
            Err(panic) => std::panic::resume_unwind(panic),
        })
    });
    println!("{count} seeds from {first}: {tally:#?}");
    let Tally { losses, resumed, reopened, failed_lives, found, promised_bytes, faults, .. } =
        tally;
    let met = [losses, resumed, reopened, failed_lives, found, promised_bytes];
    let least = count / 100;
    assert!(met.iter().all(|met| *met >= least), "control: everything was met: {met:?}");
    let faults = [
        faults.short,
        faults.retried,
        faults.at_once,
        faults.written_back,
        faults.foreign_syncs,
        faults.refused,
        faults.lost,
        faults.syncs_failed,
        faults.write_backs_failed,
        faults.hung,
    ];
    assert!(faults.iter().all(|met| *met >= least), "control: every fault was met: {faults:?}");
}

/// The control: the same checks find a log that takes for safe what was merely written.
#[test]
fn a_log_that_does_not_sync_is_caught() {
    let caught = (0..100).find(|&seed| run(seed, Discipline::Reckless).1.is_err());
    println!("caught by seed {caught:?}");
    assert!(caught.is_some_and(|seed| seed < 20), "{caught:?}");
}
