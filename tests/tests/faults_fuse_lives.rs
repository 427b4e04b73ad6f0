//! Files' lives over a file system whose alterations fail, hang and are sent back.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{Alteration, Errno, IoFd, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    conformance,
    disk::Ask,
    fixture::{Fixture, Setup},
    fuse::{self, Action, Fused, Of, Rule},
    random::bytes,
    real::{InMode, Mode},
    session::Session,
};

const TRUNCATION: Alteration = Alteration::Truncate { len: 4_000 };
const HOLE: Alteration = Alteration::Punch { offset: 1_000, len: 2_000 };
const RESERVATION: Alteration = Alteration::Allocate { offset: 0, len: 50_000 };

fn submit<F: Fixture>(s: &mut Session<F>, fd: IoFd, what: Alteration) -> u64 {
    let answer = s.submit(|io| match what {
        Alteration::Allocate { offset, len } => io.submit_allocate(fd, offset, len),
        Alteration::Truncate { len } => io.submit_truncate(fd, len),
        Alteration::Punch { offset, len } => io.submit_punch(fd, offset, len),
        Alteration::Close => io.submit_close(fd),
    });
    answer.unwrap()
}

fn session<M: Mode>() -> Option<(Session<Fused<M>>, IoFd)> {
    let mut s = fuse::open::<M>(&Setup::default())?;
    let fd = s.open_anew("file", &bytes(9, 0, 10_000));
    Some((s, fd))
}

fn alterations<M: Mode>(s: &Session<Fused<M>>) -> Vec<Alteration> {
    let asked = s.shared().state().requests("file");
    let what = |(_, ask)| if let Ask::Alter(what) = ask { Some(what) } else { None };
    asked.into_iter().filter_map(what).collect()
}

fn an_alteration_that_fails_is_told_and_changes_nothing<F: InMode>() {
    // EPERM, EFBIG and others.
    let errnos = [Errno::IO, Errno::NOSPC, Errno::DQUOT, Errno::new(1), Errno::FBIG];
    let Some((mut s, fd)) = session::<F::Mode>() else { return };
    for what in [RESERVATION, TRUNCATION, HOLE] {
        for errno in errnos {
            s.shared().script(Rule::once("file", Of::Alterations, Action::Fail(errno)));
            let token = submit(&mut s, fd, what);
            assert_eq!(s.wait_for(token), -errno.number(), "{what:?}");
            assert_eq!(s.io.tail(fd), Ok(10_000));
            assert_eq!(s.io.file_status(fd).unwrap().failed, None);
        }
    }
    assert_eq!(alterations(&s).len(), 3 * errnos.len(), "each was asked for once");
    assert!(s.shared().read("file") == bytes(9, 0, 10_000));
    let tokens = [s.append(fd, b"goes on").unwrap(), s.sync(fd).unwrap()];
    assert_eq!(tokens.map(|token| s.wait_for(token)), [7, 0]);
    // Control: without a fault each does what it is for.
    for what in [RESERVATION, HOLE, TRUNCATION] {
        let token = submit(&mut s, fd, what);
        assert_eq!(s.wait_for(token), 0);
    }
    let mut expected = bytes(9, 0, 4_000);
    expected[1_000..3_000].fill(0);
    assert!(s.shared().read("file") == expected);
    assert_eq!(s.io.tail(fd), Ok(4_000));
}

fn an_alteration_that_is_sent_back_is_asked_for_again<F: InMode>() {
    let Some((mut s, fd)) = session::<F::Mode>() else { return };
    for what in [RESERVATION, HOLE, TRUNCATION] {
        let again = Rule::times("file", Of::Alterations, Action::Fail(Errno::AGAIN), 16);
        s.shared().script(again);
        let token = submit(&mut s, fd, what);
        assert_eq!(s.wait_for(token), 0);
        assert_eq!(alterations(&s), [what; 17]);
        s.shared().state().log.clear();
    }
    let again = Rule::times("file", Of::Alterations, Action::Fail(Errno::AGAIN), 17);
    s.shared().script(again);
    let token = submit(&mut s, fd, Alteration::Truncate { len: 5 });
    assert_eq!(s.wait_for(token), -Errno::AGAIN.number());
    assert_eq!(s.io.tail(fd), Ok(4_000));
}

fn an_alteration_that_hangs_holds_up_its_file_and_no_call<F: InMode>() {
    if !F::HAS_EXECUTOR {
        println!("skipped on {}: a call that submits hangs itself, by definition", F::NAME);
        return;
    }
    for what in [TRUNCATION, HOLE] {
        let Some((mut s, fd)) = session::<F::Mode>() else { return };
        let shared = s.shared();
        let holding = shared.hold("file", Of::Alterations, 1);
        let before = s.append(fd, &bytes(1, 0, 100)).unwrap();
        let token = submit(&mut s, fd, what);
        let sync = s.sync(fd).unwrap();
        s.poll_until_held(1);
        assert_eq!(s.result(before), 100, "it waited for what was accepted before");
        let later = Err(StorageIoError::QueueFull);
        for _ in 0..5 {
            assert_eq!([s.append(fd, b"x"), s.write(fd, b"x", 0)], [later; 2]);
            s.io.flush().unwrap();
            s.poll();
        }
        assert_eq!(shared.sync_count("file"), 0, "the sync waits for it");
        shared.release(Action::Complete);
        assert_eq!([token, sync].map(|token| s.wait_for(token)), [0, 0]);
        let tail = if what == TRUNCATION { 4_000 } else { 10_100 };
        assert_eq!(s.io.tail(fd), Ok(tail));
        drop(holding);
    }
}

fn a_close_cuts_back_what_a_failed_append_left<F: InMode>() {
    for errno in [None, Some(Errno::IO)] {
        let Some((mut s, fd)) = session::<F::Mode>() else { return };
        s.shared().script(Rule::once("file", Of::Writes, Action::Torn(30, Errno::NOSPC)));
        let append = s.append(fd, &bytes(1, 0, 100)).unwrap();
        s.drain();
        assert_eq!(s.result(append), -Errno::NOSPC.number());
        // The kernel cuts off what a failed write of io_uring added, by itself.
        let left = s.shared().read("file").len();
        assert!([10_000, 10_030].contains(&left), "{left}");
        s.shared().state().log.clear();
        if let Some(errno) = errno {
            s.shared().script(Rule::once("file", Of::Alterations, Action::Fail(errno)));
        }
        let token = submit(&mut s, fd, Alteration::Close);
        assert_eq!(s.wait_for(token), errno.map_or(0, |errno| -errno.number()));
        assert_eq!(alterations(&s), [Alteration::Truncate { len: 10_000 }]);
        let len = if errno.is_some() { left } else { 10_000 };
        assert_eq!(s.shared().read("file").len(), len);
        s.open("file", &[]);
    }
}

conformance!(
    @real
    an_alteration_that_fails_is_told_and_changes_nothing,
    an_alteration_that_is_sent_back_is_asked_for_again,
    an_alteration_that_hangs_holds_up_its_file_and_no_call,
    a_close_cuts_back_what_a_failed_append_left,
);
