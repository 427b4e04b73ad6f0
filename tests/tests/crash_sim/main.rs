//! A log that keeps to the contract loses nothing that it was told is safe: simulated power cuts.
//!
//! A random program per seed (a log in the format of the example `wal`, and a file that is written
//! all over) meets random faults. After every step the power is cut, several ways, and the program
//! goes on as if not; in the end it is cut for good, the program recovers and lives on. Checked at
//! each cut: every record that a delivered datasync covers is present and whole; what is there is a
//! chain of records from the first on, each accepted, at its place and behind the one that it
//! names; the other file holds no byte that was never written there; every promise of
//! `SimBackend::promises` is kept; every byte appended below the log's durable tail is there. And
//! at each delivery: appends come in order, none succeeds behind one that failed, no datasync hides
//! a failure that it covers.
//!
//! A second program ([`altered`]) does so with one file that is truncated, punched, allocated,
//! closed and opened again, appended to by claims and from several slices, and read: there a cut
//! leaves, byte by byte, what the last datasync covers or what was accepted since may have made of
//! it, and exactly the size that is durable. It runs a fifth as many seeds.
//!
//! `RINGZERO_SEEDS`: how many seeds, 10,000 by default. `RINGZERO_SEED`: the first of them. For a
//! long run:
//!
//! ```text
//! RINGZERO_SEED=10000 RINGZERO_SEEDS=1000000 \
//!     cargo test --release -p ringzero-tests --test crash_sim -- --nocapture
//! ```
//!
//! # Mutations
//! What was removed from `core/src/engine`, and the first seed (from 0 on) that found it:
//!
//! | removed | file | seed | what was found |
//! |---|---|---|---|
//! | barrier of datasyncs: nothing is waited for | `sync.rs` | 1 | a broken promise |
//! | barrier: appends are not waited for | `sync.rs` | 3 | a lost record |
//! | sticky failure: a failed file is synced again | `sync.rs` | 69 | a lost record |
//! | sticky failure: nothing fails a file | `failure.rs` | 0 | a lost record |
//! | the error of a data-sync | `sync.rs` | 0 | a lost record |
//! | the rewind of the tail | `append.rs` | 3 | a lost record |
//! | the continuation of a short append | `stream.rs` | 3 | a lost record |
//! | the continuation of a short write | `write.rs` | 0 | a broken promise |
//! | the retry of an append after EINTR | `stream.rs` | 3 | a lost record |
//! | one data-sync at a time | `sync.rs` | 123 | a lost record |
//! | the order of overlapping writes | `order.rs` | 19 | a broken promise |
//! | cancelling behind a failed append | `stream.rs` | 41 | a lost record |
//! | fusing only where nothing is unsynced | `fuse.rs` | 1 | a lost record |
//! | the continuation of a short durable write | `fuse.rs` | 4 | a lost record |
//! | failures noted for the datasync | `failure.rs` | 1 | a hidden failure |
//!
//! With files opened with O_DIRECT: zeros instead of the bytes before the tail (`tail_block.rs`,
//! seed 0), two requests that write one block (`stream.rs`, seed 4); both lost a record.
//!
//! The disk by itself, in `backends/src/sim/disk/tests.rs`, shows that two overlapping data-syncs
//! of one open file get one error and one false success between them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

mod altered;
#[path = "../../../backends/examples/wal/format/mod.rs"]
#[allow(dead_code, reason = "the log uses a part of it")]
mod format;
mod life;
mod log;
mod record;
mod segments;

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use altered::Program;
use life::{Life, Tally, add, faults};
use log::Discipline;
use ringzero_tests::random::{Random, number_from_env};

/// Runs one seed.
fn run(seed: u64, discipline: Discipline, alignment: u32) -> (Tally, Result<(), String>) {
    let mut life = Life::new(seed, discipline, alignment);
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
        durable_bytes: a.durable_bytes + b.durable_bytes,
        found: a.found + b.found,
        losses: a.losses + b.losses,
        resumed: a.resumed + b.resumed,
        reopened: a.reopened + b.reopened,
        failed_lives: a.failed_lives + b.failed_lives,
        faults,
    }
}

/// Takes seeds in order until there are no more.
fn worker(next: &AtomicU64, end: u64, alignment: impl Fn(u64) -> u32) -> Tally {
    let mut tally = Tally::default();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return tally;
        }
        let (of_seed, result) = run(seed, Discipline::Sound, alignment(seed));
        if let Err(what) = result {
            panic!("RINGZERO_SEED={seed}: {what}");
        }
        tally = sum(tally, &of_seed);
    }
}

