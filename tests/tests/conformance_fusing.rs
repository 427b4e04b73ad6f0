//! Guarantee 6 where a write carries its data-sync: when the engine fuses the two. See
//! `core/src/engine/fuse.rs`; what the answers mean is in `conformance_fusing_answers`.
//!
//! # Mutations
//! Made in the engine and the drivers; each turned these red. The names are shortened.
//! | removed or changed | red, for example |
//! |---|---|
//! | fuses before a full data-sync | `nothing_is_fused_before_a_full_data_sync` |
//! | fuses though something is unsynced | `nothing_is_fused_while_something_..` |
//! | a plain append, a write makes nothing unsynced | the same |
//! | what a data-sync flew beside counts as synced | `a_data_sync_beside_what_it_..` |
//! | fuses though a write is unfinished | `nothing_is_fused_with_a_write_of_..` |
//! | fuses a part of what the syncs wait for | `what_needs_more_pieces_than_..` |
//! | no hold | `a_second_group_is_held_..` |
//! | writes, free appends start beside it | `a_sync_accepted_..`, `what_was_appended_..` |
//! | writes that waited are not started when it has ended | `a_sync_accepted_..` (nothing ends) |
//! | it serves one sync only | `a_group_is_one_durable_write` |
//! | IOSQE_ASYNC left out | `only_buffered_files_give_..` of `uring::targets` |
//! | RWF_DSYNC trusted on FUSE | `a_datasync_that_fails_once_..` of `faults_fuse_syncs` |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{Limits, StorageIo, StorageIoExt};
use ringzero_tests::{
    conformance,
    fixture::{Fixture, Place, SMALL, Setup},
    fusing::{
        Plain, Was,
        Was::{Durable, Sync},
        assert_next_is_fused, commit, requests, results, script, synced, synced_with, unsynced,
    },
    script::{Action, Of},
    session::Session,
};

conformance!(groups_of_committers_survive_and_are_fused_where_the_backend_can);

/// On every backend: what is reported is there, and all but the one that syncs inside the call
/// fuse. (io_uring and worker threads need RWF_DSYNC for that, which Linux has since 4.7.)
fn groups_of_committers_survive_and_are_fused_where_the_backend_can<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let fd = s.open("file", b"before");
    let mut expected = b"before".to_vec();
    for round in 0..30_u8 {
        let mut tokens = Vec::new();
        for member in 0..3 {
            let record = [round, member, 7];
            expected.extend(record);
            tokens.push((s.append(fd, &record).unwrap(), 3));
            tokens.push((s.sync(fd).unwrap(), 0));
        }
        s.drain();
        for (token, result) in tokens {
            assert_eq!(s.result(token), result, "round {round}");
        }
    }
    assert_eq!(s.fixture.read("file"), expected);
    let stats = s.io.stats();
    assert_eq!(stats.durable_writes == 0, F::IS_INLINE, "{stats:?}");
    assert!(stats.durable_writes <= stats.write_requests);
}

#[test]
fn a_group_is_one_durable_write() {
    let (mut s, fd) = synced();
    let before = s.io.stats();
    let [a, first] = commit(&mut s, fd, b"aa");
    let b = s.append(fd, b"b").unwrap();
    let [c, second] = commit(&mut s, fd, b"ccc");
    assert_eq!(s.io.flush(), Ok(1));
    s.drain();
    assert_eq!(requests(&s, 1), [Durable(0, 6)]);
    assert_eq!(s.delivered[1..], [a, b, c, first, second]);
    assert_eq!(results(&s, [a, b, c, first, second]), [2, 1, 3, 0, 0]);
    let after = s.io.stats();
    assert_eq!(after.durable_writes - before.durable_writes, 1);
    assert_eq!(after.write_requests - before.write_requests, 1);
    assert_eq!(after.sync_requests, before.sync_requests);
    assert_eq!(after.shared_syncs - before.shared_syncs, 1);
    assert_next_is_fused(&mut s, fd);
}

#[test]
fn nothing_is_fused_before_a_full_data_sync() {
    let (mut s, fd) = unsynced(&Setup::default());
    commit(&mut s, fd, b"a");
    s.drain();
    assert_eq!(requests(&s, 0), [Was::Plain(0, 1), Sync]);
    assert_next_is_fused(&mut s, fd);
}

