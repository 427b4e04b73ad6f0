//! Files' lives: when an alteration begins, what waits for it, and what its failure means; on the
//! scripted executor, which notes whatever is under way beside one that must be alone.
//!
//! # Mutations
//! | removed or changed | red |
//! |---|---|
//! | the gate of a truncation | `writes_and_appends_are_for_later_…` |
//! | waiting for what was accepted before; for syncs | `a_truncation_waits_…` |
//! | waiting for a write that carries its sync | `an_allocation_waits_…` |
//! | the tail, `write_end` after a truncation | `a_truncation_does_not_take_the_place_…` |
//! | `sent_end` after a truncation | `what_was_truncated_is_not_cut_back_again` |
//! | the next sync is a full one | `writes_and_appends_are_…`, `an_allocation_begins_…` |
//! | an alteration makes the file unsynced | `no_write_carries_its_sync_after_…` |
//! | the gate stays closed on a failed file | `a_file_that_fails_cancels_…` |
//! | what has not begun is cancelled | `a_file_that_fails_cancels_…` |
//! | a failure changes nothing | `an_alteration_that_fails_changes_nothing` |
//! | a full sync's flag; that it is not fused | `a_full_sync_is_one_…`, `a_full_sync_travels_…` |
//! | a flight ends before an alteration | `a_truncation_waits_…`, `an_allocation_begins_…` |
//! | a failure is noted on an alteration | `a_failure_is_reported_by_a_sync_…` |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{Alteration, Errno, IoFd, StorageIo, StorageIoError, StorageIoExt, SyncKind};
use ringzero_tests::{
    disk::Ask,
    fixture::{Place, Scripted, Setup},
    fusing::{Was, commit, requests, synced},
    script::{Action, Of, Rule},
    session::Session,
};

type Plain = Session<Scripted<false>>;

const LATER: Result<u64, StorageIoError> = Err(StorageIoError::QueueFull);

fn scripted(content: &[u8]) -> (Plain, IoFd) {
    let mut s = Plain::at(Place::Memory, &Setup::default()).expect("runs everywhere");
    let fd = s.open("file", content);
    (s, fd)
}

fn script(s: &Plain, of: Of, action: Action) {
    s.fixture.disk.script(Rule::once("file", of, action));
}

fn go_on(s: &mut Plain) {
    for _ in 0..8 {
        s.io.flush().unwrap();
        s.poll();
    }
}

fn asks(s: &Plain) -> Vec<Ask> {
    s.fixture.disk.requests("file").into_iter().map(|(_, ask)| ask).collect()
}

fn truncate(s: &mut Plain, fd: IoFd, len: u64) -> u64 {
    s.submit(|io| io.submit_truncate(fd, len)).unwrap()
}

#[test]
fn a_truncation_waits_for_everything_accepted_before_it() {
    for of in [Of::Writes, Of::Syncs] {
        let (mut s, fd) = scripted(&[9; 100]);
        script(&s, of, Action::Hang);
        s.append(fd, &[1; 10]).unwrap();
        s.sync(fd).unwrap();
        let token = truncate(&mut s, fd, 50);
        go_on(&mut s);
        assert!(!asks(&s).contains(&Ask::Alter(Alteration::Truncate { len: 50 })), "{of:?}");
        s.fixture.disk.release(Action::Complete);
        assert_eq!(s.wait_for(token), 0);
        assert_eq!(s.fixture.disk.read("file"), [9; 50]);
    }
}

