//! Guarantees 6, 7, 10 and 11 where a write carries its data-sync: what each answer means. See
//! `core/src/engine/fuse.rs`; when the engine fuses is in `conformance_fusing`.
//!
//! # Mutations
//! Made in the engine; each turned these red. The names are shortened.
//! | removed or changed | red, for example |
//! |---|---|
//! | a short one taken as synced | `the_rest_of_a_short_durable_write_..` |
//! | it flies on after an answer that settles nothing | `passing_errors_send_it_again_plain` |
//! | ENOSPC taken as the write's error | `.._is_the_data_syncs_if_the_write_succeeds_alone` |
//! | ENOSPC taken as passing | the same |
//! | EOPNOTSUPP not remembered | `a_file_that_takes_no_durable_write_..` |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use ringzero_core::{Errno, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    fusing::{
        Was,
        Was::{Durable, Sync},
        assert_next_is_fused, commit, requests, results, script, synced,
    },
    script::{Action, Of, Rule},
};

#[test]
fn the_rest_of_a_short_durable_write_goes_out_plain() {
    let (mut s, fd) = synced();
    script(&s, Of::Writes, Action::Short(1));
    let [a, first] = commit(&mut s, fd, b"aa");
    let [b, second] = commit(&mut s, fd, b"bb");
    s.drain();
    assert_eq!(requests(&s, 1), [Durable(0, 4), Was::Plain(1, 4), Sync]);
    assert_eq!(s.delivered[1..], [a, b, first, second]);
    assert_eq!(results(&s, [a, b, first, second]), [2, 2, 0, 0]);
    assert_eq!(s.fixture.disk.durable("file"), b"aabb");
    assert_next_is_fused(&mut s, fd);
}

#[test]
fn passing_errors_send_it_again_plain() {
    for errno in [Errno::INTR, Errno::AGAIN, Errno::CANCELED] {
        let (mut s, fd) = synced();
        script(&s, Of::Writes, Action::Torn(1, errno));
        let tokens = commit(&mut s, fd, b"aa");
        s.drain();
        assert_eq!(requests(&s, 1), [Durable(0, 2), Was::Plain(0, 2), Sync], "{errno}");
        assert_eq!(results(&s, tokens), [2, 0]);
        assert_eq!(s.fixture.disk.durable("file"), b"aa");
        assert_next_is_fused(&mut s, fd);
    }
}

#[test]
fn passing_errors_are_borne_a_bounded_number_of_times() {
    let (mut s, fd) = synced();
    s.fixture.disk.script(Rule::times("file", Of::Writes, Action::Fail(Errno::INTR), 100));
    let tokens = commit(&mut s, fd, b"aa");
    s.drain();
    assert_eq!(results(&s, tokens), [-Errno::INTR.number(); 2]);
    assert_eq!(requests(&s, 1).len(), 17);
}

const AMBIGUOUS: [Errno; 4] = [Errno::NOSPC, Errno::DQUOT, Errno::FBIG, Errno::INVAL];

#[test]
fn an_error_of_either_half_is_the_writes_if_the_write_fails_alone_too() {
    for errno in AMBIGUOUS {
        let (mut s, fd) = synced();
        s.fixture.disk.script(Rule::times("file", Of::Writes, Action::Fail(errno), 2));
        let [a, first] = commit(&mut s, fd, b"aa");
        let [b, second] = commit(&mut s, fd, b"bb");
        s.drain();
        let (failed, canceled) = (-errno.number(), -Errno::CANCELED.number());
        assert_eq!(results(&s, [a, first, b, second]), [failed, failed, canceled, canceled]);
        assert_eq!(requests(&s, 1), [Durable(0, 4), Was::Plain(0, 4)]);
        assert_eq!(s.io.file_status(fd).unwrap().failed, None);
        assert_eq!(s.io.resume_append(fd), Ok(0));
        let tokens = commit(&mut s, fd, b"cc");
        s.drain();
        assert_eq!(results(&s, tokens), [2, 0]);
        assert_eq!(requests(&s, 3), [Was::Plain(0, 2), Sync], "what failed is unsynced");
        assert_next_is_fused(&mut s, fd);
    }
}