#[test]
fn nothing_is_fused_while_something_is_unsynced() {
    for is_append in [false, true] {
        let (mut s, fd) = synced();
        if is_append {
            s.append(fd, b"a").unwrap()
        } else {
            s.write(fd, b"a", 0).unwrap()
        };
        s.drain();
        commit(&mut s, fd, b"b");
        s.drain();
        assert_eq!(requests(&s, 1), [Was::Plain(0, 1), Was::Plain(1, 2), Sync]);
        assert_next_is_fused(&mut s, fd);
    }
}

#[test]
fn a_write_that_waited_for_a_durable_one_is_unsynced() {
    let (mut s, fd) = synced();
    script(&s, Of::Writes, Action::Hang);
    commit(&mut s, fd, b"aaaa");
    s.io.flush().unwrap();
    let over = s.write(fd, b"bb", 0).unwrap();
    s.io.flush().unwrap();
    s.fixture.disk.release(Action::Complete);
    assert_eq!(s.wait_for(over), 2);
    commit(&mut s, fd, b"c");
    s.drain();
    let all = [Durable(0, 4), Was::Plain(0, 2), Was::Plain(4, 5), Sync];
    assert_eq!(requests(&s, 1), all);
}

#[test]
fn nothing_is_fused_beside_a_write_in_flight() {
    let (mut s, fd) = synced();
    script(&s, Of::Writes, Action::Hang);
    s.write(fd, b"a", 0).unwrap();
    s.io.flush().unwrap();
    commit(&mut s, fd, b"b");
    s.io.flush().unwrap();
    assert_eq!(requests(&s, 1), [Was::Plain(0, 1), Was::Plain(1, 2)]);
    s.fixture.disk.release(Action::Complete);
    s.drain();
    assert_next_is_fused(&mut s, fd);
}

#[test]
fn nothing_is_fused_with_a_write_of_the_same_flush() {
    let (mut s, fd) = synced();
    s.write(fd, b"a", 0).unwrap();
    commit(&mut s, fd, b"b");
    s.drain();
    assert!(!requests(&s, 1).iter().any(|was| matches!(was, Durable(..))));
}

#[test]
fn nothing_is_fused_beside_an_append_in_flight() {
    let (mut s, fd) = synced();
    script(&s, Of::Writes, Action::Hang);
    s.append(fd, b"a").unwrap();
    s.io.flush().unwrap();
    commit(&mut s, fd, b"b");
    s.io.flush().unwrap();
    assert_eq!(requests(&s, 1), [Was::Plain(0, 1), Was::Plain(1, 2)]);
    s.fixture.disk.release(Action::Complete);
    s.drain();
    assert_next_is_fused(&mut s, fd);
}

#[test]
fn what_was_appended_after_the_newest_sync_waits_for_it_and_is_unsynced() {
    let (mut s, fd) = synced();
    script(&s, Of::Writes, Action::Hang);
    commit(&mut s, fd, b"a");
    s.append(fd, b"bb").unwrap();
    s.io.flush().unwrap();
    assert_eq!(requests(&s, 1), [Durable(0, 1)], "nothing is beside it");
    s.fixture.disk.release(Action::Complete);
    s.drain();
    assert_eq!(requests(&s, 1), [Durable(0, 1), Was::Plain(1, 3)]);
    commit(&mut s, fd, b"c");
    s.drain();
    assert_eq!(requests(&s, 3), [Was::Plain(3, 4), Sync]);
}

