//! The speed of redb over ringzero beside redb over its own file backend.
//!
//! Rounds are interleaved: in each, every contestant gets a new file and does the same work, in an
//! order that rotates. Printed are the medians of the rounds, and their ratio to redb's own. Values
//! are read back and compared, so that nobody is fast by doing nothing.
//!
//! What is measured: *commits* of a few small records, durable each; a *load* of many records in
//! one durable transaction; *reads* of random records with a cache too small for them, from the
//! page cache of the system; *big* values of 1 MiB, written and read; and *both*: durable commits
//! while two threads read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use std::{
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use redb::{Builder, Database, ReadableDatabase, TableDefinition, backends::FileBackend};
use ringzero::{Choice, Config, open};
use ringzero_redb_tests::storage::{RingzeroStorage, limits};
use ringzero_tests::random::{self, Random};

const TABLE: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("table");
const VALUE_BYTES: usize = 150;
const BIG_BYTES: usize = 1 << 20;
const RECORDS_PER_COMMIT: u64 = 10;
const CACHE_BYTES: usize = 1 << 20;
const WORKLOADS: [&str; 6] =
    ["load, records/s", "commits/s", "reads/s", "big, MiB/s", "both: commits/s", "both: reads/s"];

/// Compares redb over ringzero with redb over a file.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where files are made, and removed afterwards.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Rounds, of which the median is printed.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Records of the load.
    #[arg(long, default_value_t = 20_000)]
    records: u64,
    /// Durable commits.
    #[arg(long, default_value_t = 100)]
    commits: u64,
    /// Random reads.
    #[arg(long, default_value_t = 20_000)]
    reads: u64,
    /// Big values.
    #[arg(long, default_value_t = 16)]
    big: u64,
}

/// On what a database is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Contestant {
    OwnFile,
    Ringzero(Choice),
}

const CONTESTANTS: [(&str, Contestant); 4] = [
    ("redb's own", Contestant::OwnFile),
    ("sync", Contestant::Ringzero(Choice::Sync)),
    ("worker", Contestant::Ringzero(Choice::Worker)),
    ("io_uring", Contestant::Ringzero(Choice::Uring)),
];

impl Contestant {
    fn open(self, path: &Path) -> Result<Database, redb::Error> {
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_BYTES);
        let file = open_file(path)?;
        Ok(match self {
            Self::OwnFile => builder.create_with_backend(FileBackend::new(file)?)?,
            Self::Ringzero(backend) => {
                let config = Config { backend, limits: limits(), ..Config::default() };
                let io = open(&config).expect("this machine has every backend").io;
                builder.create_with_backend(RingzeroStorage::new(io, file)?)?
            }
        })
    }
}

fn open_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)
}

fn value(key: u64, len: usize) -> Vec<u8> {
    random::bytes(key, 0, len)
}

fn insert(database: &Database, keys: impl Iterator<Item = u64>, len: usize) {
    let transaction = database.begin_write().expect("begun");
    let mut table = transaction.open_table(TABLE).expect("opened");
    for key in keys {
        table.insert(key, &*value(key, len)).expect("inserted");
    }
    drop(table);
    transaction.commit().expect("committed");
}

/// Reads keys below `bound` at random, until `is_over`. Returns how many.
fn read(database: &Database, seed: u64, bound: u64, is_over: impl Fn(u64) -> bool) -> u64 {
    let mut random = Random::new(seed);
    let mut count = 0;
    while !is_over(count) {
        let key = random.below(bound);
        let reader = database.begin_read().expect("begun");
        let table = reader.open_table(TABLE).expect("opened");
        let found = table.get(key).expect("read").expect("every key");
        assert_eq!(found.value().get(..8), value(key, 8).get(..8), "the value of {key}");
        count += 1;
    }
    count
}

fn per_second(count: u64, began: Instant) -> f64 {
    count as f64 / began.elapsed().max(Duration::from_micros(1)).as_secs_f64()
}

/// One contestant's figures of one round, as `WORKLOADS` names them.
fn measure(database: &Database, arguments: &Arguments) -> [f64; WORKLOADS.len()] {
    let Arguments { records, commits, reads, big, .. } = *arguments;
    let began = Instant::now();
    insert(database, 0..records, VALUE_BYTES);
    let load = per_second(records, began);

    let began = Instant::now();
    let mut random = Random::new(1);
    for _ in 0..commits {
        let keys = (0..RECORDS_PER_COMMIT).map(|_| random.below(records));
        insert(database, keys, VALUE_BYTES);
    }
    let committed = per_second(commits, began);

    let began = Instant::now();
    let random_reads = per_second(read(database, 2, records, |count| count == reads), began);

    let began = Instant::now();
    for key in 0..big {
        insert(database, std::iter::once(records + key), BIG_BYTES);
    }
    for key in 0..big {
        let reader = database.begin_read().expect("begun");
        let table = reader.open_table(TABLE).expect("opened");
        let found = table.get(records + key).expect("read").expect("every key");
        assert_eq!(found.value().len(), BIG_BYTES);
    }
    let big_values = per_second(2 * big, began);

    let (beside, reads_beside) = measure_both(database, arguments);
    [load, committed, random_reads, big_values, beside, reads_beside]
}

/// Commits per second while two threads read, and their reads per second.
fn measure_both(database: &Database, arguments: &Arguments) -> (f64, f64) {
    let Arguments { records, commits, .. } = *arguments;
    let is_over = AtomicBool::new(false);
    let total = AtomicU64::new(0);
    let began = Instant::now();
    let committed = thread::scope(|scope| {
        for seed in [3, 4] {
            let (is_over, total) = (&is_over, &total);
            scope.spawn(move || {
                let count = read(database, seed, records, |_| is_over.load(Ordering::Relaxed));
                total.fetch_add(count, Ordering::Relaxed);
            });
        }
        let mut random = Random::new(5);
        for _ in 0..commits {
            let keys = (0..RECORDS_PER_COMMIT).map(|_| random.below(records));
            insert(database, keys, VALUE_BYTES);
        }
        is_over.store(true, Ordering::Relaxed);
        per_second(commits, began)
    });
    (committed, per_second(total.load(Ordering::Relaxed), began))
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() {
    let arguments = Arguments::parse();
    let folder = tempfile::TempDir::new_in(&arguments.dir).expect("a folder");
    let path = folder.path().join("database");
    let mut figures = [[(); WORKLOADS.len()]; CONTESTANTS.len()].map(|row| row.map(|()| vec![]));
    for round in 0..arguments.rounds {
        for turn in 0..CONTESTANTS.len() {
            let at = (round + turn) % CONTESTANTS.len();
            let database = CONTESTANTS[at].1.open(&path).expect("opened");
            let measured = measure(&database, &arguments);
            database.close().expect("closed");
            for (list, figure) in figures[at].iter_mut().zip(measured) {
                list.push(figure);
            }
        }
    }
    let medians = figures.map(|row| row.map(median));
    print!("{:<18}", format!("{} rounds", arguments.rounds));
    for (name, _) in CONTESTANTS {
        print!("{name:>18}");
    }
    println!();
    for (workload, name) in WORKLOADS.iter().enumerate() {
        print!("{name:<18}");
        for row in &medians {
            let (figure, own) = (row[workload], medians[0][workload]);
            print!("{:>18}", format!("{figure:.0} ({:.2})", figure / own));
        }
        println!();
    }
}
