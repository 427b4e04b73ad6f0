//! Threads that wait for one backend: none loses its wake-up, whoever polls, and each gets its own
//! result.
//!
//! On the simulated disk a sync hangs until it is let go on, so that its thread is asleep for sure;
//! a lost wake-up is a thread that does not end. On the others there are many threads, and pages
//! that say whose they are.
//!
//! # Mutations
//! Of `shared`, each tried:
//!
//! | changed | red |
//! |---|---|
//! | who polls does not prepare again for the sleeper | `a_sleeper_stays_armed_..`, `uring` |
//! | who takes in a sleeper's result does not wake it | `a_sleeper_is_woken_..`, `worker` |
//! | who then waits for others does not wake it again | `a_sleeper_is_woken_..` |
//! | who then takes something else in does not | `a_sleeper_whose_completion_..`, `worker` |
//! | a sleeper that waits for room is not woken | `worker::whoever_waits_for_room_..` |
//! | those who wait for others are not told of what is taken in | `worker`, `uring` |
//! | nor of a read that is released | `worker::whoever_waits_for_room_..` |
//! | a result goes to whoever asks next | all but `sync` and `a_sleeper_stays_armed_..` |
//! | the lock is held through the sleep | the first three never end |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    fs::OpenOptions,
    sync::{Arc, Barrier, mpsc},
    thread,
    time::Duration,
};

use redb::StorageBackend;
use ringzero::{Config, EventSource, Limits, SimBackend, SimDisk, SimFaults};
use ringzero_core::StorageIo;
use ringzero_redb_tests::storage::{RingzeroStorage, limits};
use ringzero_tests::{
    random::Random,
    real::{Mode, Sync, SyncMerged, Uring, Worker},
    skip::skip,
};
use tempfile::TempDir;

const PAGE_BYTES: usize = 4096;
/// Long enough for any machine.
const PATIENCE: Duration = Duration::from_secs(60);
const HUNG: SimFaults = SimFaults { hung: 1000, ..SimFaults::NONE };

/// A thread that must come to an end.
struct Worklet(mpsc::Receiver<()>);

impl Worklet {
    fn start(work: impl FnOnce() + Send + 'static) -> Self {
        let (done, is_done) = mpsc::channel();
        thread::spawn(move || {
            work();
            done.send(()).unwrap();
        });
        Self(is_done)
    }

    fn finish(self) {
        let ended = self.0.recv_timeout(PATIENCE);
        ended.expect("a thread that ends, and not one that sleeps for ever or has failed");
    }
}

/// Until another thread, the only one, waits for a sync: from its acceptance on it has the lock
/// until it sleeps.
fn await_sync(storage: &RingzeroStorage<SimBackend>) {
    while storage.with(|io| io.pending_count()) == 0 {
        thread::yield_now();
    }
}

/// A storage over the simulated disk, and a thread asleep in a sync of it.
fn asleep(seed: u64) -> (RingzeroStorage<SimBackend>, Worklet) {
    let disk = SimDisk::new();
    let config = Config { limits: limits(), ..Config::default() };
    let io = SimBackend::on(&config, &disk, seed).expect("limits in range");
    let storage = RingzeroStorage::new(io, disk.create("file", b"")).expect("registered");
    storage.write(0, &[7; PAGE_BYTES]).expect("written");
    storage.sync_data().expect("synced");
    storage.with(|io| io.inject(HUNG));
    let sleeper = Worklet::start({
        let storage = storage.clone();
        move || storage.sync_data().expect("synced")
    });
    await_sync(&storage);
    storage.with(|io| io.inject(SimFaults::NONE));
    (storage, sleeper)
}

fn read_page(storage: &impl StorageBackend, number: usize) -> Vec<u8> {
    let mut page = vec![0; PAGE_BYTES];
    storage.read((number * PAGE_BYTES) as u64, &mut page).expect("read");
    page
}

#[test]
fn a_sleeper_stays_armed_while_others_come_and_go() {
    for seed in 0..50 {
        let (storage, sleeper) = asleep(seed);
        for _ in 0..3 {
            assert_eq!(read_page(&storage, 0), [7; PAGE_BYTES], "a sync hangs, and no read");
        }
        storage.with(SimBackend::release);
        sleeper.finish();
    }
}