#[test]
fn writes_and_appends_are_for_later_while_a_truncation_is_unfinished_and_syncs_wait() {
    for what in [Alteration::Truncate { len: 50 }, Alteration::Punch { offset: 3, len: 4 }] {
        let (mut s, fd) = scripted(&[9; 100]);
        s.sync(fd).unwrap();
        s.drain();
        script(&s, Of::Alterations, Action::Hang);
        let token = match what {
            Alteration::Truncate { len } => s.submit(|io| io.submit_truncate(fd, len)),
            _ => s.submit(|io| io.submit_punch(fd, 3, 4)),
        };
        let token = token.unwrap();
        let sync = s.sync(fd).unwrap();
        for _ in 0..3 {
            assert_eq!([s.append(fd, b"x"), s.write(fd, b"x", 0)], [LATER, LATER]);
            assert_eq!([s.append(fd, &[]), s.write(fd, &[], 0)], [LATER, LATER]);
            assert_eq!(s.io.can_accept(fd, 1), Err(StorageIoError::QueueFull));
            assert_eq!(s.submit(|io| io.submit_truncate(fd, 1)), LATER);
            assert_eq!(s.submit(|io| io.submit_allocate(fd, 1, 1)), LATER);
            assert_eq!(s.submit(|io| io.submit_close(fd)), LATER);
            assert_eq!(s.io.tail(fd), Ok(100));
            go_on(&mut s);
        }
        assert_eq!(asks(&s), [Ask::Sync(SyncKind::Full), Ask::Alter(what)]);
        s.fixture.disk.release(Action::Complete);
        s.drain();
        assert_eq!([token, sync].map(|token| s.result(token)), [0, 0]);
        assert_eq!(asks(&s).last(), Some(&Ask::Sync(SyncKind::Full)), "and it is a full one");
        assert_eq!(s.io.can_accept(fd, 1), Ok(()));
        let tokens = [s.append(fd, b"x").unwrap(), s.write(fd, b"x", 0).unwrap()];
        assert_eq!(tokens.map(|token| s.wait_for(token)), [1, 1]);
    }
}

#[test]
fn an_allocation_begins_beside_what_is_under_way_and_keeps_nobody_but_later_syncs() {
    let (mut s, fd) = scripted(&[]);
    script(&s, Of::Writes, Action::Hang);
    script(&s, Of::Alterations, Action::Hang);
    s.write(fd, &[1; 10], 0).unwrap();
    let before = s.sync(fd).unwrap();
    let reserved = s.submit(|io| io.submit_allocate(fd, 0, 4_096)).unwrap();
    let after = s.sync(fd).unwrap();
    go_on(&mut s);
    let begun = s.fixture.disk.requests("file");
    let is_write = |(_, ask): &&(u64, Ask)| matches!(ask, Ask::Write { .. });
    let (hung, _) = begun.iter().find(is_write).expect("it hangs");
    let allocation = Ask::Alter(Alteration::Allocate { offset: 0, len: 4_096 });
    assert!(begun.iter().any(|(_, ask)| *ask == allocation));
    let write = s.write(fd, &[2; 10], 100).unwrap();
    assert_eq!(s.wait_for(write), 10);
    s.fixture.disk.release_one(*hung, Action::Complete);
    assert_eq!(s.wait_for(before), 0);
    go_on(&mut s);
    assert!(!s.results.contains_key(&after), "it covers the allocation");
    s.fixture.disk.release(Action::Complete);
    s.drain();
    assert_eq!([reserved, after].map(|token| s.result(token)), [0, 0]);
    assert_eq!(asks(&s).last(), Some(&Ask::Sync(SyncKind::Full)));
}

#[test]
fn an_alteration_that_fails_changes_nothing() {
    let (mut s, fd) = scripted(&[9; 100]);
    for errno in [Errno::IO, Errno::NOSPC, Errno::OPNOTSUPP] {
        script(&s, Of::Alterations, Action::Fail(errno));
        let token = truncate(&mut s, fd, 50);
        let sync = s.sync(fd).unwrap();
        assert_eq!(s.wait_for(token), -errno.number());
        assert_eq!((s.wait_for(sync), s.io.tail(fd)), (0, Ok(100)));
        assert_eq!(s.io.file_status(fd).unwrap().failed, None);
    }
    let append = s.append(fd, &[1; 10]).unwrap();
    assert_eq!((s.wait_for(append), s.io.tail(fd)), (10, Ok(110)));
}

#[test]
fn an_alteration_is_asked_for_again_a_bounded_number_of_times() {
    let (mut s, fd) = scripted(&[9; 100]);
    for (errno, told) in
        [(Errno::INTR, Errno::INTR), (Errno::AGAIN, Errno::AGAIN), (Errno::CANCELED, Errno::IO)]
    {
        let rule = |times| Rule::times("file", Of::Alterations, Action::Fail(errno), times);
        s.fixture.disk.script(rule(16));
        let token = truncate(&mut s, fd, 100);
        assert_eq!(s.wait_for(token), 0);
        s.fixture.disk.script(rule(17));
        let token = truncate(&mut s, fd, 100);
        assert_eq!(s.wait_for(token), -told.number());
    }
}