#[test]
fn a_data_sync_beside_what_it_does_not_cover_leaves_the_file_unsynced() {
    for is_append in [false, true] {
        let mut s = Plain::at(Place::Memory, &Setup::default()).expect("runs everywhere");
        let fd = s.open("file", b"old!");
        script(&s, Of::WriteAt(4), Action::Hang);
        script(&s, Of::WriteAt(if is_append { 8 } else { 0 }), Action::Hang);
        let [_, sync] = commit(&mut s, fd, b"aaaa");
        s.io.flush().unwrap();
        let beside =
            if is_append { s.append(fd, b"b").unwrap() } else { s.write(fd, b"b", 0).unwrap() };
        s.io.flush().unwrap();
        let (first, _) = s.fixture.disk.requests("file")[0];
        s.fixture.disk.release_one(first, Action::Complete);
        assert_eq!(s.wait_for(sync), 0);
        s.fixture.disk.release(Action::Complete);
        assert_eq!(s.wait_for(beside), 1);
        let before = requests(&s, 0).len();
        let tail = s.io.tail(fd).unwrap();
        commit(&mut s, fd, b"c");
        s.drain();
        assert_eq!(requests(&s, before), [Was::Plain(tail, tail + 1), Sync]);
    }
}

#[test]
fn what_needs_more_pieces_than_a_request_has_is_not_fused() {
    let limits = Limits { files: 2, blocks_per_file: 2, blocks_common: 60, ..SMALL };
    let limits = Limits { operations_per_file: 32, ..limits };
    let (mut s, fd) = synced_with(&Setup::with(limits));
    let other = s.open("other", &[]);
    // The blocks of the two take turns, so that each is a piece of its own.
    for round in 0..20 {
        s.append(fd, &[round; 512]).unwrap();
        s.append(other, &[round; 512]).unwrap();
    }
    let sync = s.sync(fd).unwrap();
    s.drain();
    assert_eq!(s.result(sync), 0);
    let pieces = 17 * 512;
    assert_eq!(requests(&s, 1), [Was::Plain(0, pieces), Was::Plain(pieces, 20 * 512), Sync]);
}

#[test]
fn more_than_one_request_is_not_fused() {
    let limits = Limits { blocks_per_file: 24, block_bytes: 65_536, ..Limits::default() };
    let (mut s, fd) = synced_with(&Setup::with(limits));
    let half = vec![1; (1 << 19) + 1];
    s.append(fd, &half).unwrap();
    let [_, sync] = commit(&mut s, fd, &half);
    s.drain();
    assert_eq!(s.result(sync), 0);
    assert_eq!(requests(&s, 1), [Was::Plain(0, 1 << 20), Was::Plain(1 << 20, (1 << 20) + 2), Sync]);
    s.append(fd, &half[2..]).unwrap();
    commit(&mut s, fd, &half[1..]);
    s.drain();
    let begin = (1 << 20) + 2;
    let fused: Vec<Was> = requests(&s, 4);
    assert!(matches!(fused[..], [Durable(at, _)] if at == begin), "one fits: {fused:?}");
}

#[test]
fn a_second_group_is_held_while_a_durable_write_flies() {
    let (mut s, fd) = synced();
    script(&s, Of::Writes, Action::Hang);
    let first = commit(&mut s, fd, b"a");
    s.io.flush().unwrap();
    let second = commit(&mut s, fd, b"b");
    let third = commit(&mut s, fd, b"c");
    s.io.flush().unwrap();
    assert_eq!(s.poll(), 0);
    assert_eq!(requests(&s, 1), [Durable(0, 1)], "held");
    s.fixture.disk.release(Action::Complete);
    s.drain();
    assert_eq!(requests(&s, 1), [Durable(0, 1), Durable(1, 3)]);
    for tokens in [first, second, third] {
        assert_eq!(results(&s, tokens), [1, 0]);
    }
}

#[test]
fn a_sync_accepted_meanwhile_is_not_served() {
    let (mut s, fd) = synced();
    commit(&mut s, fd, &[1; 100]);
    s.drain();
    script(&s, Of::WriteAt(100), Action::Hang);
    let [_, first] = commit(&mut s, fd, b"aaaa");
    s.io.flush().unwrap();
    let write = s.write(fd, b"w", 0).unwrap();
    let later = s.sync(fd).unwrap();
    s.io.flush().unwrap();
    assert_eq!(s.poll(), 0);
    assert_eq!(requests(&s, 2), [Durable(100, 104)], "nothing is beside it");
    s.fixture.disk.release(Action::Complete);
    s.drain();
    assert_eq!(results(&s, [first, write, later]), [0, 1, 0]);
    assert_eq!(requests(&s, 2), [Durable(100, 104), Was::Plain(0, 1), Sync]);
}
