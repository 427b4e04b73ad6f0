//! redb over ringzero answers what redb over a plain file answers, and leaves the same file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout)]

use std::{
    fs::{File, OpenOptions},
    path::Path,
    sync::{Arc, Mutex},
};

use redb::{Database, backends::FileBackend};
use ringzero::Config;
use ringzero_redb_tests::{
    edits::Sizes,
    program::{Program, Tally, open_database},
    state::Progress,
    storage::{RingzeroStorage, limits},
};
use ringzero_tests::{
    random::number_from_env,
    real::{Mode, Sync, SyncMerged, Uring, UringBound, Worker},
    skip::skip,
};
use tempfile::TempDir;

const SIZES: Sizes = Sizes { usual_bytes: 300, big_per_mille: 15, big_bytes: 5 << 20 };
const STEPS: u64 = 150;

fn open_file(path: &Path) -> File {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path).expect("opened")
}

/// One program; what it did, and the file it left.
fn run(seed: u64, path: &Path, open: &mut dyn FnMut() -> Result<Database, redb::Error>) -> Tally {
    let progress = Arc::new(Mutex::new(Progress::default()));
    let mut program = Program::new(seed, SIZES, &progress, open).expect("opened");
    program.run(STEPS).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    assert!(path.exists());
    program.tally
}

fn seeds() -> impl Iterator<Item = u64> {
    let first = number_from_env("RINGZERO_SEED", 1);
    first..first + number_from_env("RINGZERO_SEEDS", 2)
}

fn is_the_same_as_over_a_file<M: Mode>() {
    let config = Config { limits: limits(), ..Config::default() };
    if let Err(error) = M::build(&config) {
        return skip(error);
    }
    for seed in seeds() {
        let folder = TempDir::new().expect("a folder");
        let (plain, ours) = (folder.path().join("plain"), folder.path().join("ours"));
        let plain_tally = run(seed, &plain, &mut || {
            let backend = FileBackend::new(open_file(&plain))?;
            open_database(backend)
        });
        let began = std::time::Instant::now();
        let our_tally = run(seed, &ours, &mut || {
            let io = M::build(&config).expect("it could be built a moment ago");
            open_database(RingzeroStorage::new(io, open_file(&ours))?)
        });
        println!("{} seed {seed}: {our_tally:?} {:?}", M::NAME, began.elapsed());
        assert_eq!(format!("{our_tally:?}"), format!("{plain_tally:?}"));
        let (plain, ours) = (std::fs::read(plain).unwrap(), std::fs::read(ours).unwrap());
        assert!(ours == plain, "seed {seed}: the files differ");
    }
}

#[test]
fn over_the_sync_backend() {
    is_the_same_as_over_a_file::<Sync>();
}

#[test]
fn over_the_sync_backend_that_merges() {
    is_the_same_as_over_a_file::<SyncMerged>();
}

#[test]
fn over_worker_threads() {
    is_the_same_as_over_a_file::<Worker>();
}

#[test]
fn over_io_uring() {
    is_the_same_as_over_a_file::<Uring>();
}

#[test]
fn over_io_uring_bound_to_its_thread() {
    is_the_same_as_over_a_file::<UringBound>();
}
