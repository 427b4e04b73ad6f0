//! Guarantees 8, 10 and 12 over a file system that never answers: who goes on, who is told when,
//! and how long the calls of the hot path take meanwhile.
//!
//! io_uring sends buffered writes of one inode one after the other, by a hash of it in 64 buckets:
//! of seven other files one may share the bucket of the one that hangs, with 1 in 9 chance. A
//! backend with one worker may stand still with it, by definition: one thread of the worker
//! backend, or a submission queue of one entry, for which the kernel need not start a second worker
//! (io_uring_register(2), IORING_REGISTER_IOWQ_MAX_WORKERS: as many as entries, at most four per
//! processor). `sync` hangs itself, inside the call that submits, and is left out.
//!
//! # Mutations
//! | removed or changed | red |
//! |---|---|
//! | barrier | two tests, all but `sync` |
//! | the poll when a file is registered | `whether_a_file_is_ready_…`, all modes of io_uring |
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use ringzero_core::{Errno, IoFd, Limits, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    conformance,
    fixture::{SMALL, Setup},
    fuse::{self, Action, Event, Fused, Mount, Of, Options},
    random::bytes,
    real::{InMode, Mode},
    session::{PATIENCE, Session},
};

const SHORT: Duration = Duration::from_millis(100);
/// Of a call that sleeps for SHORT, on a machine that is busy otherwise.
const NOT_MUCH_MORE: Duration = Duration::from_secs(8);
/// Others that go on while one file hangs, of seven: see the header.
const ENOUGH: usize = 4;
/// Modes whose only worker the file that hangs may take up.
const ONE_WORKER: [&str; 2] = ["worker", "uring, registered buffers"];

/// Eight files, a short deadline for closing.
fn setup() -> Setup {
    let limits = Limits { files: 8, ..SMALL };
    Setup { close_deadline: SHORT, ..Setup::with(limits) }
}

/// A session, unless requests are executed inside the calls that submit them.
fn session<F: InMode>() -> Option<Session<Fused<F::Mode>>> {
    if !F::HAS_EXECUTOR {
        println!("skipped on {}: a call that submits hangs itself, by definition", F::NAME);
        return None;
    }
    fuse::open::<F::Mode>(&setup())
}

/// Seven files on another mount.
fn others<M: Mode>(s: &mut Session<Fused<M>>, mount: &Mount) -> Vec<(String, IoFd)> {
    let names = (0..7).map(|number| format!("other {number}"));
    let open = |name: String| {
        let file = mount.create(&name, &[]);
        (name, s.io.register_fd(file).expect("registered"))
    };
    names.map(open).collect()
}

fn files_of_another_mount_go_on<F: InMode>() {
    for of in [Of::Writes, Of::Syncs] {
        let Some(mut s) = session::<F>() else { return };
        let mount = Mount::new(Options::default()).expect("as the first one");
        let others = others(&mut s, &mount);
        let fd = s.open("hangs", &[]);
        let shared = s.shared();
        let holding = shared.hold("hangs", of, 1);
        let hangs = s.append(fd, &bytes(1, 0, 100)).unwrap();
        let sync = s.sync(fd).unwrap();
        s.poll_until_held(1);
        let mut tokens = Vec::new();
        for (_, fd) in &others {
            tokens.push([
                s.write(*fd, &bytes(2, 50, 100), 50).unwrap(),
                s.append(*fd, &bytes(3, 150, 60)).unwrap(),
                s.sync(*fd).unwrap(),
            ]);
        }
        let begin = Instant::now();
        let is_done =
            |s: &Session<Fused<F::Mode>>, [_, _, sync]: &[u64; 3]| s.results.contains_key(sync);
        let mut count = 0;
        while count < tokens.len() && begin.elapsed() < Duration::from_secs(2) {
            s.io.wait(1, Some(Duration::from_millis(5))).unwrap();
            s.poll();
            count = tokens.iter().filter(|it| is_done(&s, it)).count();
        }
        println!("{}: {count} of 7 files go on beside one whose {of:?} hang", F::NAME);
        let has_one_worker = ONE_WORKER.contains(&F::NAME);
        assert!(count >= ENOUGH || has_one_worker, "{count} of 7");
        assert!(!s.results.contains_key(&sync), "control: the file did hang");
        drop(holding);
        s.drain();
        assert_eq!([s.result(hangs), s.result(sync)], [100, 0]);
        for (place, (name, _)) in others.iter().enumerate() {
            let results = tokens[place].map(|token| s.result(token));
            assert_eq!(results, [100, 60, 0], "{name}");
            let found = mount.shared.read(name);
            assert!(found[50..] == [bytes(2, 50, 100), bytes(3, 150, 60)].concat(), "{name}");
        }
        // The backend holds files of the mount.
        drop(s);
    }
}