#[test]
fn a_sleeper_whose_completion_another_thread_polls_is_woken() {
    for seed in 0..50 {
        let (storage, sleeper) = asleep(seed);
        // The handle is readable, and is not any more before the sleeper has seen it.
        storage.with(|io| {
            io.release();
            assert!(!io.prepare_wait().expect("prepared"), "the sync has ended");
        });
        // The first one takes the sync in; the others prepare before the sleeper is back.
        for _ in 0..10 {
            read_page(&storage, 0);
        }
        sleeper.finish();
    }
}

#[test]
fn a_sleeper_is_woken_by_another_thread_that_goes_to_wait_itself() {
    for seed in 0..50 {
        let (storage, sleeper) = asleep(seed);
        storage.with(|io| {
            io.release();
            assert!(!io.prepare_wait().expect("prepared"), "the sync has ended");
            io.inject(HUNG);
        });
        // It takes the first sync in, and prepares for its own before the sleeper is back.
        let other = Worklet::start({
            let storage = storage.clone();
            move || storage.sync_data().expect("synced")
        });
        sleeper.finish();
        await_sync(&storage);
        storage.with(SimBackend::release);
        other.finish();
    }
}

/// A storage of a backend over a new file.
fn storage_of<M: Mode>(limits: Limits, folder: &TempDir) -> RingzeroStorage<M::Backend> {
    let config = Config { limits, ..Config::default() };
    let io = M::build(&config).expect("it could be built a moment ago");
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    let file = options.open(folder.path().join("file")).expect("opened");
    RingzeroStorage::new(io, file).expect("registered")
}

/// One thread's pages are written, read and made durable, each page full of one byte that only
/// this thread and turn has.
fn work(storage: &impl StorageBackend, thread: usize, random: &mut Random, turns: u64) {
    for _ in 0..turns {
        let byte = (random.below(16) << 4) as u8 | thread as u8;
        let number = thread * 4 + random.below(4) as usize;
        storage.write((number * PAGE_BYTES) as u64, &[byte; PAGE_BYTES]).expect("written");
        match random.below(3) {
            0 => storage.sync_data().expect("synced"),
            _ => assert!(read_page(storage, number) == [byte; PAGE_BYTES], "another's page"),
        }
    }
}

/// Rounds of threads that begin together; at the end of each somebody is the last to be woken.
fn each_gets_its_own<M: Mode>(limits: Limits, threads: usize, rounds: u64) {
    if let Err(error) = M::build(&Config { limits, ..Config::default() }) {
        return skip(error);
    }
    let folder = TempDir::new().expect("a folder");
    let storage = storage_of::<M>(limits, &folder);
    for round in 0..rounds {
        let together = Arc::new(Barrier::new(threads));
        let worklets: Vec<_> = (0..threads)
            .map(|thread| {
                let (storage, together) = (storage.clone(), Arc::clone(&together));
                Worklet::start(move || {
                    let mut random = Random::new(round << 8 | thread as u64);
                    together.wait();
                    work(&storage, thread, &mut random, 1 + round % 4);
                })
            })
            .collect();
        worklets.into_iter().for_each(Worklet::finish);
    }
    storage.close().expect("closed");
}

/// Fewer operations and blocks than threads want.
fn scarce() -> Limits {
    let mut scarce = Limits { files: 1, blocks_common: 0, ..Limits::default() };
    (scarce.operations_per_file, scarce.operations_common) = (3, 0);
    (scarce.blocks_per_file, scarce.block_bytes) = (2, PAGE_BYTES as u32);
    scarce
}

macro_rules! each_mode {
    ($($name:ident: $mode:ty;)*) => { $(mod $name {
        use super::*;

        #[test]
        fn completions_go_to_whoever_waits_for_them() {
            each_gets_its_own::<$mode>(limits(), 6, 100);
        }

        #[test]
        fn whoever_waits_for_room_gets_it() {
            each_gets_its_own::<$mode>(scarce(), 6, 60);
        }
    })* };
}

each_mode! {
    sync: Sync;
    sync_merged: SyncMerged;
    worker: Worker;
    uring: Uring;
}
