//! A kernel that is short of something: enter answers EAGAIN, EBUSY, EINTR or ENOMEM (a filter on
//! one thread sees to it). That is `Ok(0)` and not an error, nothing is lost, and everything goes
//! on when the shortage is over (on another thread). An error for good is reported.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail, and says what it skips"
)]

mod uring_support;

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use ringzero::{
    Config, Errno, IoCompletion, IoFd, StorageIo, StorageIoError, StorageIoExt, UringBackend,
};
use ringzero_tests::confine::filter;
use uring_support::{create, finish, ring};

const SHORT: Duration = Duration::from_millis(100);

/// Runs `test` with a ring and a file on a thread where enter fails with `errno`, and returns what
/// is left of it.
fn with_enter_failing(
    errno: i32,
    config: &Config,
    test: impl FnOnce(&mut UringBackend, IoFd) + Send,
) -> Option<(UringBackend, tempfile::TempDir)> {
    let mut io = ring(config)?;
    let folder = tempfile::tempdir().unwrap();
    let log = io.register_fd(create(&folder.path().join("log"))).unwrap();
    let io = thread::scope(|scope| {
        let failing = scope.spawn(move || match filter::fail(libc::SYS_io_uring_enter, errno) {
            Ok(()) => {
                test(&mut io, log);
                Some(io)
            }
            Err(error) => {
                ringzero_tests::skip::skip(format!("no filter: {error}"));
                None
            }
        });
        failing.join().unwrap()
    });
    Some((io?, folder))
}

#[test]
fn a_passing_shortage_is_no_error_and_loses_nothing() {
    for errno in [libc::EAGAIN, libc::EBUSY, libc::EINTR, libc::ENOMEM] {
        let left = with_enter_failing(errno, &Config::default(), |io, log| {
            io.submit_append(log, b"one ").unwrap();
            io.submit_datasync(log).unwrap();
            assert_eq!(io.flush(), Ok(0));
            assert_eq!(io.flush(), Ok(0));
            io.submit_append(log, b"two ").unwrap();
            let mut completions: Vec<IoCompletion> = Vec::new();
            io.poll_completions(&mut completions);
            assert_eq!(completions, []);
            assert_eq!(io.pending_count(), 3);
        });
        let Some((mut io, folder)) = left else { return };
        let completions = finish(&mut io);
        assert!(completions.iter().all(|it| it.result >= 0), "{completions:?}");
        assert_eq!(completions.len(), 3);
        assert_eq!(fs::read(folder.path().join("log")).unwrap(), b"one two ");
    }
}

#[test]
fn a_wait_during_a_shortage_keeps_to_its_time_and_does_not_burn_it() {
    let left = with_enter_failing(libc::EAGAIN, &Config::default(), |io, log| {
        io.submit_append(log, b"x").unwrap();
        let (begin, naps) = (Instant::now(), naps());
        assert_eq!(io.wait(1, Some(SHORT)), Ok(0));
        assert!(begin.elapsed() >= SHORT);
        let naps = self::naps() - naps;
        assert!(naps > 5, "{naps} naps in {SHORT:?}");
    });
    let Some((mut io, _folder)) = left else { return };
    assert_eq!(finish(&mut io).len(), 1);
}

#[test]
fn entries_that_no_kernel_took_are_not_waited_for_at_drop() {
    let left = with_enter_failing(libc::EAGAIN, &Config::default(), |io, log| {
        io.submit_append(log, b"x").unwrap();
        assert_eq!(io.flush(), Ok(0));
    });
    let Some((io, folder)) = left else { return };
    let begin = Instant::now();
    drop(io);
    assert!(begin.elapsed() < Config::default().drop_deadline / 2);
    assert_eq!(fs::read(folder.path().join("log")).unwrap(), b"");
}

#[test]
fn a_close_or_shutdown_during_a_shortage_keeps_to_its_deadline() {
    let timed_out = Err(StorageIoError::Io(Errno::TIMEDOUT));
    let config = Config { close_deadline: SHORT, ..Config::default() };
    let left = with_enter_failing(libc::EBUSY, &config, |io, log| {
        io.submit_append(log, b"x").unwrap();
        assert_eq!(io.deregister_fd(log), timed_out);
        assert_eq!(io.shutdown(SHORT), timed_out);
        let mut completions: Vec<IoCompletion> = Vec::new();
        io.poll_completions(&mut completions);
        assert_eq!(completions[0].result, -Errno::TIMEDOUT.number());
    });
    drop(left);
}

#[test]
fn an_error_for_good_is_reported_and_the_rest_goes_on_where_it_can() {
    let gone = Errno::new(libc::EBADFD);
    let left = with_enter_failing(gone.number(), &Config::default(), |io, log| {
        io.submit_append(log, b"x").unwrap();
        assert_eq!(io.flush(), Err(StorageIoError::Io(gone)));
        assert_eq!(io.wait(1, None), Err(StorageIoError::Io(gone)));
        io.poll_completions(&mut Vec::<IoCompletion>::new());
        assert_eq!(io.pending_count(), 1);
    });
    let Some((mut io, _folder)) = left else { return };
    assert_eq!(finish(&mut io)[0].result, 1);
}

/// How often the calling thread gave up the processor by itself so far.
fn naps() -> u64 {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.unwrap().trim().parse().unwrap()
}
