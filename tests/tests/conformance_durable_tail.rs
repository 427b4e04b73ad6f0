//! The durable tail: every appended byte below it is durable, and it never moves back.
//!
//! That nothing below it is lost is checked by power cuts, in `crash_sim`.
//!
//! # Mutations
//! Each of these turned tests here red, and `crash_sim` too where a seed is given, one that found
//! it; paths are in `core/src/engine`:
//!
//! | mutation | file | seed |
//! |---|---|---|
//! | a datasync that fails moves it too | `sync.rs` | 0 |
//! | a failed append leaves waiting datasyncs where the tail was | `append.rs` | 111 |
//! | it is where the tail is when the datasync ends | `sync.rs` | |
//! | no datasync remembers the tail | `sync.rs` | |
//! | a truncation leaves waiting datasyncs where the tail was | `alter.rs` | |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{Errno, IoFd, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    conformance,
    fixture::{Fixture, Place, Scripted, Setup},
    random::{Random, bytes},
    script::{Action, Of, Rule},
    session::Session,
};

conformance!(
    it_is_where_the_tail_was_when_the_last_successful_datasync_was_accepted,
    it_never_moves_back_and_ends_at_the_tail,
    writes_beyond_the_tail_move_it_too,
    it_is_of_one_registration,
    a_segment_has_one_and_a_device_has_none,
);

fn it_is_where_the_tail_was_when_the_last_successful_datasync_was_accepted<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", b"before");
    assert_eq!(s.io.durable_tail(fd), Ok(0), "nothing is known of what was there");
    s.append(fd, b"covered").unwrap();
    s.drain();
    assert_eq!(s.io.durable_tail(fd), Ok(0), "written is not durable");
    let sync = s.sync(fd).unwrap();
    s.append(fd, b"not covered").unwrap();
    assert_eq!(s.wait_for(sync), 0);
    assert_eq!(s.io.durable_tail(fd), Ok(13));
    s.drain();
    assert_eq!(s.io.durable_tail(fd), Ok(13), "an append alone moves nothing");
    let sync = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(sync), 0);
    assert_eq!(s.io.durable_tail(fd), Ok(24));
}

fn it_never_moves_back_and_ends_at_the_tail<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    let mut random = Random::new(4);
    let mut syncs = Vec::new();
    let mut last = 0;
    for id in 1..300 {
        let data = bytes(id, 0, 1 + random.below(300) as usize);
        s.retry(|s| s.append(fd, &data)).unwrap();
        if random.chance(400) {
            let sync = s.retry(|s| s.sync(fd)).unwrap();
            syncs.push((sync, s.io.tail(fd).unwrap()));
        }
        if random.chance(100) {
            s.io.flush().unwrap();
            s.poll();
        }
        let now = s.io.durable_tail(fd).unwrap();
        let mut delivered = syncs.iter().rev().filter(|(token, _)| s.results.contains_key(token));
        let told = delivered.next().map_or(0, |(_, tail)| *tail);
        assert!(now >= last && now >= told, "{now} after {last}, told {told}");
        assert!(now == 0 || syncs.iter().any(|(_, tail)| *tail == now), "{now} is no sync's");
        last = now;
    }
    s.drain();
    let sync = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(sync), 0);
    assert_eq!(s.io.durable_tail(fd), s.io.tail(fd));
}

fn writes_beyond_the_tail_move_it_too<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", b"abc");
    s.write(fd, b"far", 100).unwrap();
    s.drain();
    let sync = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(sync), 0);
    assert_eq!((s.io.tail(fd), s.io.durable_tail(fd)), (Ok(103), Ok(103)));
}

fn it_is_of_one_registration<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", b"abc");
    let sync = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(sync), 0);
    assert_eq!(s.io.durable_tail(fd), Ok(3), "the first datasync is a full one");
    s.io.deregister_fd(fd).unwrap();
    assert_eq!(s.io.durable_tail(fd), Err(StorageIoError::BadFd));
    let file = s.fixture.open_appending("file");
    let again = s.io.register_fd(file).unwrap();
    assert_eq!(s.io.durable_tail(again), Ok(0));
}

