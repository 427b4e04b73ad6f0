//! How often the kernel is entered: only to hand requests over, or to sleep. The kernel itself
//! counts, through a filter on the calling thread (seccomp(2), SECCOMP_RET_USER_NOTIF).
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail, and says what it skips"
)]
#![allow(unsafe_code, reason = "calls of libc that std has no form of")]

mod uring_support;

use std::{fs::File, thread, time::Duration};

use ringzero::{
    Config, IoCompletion, IoFd, StorageIo, StorageIoExt, UringBackend, UringConfig, UringMode,
};
use ringzero_tests::{confine::watch::Watch, skip::skip};
use uring_support::{finish, ring};

/// Runs `test` on a thread of its own whose enters are counted.
fn metered(uring: UringConfig, test: impl FnOnce(&mut UringBackend, IoFd, &Watch) + Send) {
    thread::scope(|scope| {
        scope.spawn(|| {
            let watch = match Watch::of(libc::SYS_io_uring_enter) {
                Ok(watch) => watch,
                Err(error) => return skip(format!("no filter that counts: {error}")),
            };
            // The watch works: a call that fails is one too.
            // SAFETY: there is no such descriptor, so the call does nothing.
            unsafe { libc::syscall(libc::SYS_io_uring_enter, -1, 0, 0, 0, 0, 0) };
            assert_eq!(watch.take().len(), 1);
            let Some(mut io) = ring(&Config { uring, ..Config::default() }) else { return };
            // What is written here is complete when the call that hands it over returns.
            let null = File::options().write(true).open("/dev/null").unwrap();
            let null = io.register_fd(null).unwrap();
            test(&mut io, null, &watch);
        });
    });
}

fn own_rings() -> [UringConfig; 2] {
    [UringMode::Interrupt, UringMode::ThreadBound].map(|mode| UringConfig {
        mode,
        sq_entries: 64,
        ..UringConfig::default()
    })
}

#[test]
fn with_nothing_to_do_the_kernel_is_left_alone() {
    for uring in own_rings() {
        metered(uring, |io, null, watch| {
            let mut completions: Vec<IoCompletion> = Vec::new();
            for _ in 0..100 {
                assert_eq!(io.flush(), Ok(0));
                io.poll_completions(&mut completions);
                assert_eq!(io.wait(1, Some(Duration::from_secs(1))), Ok(0));
                assert_eq!(io.wait(0, None), Ok(0));
            }
            io.submit_write(null, b"x", 0).unwrap();
            assert_eq!(watch.take().len(), 0, "{uring:?}: submitting enters nothing");
            assert_eq!(finish(io).len(), 1);
        });
    }
}

#[test]
fn a_batch_takes_one_call_to_hand_over_and_none_to_take_back() {
    for uring in own_rings() {
        metered(uring, |io, null, watch| {
            let mut completions: Vec<IoCompletion> = Vec::with_capacity(64);
            for _ in 0..10 {
                for at in 0..64 {
                    io.submit_write(null, &[0; 64], at * 128).unwrap();
                }
                assert_eq!(io.flush(), Ok(64));
                assert_eq!(watch.take().len(), 1, "{uring:?}");
                completions.clear();
                io.poll_completions(&mut completions);
                assert_eq!((completions.len(), watch.take().len()), (64, 0), "{uring:?}");
            }
        });
    }
}

#[test]
fn work_for_a_queue_many_times_over_takes_one_call_for_each_time() {
    for uring in own_rings() {
        metered(uring, |io, null, watch| {
            for at in 0..640 {
                io.submit_write(null, &[0; 64], at * 128).unwrap();
            }
            assert_eq!(io.flush(), Ok(640));
            assert_eq!(watch.take().len(), 10, "{uring:?}");
            assert_eq!(finish(io).len(), 640);
            assert_eq!(watch.take().len(), 0, "{uring:?}: everything was there");
        });
    }
}

#[test]
fn a_wait_hands_over_and_sleeps_in_one_call() {
    for uring in own_rings() {
        metered(uring, |io, null, watch| {
            for at in 0..64 {
                io.submit_write(null, &[0; 64], at * 128).unwrap();
            }
            assert_eq!(io.wait(1, None), Ok(64));
            assert_eq!(watch.take().len(), 1, "{uring:?}");
            assert_eq!(finish(io).len(), 64);
        });
    }
}

#[test]
fn a_poll_that_starts_work_delivers_what_completed_inside_the_call() {
    for uring in own_rings() {
        metered(uring, |io, null, watch| {
            io.submit_write(null, &[0; 64], 0).unwrap();
            let mut completions: Vec<IoCompletion> = Vec::new();
            io.poll_completions(&mut completions);
            assert_eq!((completions.len(), watch.take().len()), (1, 1), "{uring:?}");
        });
    }
}

#[test]
fn polling_for_what_a_worker_does_enters_only_when_the_queue_is_flagged() {
    for uring in own_rings() {
        metered(uring, |io, _, watch| {
            let folder = tempfile::tempdir().unwrap();
            let log = io.register_fd(uring_support::create(&folder.path().join("log"))).unwrap();
            watch.take();
            let mut completions: Vec<IoCompletion> = Vec::new();
            for round in 1..=20 {
                io.submit_datasync(log).unwrap();
                io.flush().unwrap();
                let mut polls = 0_u64;
                while completions.len() < round {
                    io.poll_completions(&mut completions);
                    polls += 1;
                    thread::sleep(Duration::from_micros(10));
                }
                // One to hand the sync over; in the thread-bound mode one for its completion.
                let most = if uring.mode == UringMode::Interrupt { 1 } else { 2 };
                let calls = watch.take().len();
                assert!(calls <= most, "{uring:?}: {calls} calls in {polls} polls");
            }
        });
    }
}

#[test]
fn a_polling_thread_that_is_awake_is_handed_work_without_a_call() {
    let mode = UringMode::SqPoll { idle: Duration::from_secs(5) };
    metered(UringConfig { mode, ..UringConfig::default() }, |io, null, watch| {
        // It may have gone to sleep before the first; it stays awake after.
        io.submit_write(null, &[0; 64], 0).unwrap();
        io.flush().unwrap();
        while io.pending_count() > 0 {
            io.poll_completions(&mut Vec::<IoCompletion>::new());
            thread::yield_now();
        }
        watch.take();
        for at in 0..1_000 {
            io.submit_write(null, &[0; 64], at * 128).unwrap();
            assert_eq!(io.flush(), Ok(1));
            while io.pending_count() > 0 {
                io.poll_completions(&mut Vec::<IoCompletion>::new());
                thread::yield_now();
            }
        }
        assert_eq!(watch.take().len(), 0);
    });
}