fn deregistration_answers_at_its_deadline_and_gives_everything_back_later<F: InMode>() {
    for of in [Of::Writes, Of::Syncs] {
        let Some(mut s) = session::<F>() else { return };
        let shared = s.shared();
        let fd = s.open("hangs", &[]);
        for name in 1..8 {
            s.open(&format!("other {name}"), &[]);
        }
        let holding = shared.hold("hangs", of, 1);
        let append = s.append(fd, &bytes(1, 0, 300)).unwrap();
        let sync = s.sync(fd).unwrap();
        s.poll_until_held(1);
        let begin = Instant::now();
        assert_eq!(s.io.deregister_fd(fd), Err(StorageIoError::Io(Errno::TIMEDOUT)));
        let taken = begin.elapsed();
        assert!(taken >= SHORT && taken < NOT_MUCH_MORE, "{}: {taken:?}", F::NAME);
        assert_eq!(s.append(fd, b"x"), Err(StorageIoError::BadFd));
        assert_eq!(s.io.deregister_fd(fd), Err(StorageIoError::BadFd));
        let file = s.fixture.mount.create("next", &[]);
        assert_eq!(s.io.register_fd(file), Err(StorageIoError::QueueFull), "its slot is taken");
        let again = s.fixture.mount.open("hangs");
        let busy = s.io.register_fd(again);
        assert!(matches!(busy, Err(StorageIoError::QueueFull | StorageIoError::Io(Errno::BUSY))));
        assert!(!s.results.contains_key(&sync), "control: it did not end by itself");
        drop(holding);
        s.drain();
        assert_eq!([s.result(append), s.result(sync)], [300, 0], "completions come late");
        assert!(shared.read("hangs") == bytes(1, 0, 300));
        let fd = s.open("next", &[]);
        let append = s.append(fd, b"next").unwrap();
        assert_eq!(s.wait_for(append), 4, "slot and blocks came back");
    }
}

/// The 50th and 99th percentile, and the longest.
fn spread(mut times: Vec<Duration>) -> [Duration; 3] {
    times.sort();
    let at = |per_cent: usize| times[(times.len() - 1) * per_cent / 100];
    [at(50), at(99), at(100)]
}

