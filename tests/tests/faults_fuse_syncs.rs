//! Guarantees 6 and 7 over a file system whose fsync fails once and then says 0, as ext4 and XFS
//! do.
//!
//! # Mutations
//! | removed or changed | red |
//! |---|---|
//! | a failed data-sync fails the file | four of five tests, all modes |
//! | a failed data-sync is not tried again | the same |
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{Errno, IoFd, StorageIo, StorageIoError, StorageIoExt, SyncKind};
use ringzero_tests::{
    conformance,
    disk::Ask,
    fixture::Setup,
    fuse::{self, Action, Fused, Of, Rule},
    random::bytes,
    real::{InMode, Mode},
    session::Session,
};

const CANCELED: i32 = -Errno::CANCELED.number();
const ERRORS: [Errno; 4] = [Errno::IO, Errno::NOSPC, Errno::DQUOT, Errno::INTR];

/// Nothing is taken, and no FSYNC is sent, ever again on this handle; on a new one all is well.
fn is_failed_for_good<M: Mode>(s: &mut Session<Fused<M>>, fd: IoFd, errno: Errno) {
    let shared = s.shared();
    let before = shared.state().requests("log").len();
    let refused = Err(StorageIoError::Io(errno));
    for _ in 0..2 {
        assert_eq!(s.sync(fd), refused);
        assert_eq!(s.write(fd, b"x", 0), refused);
        assert_eq!(s.append(fd, b"x"), refused);
        assert_eq!(s.io.resume_append(fd), refused);
        s.io.flush().unwrap();
        s.poll();
    }
    assert_eq!(s.io.file_status(fd).unwrap().failed, Some(errno));
    s.io.deregister_fd(fd).expect("closing a failed file succeeds");
    assert_eq!(shared.state().requests("log").len(), before, "nothing was asked since");
    let file = s.fixture.mount.open("log");
    let fd = s.io.register_fd(file).expect("registered again");
    let sync = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(sync), 0, "control: the next FSYNC does say 0");
    s.io.deregister_fd(fd).unwrap();
}

fn a_datasync_that_fails_once_is_not_tried_again<F: InMode>() {
    let Some(mut s) = fuse::open::<F::Mode>(&Setup::default()) else { return };
    let shared = s.shared();
    for errno in ERRORS {
        let fd = s.open_anew("log", &[]);
        let append = s.append(fd, &bytes(1, 0, 500)).unwrap();
        let sync = s.sync(fd).unwrap();
        s.drain();
        assert_eq!([s.result(append), s.result(sync)], [500, 0]);
        shared.script(Rule::once("log", Of::Syncs, Action::Fail(errno)));
        let append = s.append(fd, &bytes(2, 500, 500)).unwrap();
        let failed = s.sync(fd).unwrap();
        s.drain();
        assert_eq!([s.result(append), s.result(failed)], [500, -errno.number()], "{errno}");
        assert_eq!(shared.sync_count("log"), 2, "{errno}: it failed, once");
        is_failed_for_good(&mut s, fd, errno);
        assert_eq!(shared.sync_count("log"), 3, "of the new handle");
        assert!(shared.read("log") == [bytes(1, 0, 500), bytes(2, 500, 500)].concat());
    }
}

