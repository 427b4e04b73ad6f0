//! Guarantee 13 with operations in flight for certain: the thread that submitted them ends, or the
//! process forks.
//!
//! # Safety
//! A forked child calls the backend, compares, and leaves with _exit(2): nothing that needs another
//! thread of the process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]
#![allow(unsafe_code)]

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use ringzero_core::{
    Errno, IoCompletion, IoFd, SliceSink, StorageIo, StorageIoError, StorageIoExt,
};
use ringzero_tests::{
    conformance,
    fixture::Setup,
    fuse::{self, Fused, Of},
    random::bytes,
    real::{InMode, Mode},
    session::{PATIENCE, Session},
};

/// Four writes and an append over the whole file, with a datasync behind them.
fn submit<M: Mode>(s: &mut Session<Fused<M>>, fd: IoFd) -> Vec<u64> {
    let mut tokens: Vec<u64> =
        (0..4).map(|id| s.write(fd, &bytes(id + 1, id * 200, 100), id * 200).unwrap()).collect();
    tokens.push(s.append(fd, &bytes(9, 800, 100)).unwrap());
    tokens.push(s.sync(fd).unwrap());
    tokens
}

fn check<M: Mode>(s: &mut Session<Fused<M>>, tokens: &[u64]) {
    s.drain();
    let results: Vec<i32> = tokens.iter().map(|&token| s.result(token)).collect();
    assert_eq!(results, [100, 100, 100, 100, 100, 0]);
    let mut expected = vec![1; 800];
    for id in 0..4_usize {
        let at = id * 200;
        expected[at..at + 100].copy_from_slice(&bytes(id as u64 + 1, at as u64, 100));
    }
    expected.extend(bytes(9, 800, 100));
    let shared = s.shared();
    assert!(shared.read("file") == expected);
    assert!(shared.state().file("file").durable == expected, "the datasync covered all of it");
}

fn completions_arrive_after_the_thread_that_submitted_has_ended<F: InMode>() {
    let Some(mut s) = fuse::open::<F::Mode>(&Setup::default()) else { return };
    let shared = s.shared();
    let fd = s.open("file", &[1; 800]);
    // Executed inside the call, nothing is in flight when a thread ends.
    let holding = (F::HAS_EXECUTOR).then(|| shared.hold("file", Of::Writes, 1));
    let (give, take) = mpsc::channel();
    let submitting = thread::spawn(move || {
        let tokens = submit(&mut s, fd);
        if F::HAS_EXECUTOR {
            s.poll_until_held(1);
        }
        assert!(give.send((s, tokens)).is_ok());
        // Ends here. The kernel lets it go only when its workers are done.
    });
    let (mut s, tokens) = take.recv().unwrap();
    if s.io.flush() == Err(StorageIoError::Io(Errno::EXIST)) {
        println!(
            "skipped on {}: bound to its first thread, whose end it does not outlive",
            F::NAME
        );
        drop(holding);
        return submitting.join().unwrap();
    }
    if F::HAS_EXECUTOR {
        assert_eq!(s.io.wait(1, Some(Duration::from_millis(50))), Ok(0), "control: in flight");
    }
    drop(holding);
    // Nobody waits for that thread, whose end is on its way.
    check(&mut s, &tokens);
    submitting.join().unwrap();
    let append = s.append(fd, b"goes on").unwrap();
    assert_eq!(s.wait_for(append), 7);
}

/// The number of the first check that fails in the child, 0 for none.
fn checks_in_child<B: StorageIo + StorageIoExt>(io: &mut B, fd: IoFd, pending: usize) -> i32 {
    let closed = Err(StorageIoError::Closed);
    let mut memory = [IoCompletion::default(); 8];
    let mut sink = SliceSink::new(&mut memory);
    io.poll_completions(&mut sink);
    let checks = [
        io.submit_write(fd, b"child", 0) == closed,
        io.submit_append(fd, b"child") == closed,
        io.submit_datasync(fd) == closed,
        io.flush() == Err(StorageIoError::Closed),
        io.wait(1, None) == Err(StorageIoError::Closed),
        io.deregister_fd(fd) == Err(StorageIoError::Closed),
        io.resume_append(fd) == closed,
        io.tail(fd) == closed,
        io.shutdown(Duration::ZERO) == Err(StorageIoError::Closed),
        sink.filled().is_empty(),
        io.pending_count() == pending,
    ];
    checks.iter().position(|is_right| !is_right).map_or(0, |index| index as i32 + 1)
}

/// The exit status of a child, which is killed if it does not end.
fn status_of(child: libc::pid_t) -> i32 {
    let begin = Instant::now();
    let mut status = -1;
    loop {
        // SAFETY: the child is ours and not waited for yet, and `status` is an int to write to.
        let ended = unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) };
        if ended == child {
            return status;
        }
        if begin.elapsed() > PATIENCE {
            // SAFETY: the number is still the child's.
            unsafe { libc::kill(child, libc::SIGKILL) };
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn a_forked_child_is_refused_and_the_parent_gets_its_completions<F: InMode>() {
    let Some(mut s) = fuse::open::<F::Mode>(&Setup::default()) else { return };
    let shared = s.shared();
    let fd = s.open("file", &[1; 800]);
    let holding = (F::HAS_EXECUTOR).then(|| shared.hold("file", Of::Writes, 1));
    let tokens = submit(&mut s, fd);
    if F::HAS_EXECUTOR {
        s.poll_until_held(1);
    }
    let before = shared.state().log.len();
    let pending = s.io.pending_count();
    assert_eq!(pending, tokens.len(), "in flight, or not delivered");
    // SAFETY: see the header.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        let failed = checks_in_child(&mut s.io, fd, pending);
        let begin = Instant::now();
        let Session { io, fixture, .. } = s;
        drop(io);
        let is_late = begin.elapsed() > Duration::from_secs(10);
        // The mount is the parent's.
        std::mem::forget(fixture);
        // SAFETY: ends the child, without running what belongs to the parent.
        unsafe { libc::_exit(if is_late { 99 } else { failed }) }
    }
    let status = status_of(child);
    assert!(libc::WIFEXITED(status), "the child was killed: {status:x}");
    assert_eq!(libc::WEXITSTATUS(status), 0, "{}: the number of the check", F::NAME);
    assert_eq!(shared.state().log.len(), before, "the child asked for nothing");
    drop(holding);
    check(&mut s, &tokens);
    let append = s.append(fd, b"goes on").unwrap();
    assert_eq!(s.wait_for(append), 7);
}

conformance!(
    @real
    completions_arrive_after_the_thread_that_submitted_has_ended,
    a_forked_child_is_refused_and_the_parent_gets_its_completions,
);