fn calls_of_the_hot_path_return_while_a_file_hangs<F: InMode>() {
    /// Generous: the machine may be busy, and a poll or flush of io_uring enters the kernel.
    const MEDIAN: Duration = Duration::from_micros(100);
    let Some(mut s) = session::<F>() else { return };
    let shared = s.shared();
    let mount = Mount::new(Options::default()).expect("as the first one");
    let others = others(&mut s, &mount);
    let fd = s.open("hangs", &[]);
    let holding = shared.hold("hangs", Of::Writes, u32::MAX);
    s.append(fd, &[1; 100]).unwrap();
    s.poll_until_held(1);
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    let (mut polls, mut flushes) = (Vec::new(), Vec::new());
    for round in 0..2_000 {
        let (_, other) = others[round % others.len()];
        for target in [fd, other] {
            let begin = Instant::now();
            let answer = match round % 3 {
                0 => s.io.submit_append(target, &[2; 64]),
                1 => s.io.submit_write(target, &[3; 64], 0),
                _ => s.io.submit_datasync(target),
            };
            let times = if answer.is_ok() { &mut accepted } else { &mut refused };
            times.push(begin.elapsed());
        }
        let begin = Instant::now();
        s.io.flush().unwrap();
        flushes.push(begin.elapsed());
        let mut batch = Vec::with_capacity(256);
        let begin = Instant::now();
        s.io.poll_completions(&mut batch);
        polls.push(begin.elapsed());
        if round % 16 == 0 {
            // Lets the other files go on, so that more is accepted.
            s.io.wait(1, Some(Duration::from_micros(200))).unwrap();
        }
    }
    assert!(refused.len() > 100, "control: what the hanging file may have is used up");
    assert!(accepted.len() > 30, "control: {} accepted", accepted.len());
    let calls =
        [("submit", accepted), ("refused submit", refused), ("flush", flushes), ("poll", polls)];
    for (call, times) in calls {
        let count = times.len();
        let [median, most, longest] = spread(times);
        println!("{}: {count} {call}: p50 {median:?}, p99 {most:?}, longest {longest:?}", F::NAME);
        assert!(median < MEDIAN, "{call}: {median:?}");
    }
    for timeout in [Duration::ZERO, Duration::from_millis(1), SHORT] {
        let many = s.io.pending_count();
        let begin = Instant::now();
        let count = s.io.wait(many, Some(timeout)).unwrap();
        let taken = begin.elapsed();
        println!("{}: wait of {timeout:?} took {taken:?}", F::NAME);
        assert!(count < many && taken >= timeout && taken < timeout + NOT_MUCH_MORE);
    }
    drop(holding);
    let begin = Instant::now();
    let mut batch = Vec::new();
    while s.io.pending_count() > 0 {
        assert!(begin.elapsed() < PATIENCE, "{} owed", s.io.pending_count());
        s.io.wait(1, Some(SHORT)).unwrap();
        s.io.poll_completions(&mut batch);
    }
    assert!(batch.iter().all(|completion| completion.result >= 0), "{batch:?}");
    drop(s);
}

/// io_uring polls a file that can be polled before a kernel worker writes to it, and FUSE waits for
/// the answer of the first poll: that must not happen in a call that submits.
fn whether_a_file_is_ready_is_not_asked_on_the_hot_path<F: InMode>() {
    let Some(mut s) = fuse::open::<F::Mode>(&setup()) else { return };
    let shared = s.shared();
    let poll_count = || {
        let is_poll = |event: &&Event| matches!(event, Event::Polled { .. });
        shared.state().log.iter().filter(is_poll).count()
    };
    let fd = s.open("file", &[1; 1_000]);
    let before = poll_count();
    let tokens = [s.write(fd, b"write", 0).unwrap(), s.append(fd, b"append").unwrap()];
    let sync = s.sync(fd).unwrap();
    s.drain();
    assert_eq!([tokens[0], tokens[1], sync].map(|token| s.result(token)), [5, 6, 0]);
    assert_eq!(poll_count(), before, "{}: asked while something was submitted", F::NAME);
}

fn an_answer_after_a_long_silence_is_an_answer<F: InMode>() {
    let Some(mut s) = session::<F>() else { return };
    let shared = s.shared();
    let fd = s.open("hangs", &[]);
    let holding = shared.hold("hangs", Of::Writes, 1);
    let append = s.append(fd, &bytes(1, 0, 100)).unwrap();
    let sync = s.sync(fd).unwrap();
    s.poll_until_held(1);
    assert_eq!(s.io.wait(1, Some(SHORT)), Ok(0));
    assert_eq!(shared.sync_count("hangs"), 0, "the sync waits for it");
    shared.release(Action::Torn(30, Errno::NOSPC));
    s.drain();
    let errno = -Errno::NOSPC.number();
    assert_eq!([s.result(append), s.result(sync)], [errno, errno]);
    assert_eq!(s.io.resume_append(fd), Ok(0));
    s.io.deregister_fd(fd).unwrap();
    assert!(shared.read("hangs").is_empty());
    drop(holding);
}

conformance!(
    @real
    files_of_another_mount_go_on,
    deregistration_answers_at_its_deadline_and_gives_everything_back_later,
    calls_of_the_hot_path_return_while_a_file_hangs,
    whether_a_file_is_ready_is_not_asked_on_the_hot_path,
    an_answer_after_a_long_silence_is_an_answer,
);