fn of_two_datasyncs_accepted_before_the_failure_is_delivered_neither_succeeds<F: InMode>() {
    let Some(mut s) = fuse::open::<F::Mode>(&Setup::default()) else { return };
    let shared = s.shared();
    for errno in ERRORS {
        let fd = s.open_anew("log", &[]);
        shared.script(Rule::once("log", Of::Syncs, Action::Fail(errno)));
        let append = s.append(fd, &bytes(1, 0, 500)).unwrap();
        let first = s.sync(fd).unwrap();
        s.io.flush().unwrap();
        if !F::IS_INLINE {
            // Until the failure is there; it is not delivered.
            let mut polls = 0;
            while shared.sync_count("log") == 0 && polls < 100_000 {
                s.io.wait(2, Some(std::time::Duration::from_millis(1))).unwrap();
                polls += 1;
            }
        }
        let behind = s.append(fd, &bytes(2, 500, 300)).unwrap();
        let second = s.sync(fd).unwrap();
        assert_eq!(s.io.pending_count(), 4, "nothing was delivered so far");
        s.drain();
        assert_eq!([s.result(append), s.result(first)], [500, -errno.number()]);
        let results = [s.result(behind), s.result(second)];
        // What was with the executor ends with its own result; no sync succeeds.
        assert!([300, CANCELED].contains(&results[0]), "{results:?}");
        assert!(results[1] < 0, "{errno}: of two datasyncs the second says {results:?}");
        assert_eq!(shared.sync_count("log"), 1, "{errno}: one call, which failed");
        is_failed_for_good(&mut s, fd, errno);
    }
}

fn datasyncs_that_share_a_call_share_its_error<F: InMode>() {
    let Some(mut s) = fuse::open::<F::Mode>(&Setup::default()) else { return };
    let shared = s.shared();
    let fd = s.open("log", &[]);
    shared.script(Rule::once("log", Of::Syncs, Action::Fail(Errno::IO)));
    let append = s.append(fd, &bytes(1, 0, 500)).unwrap();
    let syncs: Vec<u64> = (0..4).map(|_| s.sync(fd).unwrap()).collect();
    s.drain();
    assert_eq!(s.result(append), 500);
    let results: Vec<i32> = syncs.iter().map(|&token| s.result(token)).collect();
    assert_eq!(results[0], -Errno::IO.number());
    assert!(results.iter().all(|&result| result < 0), "{results:?}");
    assert_eq!(shared.sync_count("log"), 1);
    is_failed_for_good(&mut s, fd, Errno::IO);
}

fn a_failure_of_one_file_is_not_that_of_another<F: InMode>() {
    let Some(mut s) = fuse::open::<F::Mode>(&Setup::default()) else { return };
    let shared = s.shared();
    let fd = s.open("log", &[]);
    let other = s.open("other", &[]);
    shared.script(Rule::once("log", Of::Syncs, Action::Fail(Errno::IO)));
    for id in 0..3 {
        s.append(fd, &bytes(1 + id, id * 100, 100)).unwrap();
        s.append(other, &bytes(11 + id, id * 100, 100)).unwrap();
    }
    let failed = s.sync(fd).unwrap();
    let good = s.sync(other).unwrap();
    s.drain();
    assert_eq!([s.result(failed), s.result(good)], [-Errno::IO.number(), 0]);
    let expected: Vec<u8> = (0..3).flat_map(|id| bytes(11 + id, id * 100, 100)).collect();
    assert!(shared.state().file("other").durable == expected);
    is_failed_for_good(&mut s, fd, Errno::IO);
}

fn the_first_call_is_a_full_one_and_the_kernel_passes_that_on<F: InMode>() {
    let Some(mut s) = fuse::open::<F::Mode>(&Setup::default()) else { return };
    let fd = s.open("log", &[]);
    for _ in 0..3 {
        let sync = s.sync(fd).unwrap();
        assert_eq!(s.wait_for(sync), 0);
    }
    let asked: Vec<Ask> = s.shared().state().requests("log").iter().map(|it| it.1).collect();
    assert_eq!(asked, [SyncKind::Full, SyncKind::Data, SyncKind::Data].map(Ask::Sync));
}

conformance!(
    @real
    a_datasync_that_fails_once_is_not_tried_again,
    of_two_datasyncs_accepted_before_the_failure_is_delivered_neither_succeeds,
    datasyncs_that_share_a_call_share_its_error,
    a_failure_of_one_file_is_not_that_of_another,
    the_first_call_is_a_full_one_and_the_kernel_passes_that_on,
);