fn a_segment_has_one_and_a_device_has_none<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let file = s.fixture.create("segment", &[0; 100]);
    let fd = s.io.register_segment(file, 10, 50).unwrap();
    assert_eq!(s.io.durable_tail(fd), Ok(0));
    s.append(fd, b"four").unwrap();
    let sync = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(sync), 0);
    assert_eq!(s.io.durable_tail(fd), Ok(14));
    let device = s.fixture.open_device();
    let fd = s.io.register_fd(device).unwrap();
    assert_eq!(s.io.durable_tail(fd), Err(StorageIoError::Io(Errno::INVAL)));
}

/// A file of 4 bytes on the scripted disk, all of it durable.
fn synced() -> (Session<Scripted<false>>, IoFd) {
    let mut s = Session::<Scripted<false>>::at(Place::Memory, &Setup::default()).unwrap();
    let fd = s.open("file", b"1234");
    let sync = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(sync), 0);
    assert_eq!(s.io.durable_tail(fd), Ok(4));
    (s, fd)
}

/// The second datasync speaks for everything but the append that failed, and may not vouch for what
/// is appended in its place.
#[test]
fn what_is_appended_in_place_of_what_failed_is_not_below_it() {
    let (mut s, fd) = synced();
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Fail(Errno::NOSPC)));
    let failed = s.append(fd, b"full").unwrap();
    // Before the datasyncs, or it would carry them and be in doubt.
    s.io.flush().unwrap();
    let (reporting, other) = (s.sync(fd).unwrap(), s.sync(fd).unwrap());
    s.drain();
    assert_eq!(s.result(failed), -Errno::NOSPC.number());
    assert_eq!([s.result(reporting), s.result(other)], [-Errno::NOSPC.number(), 0]);
    assert_eq!((s.io.tail(fd), s.io.durable_tail(fd)), (Ok(4), Ok(4)));
    assert_eq!(s.io.resume_append(fd), Ok(4));
    assert_eq!(s.io.durable_tail(fd), Ok(4));
    s.append(fd, b"new").unwrap();
    s.drain();
    assert_eq!(s.io.durable_tail(fd), Ok(4), "not before a datasync of its own");
    let sync = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(sync), 0);
    assert_eq!(s.io.durable_tail(fd), Ok(7));
}

/// Nothing is above the tail: not what a datasync speaks of that was accepted while the file was
/// longer.
#[test]
fn a_truncation_takes_datasyncs_accepted_behind_it_back() {
    let (mut s, fd) = synced();
    s.append(fd, b"567").unwrap();
    let cut = s.submit(|io| io.submit_truncate(fd, 2)).unwrap();
    let sync = s.sync(fd).unwrap();
    s.drain();
    assert_eq!([s.result(cut), s.result(sync)], [0, 0]);
    assert_eq!((s.io.tail(fd), s.io.durable_tail(fd)), (Ok(2), Ok(2)));
    s.append(fd, b"345").unwrap();
    s.drain();
    assert_eq!(s.io.durable_tail(fd), Ok(2), "not before a datasync of its own");
}

#[test]
fn a_datasync_that_reports_an_error_moves_nothing() {
    let (mut s, fd) = synced();
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Fail(Errno::NOSPC)));
    s.write(fd, b"x", 0).unwrap();
    s.drain();
    s.append(fd, b"good").unwrap();
    let sync = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(sync), -Errno::NOSPC.number());
    assert_eq!(s.io.durable_tail(fd), Ok(4), "no data-sync was made");
    s.append(fd, b"lost").unwrap();
    s.drain();
    s.fixture.disk.script(Rule::once("file", Of::Syncs, Action::Fail(Errno::IO)));
    let sync = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(sync), -Errno::IO.number());
    assert_eq!(s.io.durable_tail(fd), Ok(4), "and stays readable on a failed file");
}

#[test]
fn a_write_that_carries_its_datasync_moves_it() {
    let (mut s, fd) = synced();
    s.append(fd, b"one").unwrap();
    let first = s.sync(fd).unwrap();
    s.append(fd, b"two").unwrap();
    let second = s.sync(fd).unwrap();
    s.append(fd, b"three").unwrap();
    s.drain();
    assert_eq!([s.result(first), s.result(second)], [0, 0]);
    assert_eq!(s.io.stats().durable_writes, 1, "control: it was fused");
    assert_eq!(s.io.durable_tail(fd), Ok(10));
}
