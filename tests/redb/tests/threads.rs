//! Readers on threads of their own beside a writer: each sees one commit, whole, and none older
//! than what was committed when it began.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    fs::OpenOptions,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use ringzero::Config;
use ringzero_redb_tests::{
    program::open_database,
    storage::{RingzeroStorage, limits},
};
use ringzero_tests::{
    real::{Mode, Sync, SyncMerged, Uring, Worker},
    skip::skip,
};
use tempfile::TempDir;

const TABLE: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("table");
const KEYS: u64 = 60;
const COMMITS: u64 = 60;
const READERS: usize = 3;

/// The value of every key after commit `number`. Together they are larger than the cache.
fn value(key: u64, number: u64) -> Vec<u8> {
    vec![number as u8; 1 + (key * 397 % 12_000) as usize]
}

fn commit(database: &Database, number: u64) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    for key in 0..KEYS {
        transaction.open_table(TABLE)?.insert(key, &*value(key, number))?;
    }
    Ok(transaction.commit()?)
}

/// The number of the commit that a reader sees.
fn look(database: &Database) -> Result<u64, redb::Error> {
    let reader = database.begin_read()?;
    let table = reader.open_table(TABLE)?;
    let number = u64::from(table.get(0)?.expect("the first key").value()[0]);
    for key in 0..KEYS {
        let found = table.get(key)?.expect("every key");
        assert!(found.value() == value(key, number), "{key} is not of commit {number}");
    }
    assert_eq!(table.iter()?.count() as u64, KEYS);
    Ok(number)
}

fn readers_see_whole_commits<M: Mode>() {
    let config = Config { limits: limits(), ..Config::default() };
    if let Err(error) = M::build(&config) {
        return skip(error);
    }
    let folder = TempDir::new().expect("a folder");
    let open = || {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(folder.path().join("database")).expect("opened");
        let io = M::build(&config).expect("it could be built a moment ago");
        open_database(RingzeroStorage::new(io, file).expect("registered")).expect("opened")
    };
    let database = open();
    commit(&database, 1).expect("committed");
    let committed = AtomicU64::new(1);
    thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                let mut newest = 0;
                while newest < COMMITS {
                    let least = committed.load(Ordering::Acquire);
                    let number = look(&database).expect("read");
                    assert!(number >= least.max(newest), "{number} is older than {least}");
                    newest = number;
                }
            });
        }
        for number in 2..=COMMITS {
            commit(&database, number).expect("committed");
            committed.store(number, Ordering::Release);
        }
    });
    database.close().expect("closed");
    assert_eq!(look(&open()).expect("read"), COMMITS);
}

#[test]
fn over_the_sync_backend() {
    readers_see_whole_commits::<Sync>();
}

#[test]
fn over_the_sync_backend_that_merges() {
    readers_see_whole_commits::<SyncMerged>();
}

#[test]
fn over_worker_threads() {
    readers_see_whole_commits::<Worker>();
}

#[test]
fn over_io_uring() {
    readers_see_whole_commits::<Uring>();
}
