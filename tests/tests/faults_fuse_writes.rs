//! Guarantees 3 and 7 over a file system that shortens writes, sends them back and loses them.
//!
//! # Mutations
//! | removed or changed | red |
//! |---|---|
//! | a lost write fails the file | four tests, all modes |
//! | continuation of writes; appends | `a_short_write_…`; `short_appends_…`, all but `sync` |
//! | continuation inline | both, `sync` |
//! | 16 attempts: 60 | `passing_errors_without_end_…`, all modes |
//! | EINTR and EAGAIN are retried | `passing_errors_…`, all modes |
//! | failures are noted for syncs | two tests of losses, all modes |
//! | zero progress is an error | `a_write_without_progress_…`, `sync` |
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{Errno, IoFd, StorageIo, StorageIoError, StorageIoExt, WriteKind};
use ringzero_tests::{
    conformance,
    disk::Ask,
    fixture::Setup,
    fuse::{self, Action, Fused, Of, Rule},
    random::bytes,
    real::{InMode, Mode},
    session::Session,
};

/// Requests of a write that makes no progress: the first and sixteen more.
const MOST_REQUESTS: usize = 17;

/// A file of 10,000 bytes, so that writes into it need not extend it.
fn file<M: Mode>(s: &mut Session<Fused<M>>) -> IoFd {
    s.open_anew("file", &bytes(9, 0, 10_000))
}

fn session<M: Mode>() -> Option<(Session<Fused<M>>, IoFd)> {
    let mut s = fuse::open::<M>(&Setup::default())?;
    let fd = file(&mut s);
    Some((s, fd))
}

fn a_short_write_goes_on_where_it_ended<F: InMode>() {
    let Some((mut s, fd)) = session::<F::Mode>() else { return };
    let shared = s.shared();
    shared.script(Rule::times("file", Of::Writes, Action::Short(100), 5));
    let data = bytes(1, 3_000, 1_000);
    let write = s.write(fd, &data, 3_000).unwrap();
    assert_eq!(s.wait_for(write), 1_000);
    let expected: Vec<Ask> = (0..6)
        .map(|part| Ask::Write {
            offset: 3_000 + part * 100,
            len: 1_000 - part * 100,
            pieces: 1,
            kind: WriteKind::Plain,
        })
        .collect();
    let asked: Vec<Ask> = shared.state().requests("file").iter().map(|it| it.1).collect();
    assert_eq!(asked, expected);
    let mut image = bytes(9, 0, 10_000);
    image[3_000..4_000].copy_from_slice(&data);
    assert!(shared.read("file") == image, "all bytes at their place, and no others");
}

fn short_appends_of_every_length_leave_one_stream<F: InMode>() {
    let Some((mut s, fd)) = session::<F::Mode>() else { return };
    let shared = s.shared();
    for short in [1, 7, 99, 100, 101, 511, 512, 513] {
        shared.script(Rule::times("file", Of::Writes, Action::Short(short), 2));
        shared.script(Rule::once("file", Of::Writes, Action::Complete));
    }
    let mut image = bytes(9, 0, 10_000);
    let mut tokens = Vec::new();
    for id in 1..40 {
        let data = bytes(id, image.len() as u64, 100 + id as usize * 7);
        tokens.push((s.retry(|s| s.append(fd, &data)).unwrap(), data.len() as i32));
        image.extend(data);
    }
    let sync = s.retry(|s| s.sync(fd)).unwrap();
    s.drain();
    assert!(tokens.iter().all(|&(token, len)| s.result(token) == len));
    assert_eq!(s.result(sync), 0);
    assert!(shared.read("file") == image);
    assert!(shared.state().fault_count >= 5, "control: {}", shared.state().fault_count);
}

fn a_write_without_progress_is_an_error_and_fails_the_file<F: InMode>() {
    let Some((mut s, fd)) = session::<F::Mode>() else { return };
    let shared = s.shared();
    shared.script(Rule::times("file", Of::Writes, Action::Zero, 100));
    let write = s.write(fd, &bytes(1, 0, 1_000), 0).unwrap();
    let result = s.wait_for(write);
    let errno = Errno::new(-result);
    // io_uring takes a write of 0 bytes for EAGAIN: see the header of the folder `fuse`.
    let asked = shared.write_count("file");
    println!("{}: a write of 0 bytes ends with {errno} after {asked} requests", F::NAME);
    let is_told = result == -Errno::IO.number() && asked == 1;
    let is_retried = result == -Errno::AGAIN.number() && asked == MOST_REQUESTS;
    assert!(is_told || F::HAS_EXECUTOR && is_retried, "{errno} after {asked} requests");
    is_failed(&mut s, fd, errno);
}

/// The failure was delivered: no request is made any more, whatever is submitted.
fn is_failed<M: Mode>(s: &mut Session<Fused<M>>, fd: IoFd, errno: Errno) {
    let shared = s.shared();
    let refused = Err(StorageIoError::Io(errno));
    let before = shared.state().requests("file").len();
    for _ in 0..2 {
        assert_eq!(s.write(fd, b"x", 0), refused);
        assert_eq!(s.append(fd, b"x"), refused);
        assert_eq!(s.sync(fd), refused);
        assert_eq!(s.io.resume_append(fd), refused);
    }
    s.io.flush().unwrap();
    s.poll();
    assert_eq!(s.io.file_status(fd).unwrap().failed, Some(errno));
    s.io.deregister_fd(fd).expect("closing a failed file succeeds");
    assert_eq!(shared.state().requests("file").len(), before, "nothing was asked since");
}

