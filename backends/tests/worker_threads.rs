//! The I/O threads as the host sees them: when they are there, what signals do to them, and that a
//! sleeper on either side is always woken.
//!
//! Tests take turns, because they count the threads of the process.
//!
//! # Mutations
//! Removed, and what is red then:
//! - an I/O thread rings after an answer: `a_sleeper_on_either_side_is_always_woken`.
//! - it rings after the answer is in the queue (before instead): that one, and
//!   `whoever_has_the_backend_is_woken`.
//! - the caller rings after a request is in the queue (before instead): both.
//! - the caller looks again after it armed the doorbell:
//!   `a_sleeper_on_either_side_is_always_woken`.
//! - an I/O thread does: `an_io_thread_that_goes_to_sleep_meets_a_caller_that_does_not`.
//! - signals are blocked: `a_signal_never_runs_on_an_io_thread`,
//!   `a_file_that_may_not_grow_ends_nothing`.
//! - a drop stops its threads: `the_threads_live_as_long_as_the_backend` does not end.
//! - `wait` sleeps without the park of the thread: `the_parks_of_the_host_are_its_own`.
//!
//! # Safety
//! Calls of libc with numbers, or with structures that live until the call returns.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test may fail, and says what it skips"
)]

mod worker_support;

use std::{
    fs::{self, File},
    sync::atomic::{AtomicI32, AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use ringzero::{Choice, Config, Errno, IoCompletion, StorageIo, StorageIoExt, WorkerBackend, open};
use ringzero_tests::confine::child;
use worker_support::{
    LONG, SHORT, SOON, alone, are_left_soon, commit, config, create, finish, io_threads,
};

fn null() -> File {
    File::options().write(true).open("/dev/null").unwrap()
}

#[test]
fn the_threads_live_as_long_as_the_backend() {
    let _turn = alone();
    let folder = tempfile::tempdir().unwrap();
    for threads in [1, 3] {
        let io = WorkerBackend::new(&config(threads)).unwrap();
        // A thread gives itself its name, so it may be a moment later.
        assert!(are_left_soon(threads as usize));
        drop(io);
        assert!(are_left_soon(0), "one that was never used");

        let mut io = WorkerBackend::new(&config(threads)).unwrap();
        let file = io.register_fd(create(&folder.path().join(format!("{threads}")))).unwrap();
        commit(&mut io, file, b"some work");
        io.submit_append(file, b"on its way").unwrap();
        io.flush().unwrap();
        assert!(are_left_soon(threads as usize));
        drop(io);
        assert!(are_left_soon(0), "one with work under way");

        let mut io = WorkerBackend::new(&config(threads)).unwrap();
        io.shutdown(LONG).unwrap();
        drop(io);
        assert!(are_left_soon(0), "one that was shut down");

        let io = WorkerBackend::new(&Config { drop_deadline: Duration::ZERO, ..config(threads) });
        drop(io);
        assert!(are_left_soon(0), "one that has no time, and needs none");
    }
    drop(open(&Config { backend: Choice::Worker, ..Config::default() }).unwrap());
    assert!(are_left_soon(0), "one that was tried out, and its twin");
}

static IO_THREADS: [AtomicI32; 2] = [const { AtomicI32::new(0) }; 2];
static RUNS: AtomicU32 = AtomicU32::new(0);
static RUNS_ON_IO_THREADS: AtomicU32 = AtomicU32::new(0);

extern "C" fn remember(_: libc::c_int) {
    // SAFETY: takes nothing.
    let number = unsafe { libc::gettid() };
    RUNS.fetch_add(1, Ordering::SeqCst);
    if IO_THREADS.iter().any(|thread| thread.load(Ordering::SeqCst) == number) {
        RUNS_ON_IO_THREADS.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_signal_never_runs_on_an_io_thread() {
    let _turn = alone();
    let folder = tempfile::tempdir().unwrap();
    let mut io = WorkerBackend::new(&config(2)).unwrap();
    let file = io.register_fd(create(&folder.path().join("file"))).unwrap();
    assert!(are_left_soon(2));
    for (number, place) in io_threads().into_iter().zip(&IO_THREADS) {
        place.store(number, Ordering::SeqCst);
        let status = fs::read_to_string(format!("/proc/self/task/{number}/status")).unwrap();
        let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
        let blocked = u64::from_str_radix(blocked.trim(), 16).unwrap();
        // SIGKILL and SIGSTOP cannot be blocked, and libc keeps 32 and 33 for itself.
        for signal in (1..=64).filter(|it| ![9, 19, 32, 33].contains(it)) {
            assert!(blocked >> (signal - 1) & 1 == 1, "signal {signal} is not blocked");
        }
    }
    // SAFETY: a structure of integers and pointers, for which zero means: no flags, no mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = remember as *const () as usize;
    // SAFETY: the handler stores to atomics, and `action` is readable.
    let result = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
    assert_eq!(result, 0);
    let process = libc::pid_t::try_from(std::process::id()).unwrap();

    for _ in 0..200 {
        // To the process: the handler runs on a thread of the host.
        // SAFETY: takes numbers.
        assert_eq!(unsafe { libc::kill(process, libc::SIGUSR1) }, 0);
        commit(&mut io, file, b"meanwhile");
    }
    let begin = Instant::now();
    while RUNS.load(Ordering::SeqCst) == 0 {
        assert!(begin.elapsed() < LONG, "control: handlers run");
        thread::yield_now();
    }
    for place in &IO_THREADS {
        // To an I/O thread itself: it stays pending.
        let number = place.load(Ordering::SeqCst);
        // SAFETY: takes numbers.
        let result = unsafe { libc::syscall(libc::SYS_tgkill, process, number, libc::SIGUSR1) };
        assert_eq!(result, 0);
    }
    for _ in 0..20 {
        commit(&mut io, file, b"meanwhile");
    }
    assert_eq!(RUNS_ON_IO_THREADS.load(Ordering::SeqCst), 0);
}

#[test]
fn a_file_that_may_not_grow_ends_nothing() {
    if !child::is_child() {
        let answer = child::run("a_file_that_may_not_grow_ends_nothing");
        return assert_eq!(answer, "alive");
    }
    let folder = tempfile::tempdir().unwrap();
    let mut io = WorkerBackend::new(&config(1)).unwrap();
    let file = io.register_fd(create(&folder.path().join("file"))).unwrap();
    // SIGXFSZ ends a process by default, and is sent to the thread that writes: setrlimit(2).
    child::limit(libc::RLIMIT_FSIZE, 4_096);
    let fits = io.submit_write(file, &[1; 100], 0).unwrap();
    let does_not = io.submit_write(file, &[2; 100], 1 << 20).unwrap();
    let mut completions = finish(&mut io);
    completions.sort_by_key(|it| it.token);
    let refused = -Errno::FBIG.number();
    let expected = [(fits, 100), (does_not, refused)];
    assert_eq!(completions.iter().map(|it| (it.token, it.result)).collect::<Vec<_>>(), expected);
    drop(io);
    drop(folder);
    child::answer("alive");
}

/// Far below what a lost wake-up costs: the sleep would end with its time limit.
fn is_prompt(begin: Instant) -> bool {
    begin.elapsed() < LONG / 2
}

/// How often the caller and an I/O thread hand each other something, one waiting for the other. The
/// time is for machines on which others want the processor too.
const ROUNDS: u64 = 100_000;
const ENOUGH: Duration = Duration::from_secs(6);

#[test]
fn a_sleeper_on_either_side_is_always_woken() {
    let _turn = alone();
    let mut completions: Vec<IoCompletion> = Vec::with_capacity(4);
    for threads in [1, 2] {
        let mut io = WorkerBackend::new(&config(threads)).unwrap();
        let file = io.register_fd(null()).unwrap();
        let (start, mut done) = (Instant::now(), 0);
        while done < ROUNDS && start.elapsed() < ENOUGH {
            let token = io.submit_write(file, b"ping", 0).unwrap();
            let begin = Instant::now();
            assert_eq!(io.wait(1, Some(LONG)), Ok(1));
            assert!(is_prompt(begin), "a wake-up was lost in round {done}");
            completions.clear();
            io.poll_completions(&mut completions);
            assert_eq!(completions, [IoCompletion { token, result: 4 }]);
            done += 1;
        }
        println!("{threads} threads: {done} times there and back in {:?}", start.elapsed());
        assert!(done > 1_000, "{done}");
    }
}

#[test]
fn an_io_thread_that_goes_to_sleep_meets_a_caller_that_does_not() {
    let _turn = alone();
    let mut completions: Vec<IoCompletion> = Vec::with_capacity(4);
    let mut io = WorkerBackend::new(&config(1)).unwrap();
    let file = io.register_fd(null()).unwrap();
    let (start, mut done) = (Instant::now(), 0);
    while done < ROUNDS * 4 && start.elapsed() < ENOUGH {
        // The answer is seen at once, and the next request is there when the thread has just found
        // its queue empty.
        let token = io.submit_write(file, b"ping", 0).unwrap();
        io.flush().unwrap();
        let begin = Instant::now();
        completions.clear();
        while completions.is_empty() {
            io.poll_completions(&mut completions);
            assert!(is_prompt(begin), "a wake-up was lost in round {done}");
        }
        assert_eq!(completions, [IoCompletion { token, result: 4 }]);
        done += 1;
    }
    println!("{done} times there and back in {:?}", start.elapsed());
    assert!(done > 1_000, "{done}");
}

#[test]
fn whoever_has_the_backend_is_woken() {
    let _turn = alone();
    let folder = tempfile::tempdir().unwrap();
    let mut io = WorkerBackend::new(&config(2)).unwrap();
    let file = io.register_fd(create(&folder.path().join("file"))).unwrap();
    for round in 0..200_u64 {
        // Begun here, waited for there, and back with what the other thread left.
        io.submit_append(file, &[7; 100]).unwrap();
        io.submit_datasync(file).unwrap();
        io.flush().unwrap();
        io = thread::spawn(move || {
            let begin = Instant::now();
            assert_eq!(io.wait(2, Some(LONG)), Ok(2), "round {round}");
            assert!(is_prompt(begin), "a wake-up was lost in round {round}");
            assert_eq!(finish(&mut io).len(), 2);
            io.submit_append(file, &[8; 100]).unwrap();
            io.flush().unwrap();
            io
        })
        .join()
        .unwrap();
        let begin = Instant::now();
        assert_eq!(io.wait(1, Some(LONG)), Ok(1), "round {round}");
        assert!(is_prompt(begin), "a wake-up was lost in round {round}");
        assert_eq!(finish(&mut io).len(), 1);
    }
    assert_eq!(io.tail(file), Ok(200 * 200));
}

#[test]
fn the_parks_of_the_host_are_its_own() {
    let _turn = alone();
    let mut io = WorkerBackend::new(&config(1)).unwrap();
    let file = io.register_fd(null()).unwrap();
    // A token that the host left for its own thread is still there after a wait.
    thread::current().unpark();
    io.submit_write(file, b"x", 0).unwrap();
    assert_eq!(io.wait(1, Some(LONG)), Ok(1));
    let begin = Instant::now();
    thread::park_timeout(LONG);
    assert!(begin.elapsed() < SOON);
    // And none was added.
    finish(&mut io);
    io.submit_write(file, b"x", 0).unwrap();
    assert_eq!(io.wait(1, Some(LONG)), Ok(1));
    let begin = Instant::now();
    thread::park_timeout(SHORT);
    assert!(begin.elapsed() >= SHORT / 2);
}