#[test]
fn a_file_that_fails_cancels_what_has_not_begun_and_refuses_the_rest() {
    let (mut s, fd) = scripted(&[9; 100]);
    script(&s, Of::Writes, Action::Fail(Errno::IO));
    s.write(fd, &[1; 10], 0).unwrap();
    let token = truncate(&mut s, fd, 50);
    // Ends, and is not delivered.
    s.io.flush().unwrap();
    let mut none: [ringzero_core::IoCompletion; 0] = [];
    s.io.poll_completions(&mut ringzero_core::SliceSink::new(&mut none));
    let late = s.submit(|io| io.submit_allocate(fd, 0, 10)).unwrap();
    let canceled = -Errno::CANCELED.number();
    s.drain();
    assert_eq!([token, late].map(|token| s.result(token)), [canceled; 2]);
    let refused = Err(StorageIoError::Io(Errno::IO));
    assert_eq!(s.submit(|io| io.submit_truncate(fd, 50)), refused);
    assert_eq!(s.submit(|io| io.submit_allocate(fd, 0, 50)), refused);
    assert_eq!(s.submit(|io| io.submit_punch(fd, 0, 50)), refused);
    assert_eq!(s.submit(|io| io.submit_fsync(fd)), refused);
    assert_eq!(s.append(fd, b"x"), refused, "and the gate stays closed");
    assert_eq!(s.fixture.disk.read("file"), [9; 100]);
}

#[test]
fn a_truncation_does_not_take_the_place_of_resuming_and_a_failed_append_rewinds_to_it() {
    let (mut s, fd) = scripted(&[9; 100]);
    // A positional write that is cut off no longer holds the tail up.
    s.write(fd, &[8; 10], 300).unwrap();
    let token = truncate(&mut s, fd, 50);
    assert_eq!(s.wait_for(token), 0);
    script(&s, Of::Writes, Action::Fail(Errno::NOSPC));
    let bad = s.append(fd, &[1; 10]).unwrap();
    assert_eq!((s.wait_for(bad), s.io.tail(fd)), (-Errno::NOSPC.number(), Ok(50)));
    let refused = Err(StorageIoError::Io(Errno::NOSPC));
    assert_eq!(s.append(fd, b"x"), refused);
    let token = truncate(&mut s, fd, 20);
    assert_eq!(s.append(fd, b"x"), LATER);
    assert_eq!(s.io.can_accept(fd, 1), LATER.map(drop), "what an append would answer");
    assert_eq!((s.wait_for(token), s.append(fd, b"x")), (0, refused));
    assert_eq!(s.io.resume_append(fd), Ok(20));
    let good = s.append(fd, &[2; 10]).unwrap();
    assert_eq!(s.wait_for(good), 10);
    assert_eq!(s.fixture.disk.read("file"), [vec![9; 20], vec![2; 10]].concat());
}

#[test]
fn a_full_sync_is_one_and_shares_its_call_and_no_other_is() {
    let (mut s, fd) = scripted(&[]);
    s.sync(fd).unwrap();
    s.drain();
    let submitted =
        [s.sync(fd).unwrap(), s.submit(|io| io.submit_fsync(fd)).unwrap(), s.sync(fd).unwrap()];
    s.drain();
    assert_eq!(submitted.map(|token| s.result(token)), [0; 3]);
    s.sync(fd).unwrap();
    s.drain();
    let kinds = [SyncKind::Full, SyncKind::Full, SyncKind::Data];
    assert_eq!(asks(&s), kinds.map(Ask::Sync));
}

#[test]
fn a_full_sync_travels_with_no_write() {
    let (mut s, fd) = synced();
    s.append(fd, &[1; 10]).unwrap();
    let full = s.submit(|io| io.submit_fsync(fd)).unwrap();
    assert_eq!(s.wait_for(full), 0);
    assert_eq!(requests(&s, 1), [Was::Plain(0, 10), Was::Sync]);
    let group = commit(&mut s, fd, &[2; 10]);
    assert_eq!(group.map(|token| s.wait_for(token)), [10, 0]);
    assert_eq!(requests(&s, 3), [Was::Durable(10, 20)], "control: another one does");
    // One that comes while a data-sync flies is not lost by it.
    script(&s, Of::Syncs, Action::Hang);
    s.write(fd, &[3; 10], 0).unwrap();
    s.sync(fd).unwrap();
    go_on(&mut s);
    s.append(fd, &[4; 10]).unwrap();
    let full = s.submit(|io| io.submit_fsync(fd)).unwrap();
    s.fixture.disk.release(Action::Complete);
    assert_eq!(s.wait_for(full), 0);
    assert_eq!(requests(&s, 6), [Was::Plain(20, 30), Was::Sync]);
    assert_eq!(asks(&s).last(), Some(&Ask::Sync(SyncKind::Full)));
}