fn passing_errors_are_retried_until_the_write_succeeds<F: InMode>() {
    let Some(mut s) = fuse::open::<F::Mode>(&Setup::default()) else { return };
    let shared = s.shared();
    for errno in [Errno::INTR, Errno::AGAIN] {
        let fd = file(&mut s);
        shared.script(Rule::times("file", Of::Writes, Action::Fail(errno), 5));
        // Progress begins the count again.
        shared.script(Rule::once("file", Of::Writes, Action::Short(10)));
        shared.script(Rule::times("file", Of::Writes, Action::Fail(errno), 14));
        let write = s.write(fd, &bytes(1, 500, 1_000), 500).unwrap();
        let sync = s.sync(fd).unwrap();
        s.drain();
        assert_eq!([s.result(write), s.result(sync)], [1_000, 0], "{errno}");
        assert_eq!(shared.write_count("file"), 5 + 1 + 14 + 1, "{errno}");
        assert!(shared.read("file")[500..1_500] == bytes(1, 500, 1_000));
        s.io.deregister_fd(fd).unwrap();
    }
}

fn passing_errors_without_end_are_an_error_in_the_end<F: InMode>() {
    let Some(mut s) = fuse::open::<F::Mode>(&Setup::default()) else { return };
    let shared = s.shared();
    for errno in [Errno::INTR, Errno::AGAIN] {
        let fd = file(&mut s);
        shared.script(Rule::times("file", Of::Writes, Action::Fail(errno), 100));
        let write = s.write(fd, &bytes(1, 0, 1_000), 0).unwrap();
        assert_eq!(s.wait_for(write), -errno.number());
        assert_eq!(shared.write_count("file"), MOST_REQUESTS, "{errno}");
        is_failed(&mut s, fd, errno);
        assert!(shared.read("file") == bytes(9, 0, 10_000), "not a byte changed");
    }
}

fn a_lost_write_fails_the_file_for_good<F: InMode>() {
    let Some(mut s) = fuse::open::<F::Mode>(&Setup::default()) else { return };
    let shared = s.shared();
    for is_torn in [false, true] {
        let fd = file(&mut s);
        let before = s.sync(fd).unwrap();
        assert_eq!(s.wait_for(before), 0);
        let action = if is_torn { Action::Torn(300, Errno::IO) } else { Action::Fail(Errno::IO) };
        shared.script(Rule::once("file", Of::WriteAt(2_000), action));
        let good = s.write(fd, &bytes(1, 0, 500), 0).unwrap();
        let lost = s.write(fd, &bytes(2, 2_000, 500), 2_000).unwrap();
        let sync = s.sync(fd).unwrap();
        s.drain();
        let io = -Errno::IO.number();
        assert_eq!([good, lost, sync].map(|token| s.result(token)), [500, io, io]);
        assert_eq!(shared.sync_count("file"), 1, "no call after the loss");
        is_failed(&mut s, fd, Errno::IO);
        let image = shared.read("file");
        let mut expected = bytes(9, 0, 10_000);
        expected[..500].copy_from_slice(&bytes(1, 0, 500));
        if is_torn {
            expected[2_000..2_300].copy_from_slice(&bytes(2, 2_000, 300));
        }
        assert!(image == expected, "a lost write leaves its bytes in its own range or nowhere");
    }
}

fn a_lost_append_fails_the_file_and_what_is_behind_it_is_cancelled<F: InMode>() {
    let Some((mut s, fd)) = session::<F::Mode>() else { return };
    let shared = s.shared();
    shared.script(Rule::once("file", Of::WriteAt(10_000), Action::Fail(Errno::IO)));
    let tokens: Vec<u64> = (0..3).map(|_| s.append(fd, &[7; 400]).unwrap()).collect();
    let sync = s.sync(fd).unwrap();
    s.drain();
    let [io, cancelled] = [Errno::IO, Errno::CANCELED].map(|errno| -errno.number());
    let results: Vec<i32> = tokens.iter().map(|&token| s.result(token)).collect();
    assert_eq!(results, [io, cancelled, cancelled]);
    assert_eq!(s.result(sync), io, "the first failure it covers");
    assert_eq!(shared.sync_count("file"), 0);
    is_failed(&mut s, fd, Errno::IO);
    assert!(shared.read("file") == bytes(9, 0, 10_000), "a failed file is not cut");
}

conformance!(
    @real
    a_short_write_goes_on_where_it_ended,
    short_appends_of_every_length_leave_one_stream,
    a_write_without_progress_is_an_error_and_fails_the_file,
    passing_errors_are_retried_until_the_write_succeeds,
    passing_errors_without_end_are_an_error_in_the_end,
    a_lost_write_fails_the_file_for_good,
    a_lost_append_fails_the_file_and_what_is_behind_it_is_cancelled,
);