#[test]
fn what_a_delivered_datasync_covers_survives_a_power_cut_after_every_step() {
    survey(|_| 1);
}

/// The same with files opened with O_DIRECT: blocks of a sector, of 8 to a sector, of a few bytes.
#[test]
fn what_a_delivered_datasync_covers_survives_with_blocks_written_again_too() {
    survey(|seed| [512, 64, 8][(seed % 3) as usize]);
}

/// Runs the seeds, with the alignment of each, and checks that everything was met.
fn survey(alignment: impl Fn(u64) -> u32 + Copy + Send + Sync) {
    let first = number_from_env("RINGZERO_SEED", 0);
    let count = number_from_env("RINGZERO_SEEDS", 10_000);
    let next = AtomicU64::new(first);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let tally = thread::scope(|scope| {
        let spawn = |_| scope.spawn(|| worker(&next, first + count, alignment));
        let workers: Vec<_> = (0..workers).map(spawn).collect();
        workers.into_iter().fold(Tally::default(), |tally, worker| match worker.join() {
            Ok(of_worker) => sum(tally, &of_worker),
            Err(panic) => std::panic::resume_unwind(panic),
        })
    });
    println!("{count} seeds from {first}: {tally:#?}");
    assert_eq!(tally.faults.misaligned, 0, "every request is aligned");
    let Tally { losses, resumed, reopened, failed_lives, found, faults, .. } = tally;
    let Tally { promised_bytes, durable_bytes, .. } = tally;
    let met = [losses, resumed, reopened, failed_lives, found, promised_bytes, durable_bytes];
    let least = count / 100;
    assert!(met.iter().all(|met| *met >= least), "control: everything was met: {met:?}");
    let faults = [
        faults.durable_writes,
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

/// A thousand random programs, each run twice, do and leave exactly the same.
#[test]
fn a_simulation_is_a_pure_function_of_seed_and_calls() {
    let fingerprint = |seed| {
        let mut life = Life::new(seed, Discipline::Sound, 1);
        life.run().expect("checked above");
        life.fingerprint()
    };
    let once = thread::spawn(move || (0..1_000).map(fingerprint).collect::<Vec<u64>>());
    let twice: Vec<u64> = (0..1_000).map(fingerprint).collect();
    assert_eq!(once.join().unwrap(), twice);
    let different: BTreeSet<u64> = twice.into_iter().collect();
    assert_eq!(different.len(), 1_000, "control: another seed, another trace");
}

/// The control: the same checks find a log that takes for safe what was merely written.
#[test]
fn a_log_that_does_not_sync_is_caught() {
    let caught = (0..100).find(|&seed| run(seed, Discipline::Reckless, 1).1.is_err());
    println!("caught by seed {caught:?}");
    assert!(caught.is_some_and(|seed| seed < 20), "{caught:?}");
}

/// Runs one seed of a file whose size and holes change.
fn alter(seed: u64, discipline: Discipline) -> (altered::Tally, Result<(), String>) {
    let alignment = [1, 512, 64][(seed % 3) as usize];
    let faults = faults(&mut Random::new(seed));
    let mut program = Program::new(seed, faults, discipline, alignment);
    let result = program.run();
    (program.tally, result)
}

#[test]
fn what_a_cut_leaves_of_a_file_is_what_a_datasync_covers_or_what_came_after_it() {
    let first = number_from_env("RINGZERO_SEED", 0);
    let count = number_from_env("RINGZERO_SEEDS", 10_000) / 5;
    let mut sum = altered::Tally::default().all();
    for seed in first..first + count {
        let (tally, result) = alter(seed, Discipline::Sound);
        result.unwrap_or_else(|what| panic!("RINGZERO_SEED={seed}: {what}"));
        sum.iter_mut().zip(tally.all()).for_each(|((_, sum), (_, count))| *sum += count);
    }
    println!("{count} seeds from {first}: {sum:?}");
    let least = count / 40;
    assert!(sum.iter().all(|(_, met)| *met >= least), "control: everything was met: {sum:?}");
}

/// The control: an alteration is not durable when it is delivered.
#[test]
fn an_alteration_that_is_taken_for_durable_too_early_is_caught() {
    let caught = (0..100).find(|&seed| alter(seed, Discipline::Reckless).1.is_err());
    println!("caught by seed {caught:?}");
    assert!(caught.is_some_and(|seed| seed < 20), "{caught:?}");
}