#[test]
fn an_error_of_either_half_is_the_data_syncs_if_the_write_succeeds_alone() {
    for errno in AMBIGUOUS {
        let (mut s, fd) = synced();
        script(&s, Of::Writes, Action::Torn(4, errno));
        // Alone it needs two.
        script(&s, Of::Writes, Action::Short(1));
        let [a, first] = commit(&mut s, fd, b"aa");
        let [b, second] = commit(&mut s, fd, b"bb");
        s.drain();
        let failed = -errno.number();
        assert_eq!(results(&s, [a, b, first, second]), [2, 2, failed, failed]);
        assert_eq!(s.delivered[1..], [a, b, first, second]);
        assert_eq!(requests(&s, 1), [Durable(0, 4), Was::Plain(0, 4), Was::Plain(1, 4)]);
        assert_eq!(s.io.file_status(fd).unwrap().failed, Some(errno));
        assert_eq!(s.append(fd, b"c"), Err(StorageIoError::Io(errno)));
    }
}

#[test]
fn any_other_error_fails_the_file() {
    for action in [Action::Fail(Errno::IO), Action::Torn(4, Errno::new(30)), Action::Zero] {
        let errno = if let Action::Torn(_, errno) = action { errno } else { Errno::IO };
        let (mut s, fd) = synced();
        script(&s, Of::Writes, action);
        let [a, first] = commit(&mut s, fd, b"aa");
        let [b, second] = commit(&mut s, fd, b"bb");
        s.drain();
        let (failed, canceled) = (-errno.number(), -Errno::CANCELED.number());
        assert_eq!(results(&s, [a, b, first, second]), [failed, canceled, failed, canceled]);
        assert_eq!(requests(&s, 1), [Durable(0, 4)]);
        assert_eq!(s.io.file_status(fd).unwrap().failed, Some(errno));
    }
}

#[test]
fn a_file_that_takes_no_durable_write_is_not_asked_again() {
    let (mut s, fd) = synced();
    script(&s, Of::Writes, Action::Fail(Errno::OPNOTSUPP));
    for round in 0..3 {
        let tokens = commit(&mut s, fd, b"aa");
        s.drain();
        assert_eq!(results(&s, tokens), [2, 0], "round {round}");
    }
    let plain = |at| [Was::Plain(at, at + 2), Sync];
    assert_eq!(requests(&s, 1), [&[Durable(0, 2)][..], &plain(0), &plain(2), &plain(4)].concat());
}

#[test]
fn a_write_that_waited_for_a_durable_one_goes_out_whatever_that_says() {
    let no_space = Errno::NOSPC.number();
    for (errno, results_then) in [
        (Errno::NOSPC, [-no_space, -no_space, 1, 0]),
        (Errno::IO, [-Errno::IO.number(), -Errno::IO.number(), -Errno::CANCELED.number(), 0]),
    ] {
        let (mut s, fd) = synced();
        commit(&mut s, fd, &[1; 100]);
        s.drain();
        script(&s, Of::WriteAt(100), Action::Hang);
        let [append, sync] = commit(&mut s, fd, b"a");
        s.io.flush().unwrap();
        let write = s.write(fd, b"w", 0).unwrap();
        let later = s.sync(fd).unwrap();
        s.io.flush().unwrap();
        assert_eq!(requests(&s, 2), [Durable(100, 101)]);
        script(&s, Of::WriteAt(100), Action::Fail(errno));
        s.fixture.disk.release(Action::Fail(errno));
        s.drain();
        assert_eq!(results(&s, [append, sync, write]), results_then[..3]);
        let failed = s.io.file_status(fd).unwrap().failed;
        if errno == Errno::NOSPC {
            assert_eq!((failed, s.result(later)), (None, results_then[3]));
            let all = [Durable(100, 101), Was::Plain(100, 101), Was::Plain(0, 1), Sync];
            assert_eq!(requests(&s, 2), all);
        } else {
            assert_eq!(failed, Some(errno));
            assert!(s.result(later) < 0);
            assert_eq!(requests(&s, 2), [Durable(100, 101)]);
        }
    }
}

#[test]
fn a_file_is_closed_once_its_durable_write_has_ended() {
    let (mut s, fd) = synced();
    let first = commit(&mut s, fd, b"a");
    s.io.flush().unwrap();
    s.io.deregister_fd(fd).unwrap();
    s.drain();
    assert_eq!(results(&s, first), [1, 0]);

    let fd = s.open("file", &[]);
    s.sync(fd).unwrap();
    s.drain();
    script(&s, Of::Writes, Action::Hang);
    let second = commit(&mut s, fd, b"b");
    s.io.flush().unwrap();
    assert_eq!(s.io.deregister_fd(fd), Err(StorageIoError::Io(Errno::TIMEDOUT)));
    assert_eq!(s.poll(), 0);
    s.fixture.disk.release(Action::Complete);
    s.drain();
    assert_eq!(results(&s, second), [1, 0]);
}