#[test]
fn no_write_carries_its_sync_after_an_alteration_until_a_full_sync_of_its_own() {
    let (mut s, fd) = synced();
    let reserved = s.submit(|io| io.submit_allocate(fd, 0, 100)).unwrap();
    assert_eq!(s.wait_for(reserved), 0);
    let group = commit(&mut s, fd, &[1; 10]);
    assert_eq!(group.map(|token| s.wait_for(token)), [10, 0]);
    assert_eq!(requests(&s, 2), [Was::Plain(0, 10), Was::Sync]);
    let group = commit(&mut s, fd, &[2; 10]);
    assert_eq!(group.map(|token| s.wait_for(token)), [10, 0]);
    assert_eq!(requests(&s, 4), [Was::Durable(10, 20)], "control: then it does");
}

#[test]
fn an_allocation_waits_for_a_write_that_carries_its_sync() {
    let (mut s, fd) = synced();
    script(&s, Of::Writes, Action::Hang);
    let group = commit(&mut s, fd, &[1; 10]);
    go_on(&mut s);
    let reserved = s.submit(|io| io.submit_allocate(fd, 0, 100)).unwrap();
    let sync = s.sync(fd).unwrap();
    go_on(&mut s);
    assert_eq!(requests(&s, 1), [Was::Durable(0, 10)]);
    s.fixture.disk.release(Action::Complete);
    s.drain();
    let tokens = [group[0], group[1], reserved, sync];
    assert_eq!(tokens.map(|token| s.result(token)), [10, 0, 0, 0]);
}

#[test]
fn what_was_truncated_is_not_cut_back_again() {
    let (mut s, fd) = scripted(&[]);
    s.append(fd, &[1; 100]).unwrap();
    truncate(&mut s, fd, 50);
    s.drain();
    // It would lengthen the file: the tail is where this write would have ended.
    script(&s, Of::Writes, Action::Fail(Errno::NOSPC));
    s.write(fd, &[2; 30], 60).unwrap();
    s.drain();
    assert_eq!(s.io.tail(fd), Ok(90));
    let closed = s.submit(|io| io.submit_close(fd)).unwrap();
    assert_eq!(s.wait_for(closed), 0);
    let asked = asks(&s).into_iter().filter(|ask| matches!(ask, Ask::Alter(_))).count();
    assert_eq!((asked, s.fixture.disk.read("file")), (2, vec![1; 50]));
}

#[test]
fn a_failure_is_reported_by_a_sync_and_not_by_an_alteration_before_it() {
    let (mut s, fd) = scripted(&[9; 100]);
    script(&s, Of::Writes, Action::Fail(Errno::NOSPC));
    let bad = s.write(fd, &[1; 10], 0).unwrap();
    let token = truncate(&mut s, fd, 50);
    let sync = s.sync(fd).unwrap();
    s.drain();
    let nospc = -Errno::NOSPC.number();
    assert_eq!([bad, token, sync].map(|token| s.result(token)), [nospc, 0, nospc]);
}

#[test]
fn an_executor_with_room_for_nothing_gets_an_alteration_later() {
    let (mut s, fd) = scripted(&[9; 100]);
    s.fixture.disk.state().room = 1;
    script(&s, Of::Writes, Action::Hang);
    let other = s.open("other", &[]);
    s.write(fd, &[1; 10], 0).unwrap();
    s.io.flush().unwrap();
    let token = truncate(&mut s, other, 50);
    go_on(&mut s);
    s.fixture.disk.release(Action::Complete);
    assert_eq!(s.wait_for(token), 0);
    assert_eq!(s.fixture.disk.read("other"), [0; 50]);
    s.drain();
}
