//! The storage by itself, without redb: lengths, what is longer than a request, and errors that
//! come when nobody waits for them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::ErrorKind;

use redb::StorageBackend;
use ringzero::{Config, SimBackend, SimDisk, SimFaults, StorageIoExt};
use ringzero_redb_tests::storage::{RingzeroStorage, limits};
use ringzero_tests::random;

fn storage() -> RingzeroStorage<SimBackend> {
    let disk = SimDisk::new();
    let config = Config { limits: limits(), ..Config::default() };
    let io = SimBackend::on(&config, &disk, 7).expect("limits in range");
    RingzeroStorage::new(io, disk.create("file", b"")).expect("registered")
}

#[test]
fn what_is_longer_than_a_request_is_whole() {
    let storage = storage();
    let len = storage.with(|io| io.max_write()) + 12_345;
    let written = random::bytes(1, 0, len);
    storage.write(77, &written).expect("written");
    assert_eq!(storage.len().unwrap(), 77 + len as u64);
    let mut read = vec![0; len];
    storage.read(77, &mut read).expect("read");
    assert!(read == written);
}

#[test]
fn lengths_are_what_was_set() {
    let storage = storage();
    storage.write(0, &[1; 1000]).expect("written");
    for len in [300, 5000, 0] {
        storage.set_len(len).expect("set");
        assert_eq!(storage.len().unwrap(), len);
    }
    storage.set_len(2000).expect("set");
    let mut read = [1; 2000];
    storage.read(0, &mut read).expect("read");
    assert_eq!(read, [0; 2000], "what is added is zeros");
    let behind = storage.read(1, &mut read).map_err(|error| error.kind());
    assert_eq!(behind, Err(ErrorKind::UnexpectedEof));
}

#[test]
fn a_write_that_failed_is_told_by_every_call_after_it() {
    let storage = storage();
    storage.write(0, &[1; 4096]).expect("written");
    storage.sync_data().expect("synced");
    storage.with(|io| io.inject(SimFaults { refused: 1000, ..SimFaults::NONE }));
    storage.write(0, &[2; 4096]).expect("nobody waits for it");
    // It waits for the write, whose old bytes would be a lie.
    let mut read = [0; 4096];
    assert!(storage.read(0, &mut read).is_err());
    storage.with(|io| io.inject(SimFaults::NONE));
    assert!(storage.write(0, &[3; 4096]).is_err());
    for _ in 0..3 {
        assert!(storage.sync_data().is_err(), "the write is still not there");
    }
    assert!(storage.set_len(1).is_err());
    assert!(storage.close().is_err());
}

#[test]
fn a_sync_tells_of_a_write_that_nobody_waited_for() {
    let storage = storage();
    storage.with(|io| io.inject(SimFaults { lost: 1000, ..SimFaults::NONE }));
    storage.write(0, &[1; 4096]).expect("nobody waits for it");
    assert!(storage.sync_data().is_err());
    storage.with(|io| io.inject(SimFaults::NONE));
    assert!(storage.sync_data().is_err(), "the write is still not there");
}
