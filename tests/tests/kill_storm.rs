//! A kill storm: processes that write are killed, and what they had acknowledged is there.
//!
//! In each round a process writes through one backend: appends to one file, overlapping positional
//! writes to another, a datasync now and then. It reports over a pipe which operations are
//! complete. At a random moment, after a number of reports or a while after the first, it is killed
//! with SIGKILL. Then every reported write is in its file, byte by byte, and of the appends, what
//! was reported is a prefix of what was submitted (`ringzero_tests::storm` says what may lie behind
//! it). Every other round is on a tmpfs.
//!
//! This shows that an acknowledged write survives the death of the process (guarantee 15). It says
//! nothing about durability: the page cache survives the process, so a missing barrier, or a
//! datasync that does nothing, is not seen here. `power_cuts`, the log of the FUSE tests and the
//! scripted executor see those.
//!
//! The control is a writer that reports an operation before it submits it: caught within a few
//! rounds.
//!
//! `RINGZERO_ROUNDS`: rounds per backend. `RINGZERO_SEED`: the seed.
//!
//! # Mutations
//! | removed | red at |
//! |---|---|
//! | the write in `execute` (inline; it says that it was whole) | round 0, sync |
//! | waiting for the answer (`write_pieces` says at once that all was written) | round 0, uring |
//! | the tail is one byte too high | round 0, uring (a check of the engine ends the writer) |
//!
//! Not seen: overlapping writes that do not wait for each other. The kernel carries buffered writes
//! out in the order of submission nearly always; `conformance_order` sees it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use std::{path::Path, thread, time::Duration};

use ringzero_tests::{
    conformance,
    fixture::{Fixture, Place},
    random::{Random, number_from_env},
    skip::skip,
    storm::{Acknowledge, Found, Remains, Victim},
};
use tempfile::TempDir;

const ROUNDS: u64 = 200;

/// Lets a writer work and kills it. Returns what it reported was complete, and the check of that.
fn round<F: Fixture>(seed: u64, acknowledge: Acknowledge) -> (usize, Result<Found, String>) {
    let mut random = Random::new(seed);
    let folder = if random.chance(500) { TempDir::new_in("/dev/shm") } else { TempDir::new() };
    let folder = folder.unwrap();
    let remains = Remains::prepare(folder.path(), seed).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_storm-writer"));
    let mut victim = Victim::start(program, F::NAME, folder.path(), seed, acknowledge).unwrap();
    if random.chance(500) {
        victim.wait_for(random.below(800) as usize);
    } else {
        victim.wait_for(1);
        thread::sleep(Duration::from_micros(random.below(5_000)));
    }
    let reported = victim.kill().unwrap();
    (reported.len(), remains.check(&reported))
}

fn acknowledged_writes_survive<F: Fixture>() {
    if let Err(reason) = F::at(Place::Memory) {
        return skip(format!("{}: {reason}", F::NAME));
    }
    let seed = number_from_env("RINGZERO_SEED", 0x5EED);
    let rounds = number_from_env("RINGZERO_ROUNDS", ROUNDS);
    let (mut reported, mut sum) = (0, Found::default());
    for number in 0..rounds {
        let (count, found) = round::<F>(seed + number, Acknowledge::Completed);
        let found = found.unwrap_or_else(|error| panic!("seed {seed:#x}, round {number}: {error}"));
        // Requests fly two at a time, or none.
        assert!(found.holes <= u64::from(F::HAS_EXECUTOR), "round {number}: {found:?}");
        reported += count;
        sum.reported_bytes += found.reported_bytes;
        sum.more_bytes += found.more_bytes;
        sum.holes += found.holes;
    }
    assert!(reported > 0, "no writer came to report anything");
    let is_caught = |number: &u64| round::<F>(seed + number, Acknowledge::Beforehand).1.is_err();
    let caught = (0..ROUNDS).find(is_caught);
    println!(
        "| {} | {rounds} kills | {reported} operations acknowledged, 0 lost | {} KiB of appends, \
         {} KiB behind them, {} holes there | control caught in round {caught:?} |",
        F::NAME,
        sum.reported_bytes >> 10,
        sum.more_bytes >> 10,
        sum.holes,
    );
    assert!(caught.is_some(), "a writer that reports too early was not caught");
}

conformance!(@real acknowledged_writes_survive);
