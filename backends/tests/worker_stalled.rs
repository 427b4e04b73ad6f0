//! What happens while the disk does not answer: only `wait` waits, other files go on as long as a
//! thread is free, the deadlines of deregistration, shutdown and drop hold, and nothing is freed
//! that a thread may still use.
//!
//! The requests write to a frozen file system, so they are under way for as long as a test wants.
//!
//! # Mutations
//! Removed, and what is red then:
//! - memory is leaked (freed instead) when a deadline passes:
//!   `a_drop_waits_for_what_is_under_way_and_leaks_at_its_deadline`,
//!   `a_shutdown_that_runs_into_its_deadline_leaks_and_tells_everyone`.
//! - an open file is leaked with it (closed instead): `a_file_that_is_let_go_keeps_its_number`.
//! - the thread looks whether it was stopped: `a_drop_waits_…`, `a_shutdown_that_runs_…`.
//! - a drop waits for what was handed over (stops the threads at once instead):
//!   `a_drop_finishes_what_was_handed_over_and_hands_over_nothing_more`.
//! - a file goes to the thread with the fewest requests (slot modulo threads instead):
//!   `other_files_go_on_while_a_thread_is_free`.
//! - `wait` with a limit wakes up by itself: `only_a_wait_waits_for_a_disk_that_hangs`.
//!
//! # Safety
//! One descriptor that a backend leaked is taken back.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail, and says what it skips"
)]

mod worker_support;

use std::{
    fs,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use ringzero::{
    Config, Errno, IoCompletion, IoFd, Limits, StorageIo, StorageIoError, StorageIoExt,
    WorkerBackend,
};
use worker_support::{
    LONG, SHORT, SMALL, SOON, about, alone, are_stuck_soon, commit, config, create, finish,
    stuck_count, volume,
};

/// A page of which each byte tells its number.
fn page(number: u8) -> [u8; 4_096] {
    [number ^ 0x5A; 4_096]
}

/// Submits the pages as writes of their own, hands them over, and lets the first one begin.
fn write_pages(io: &mut WorkerBackend, file: IoFd, count: u8) {
    for number in 0..count {
        // Every other page, so that nothing merges.
        io.submit_write(file, &page(number), u64::from(number) * 8_192).unwrap();
    }
    let stuck = stuck_count();
    assert_eq!(io.flush(), Ok(usize::from(count)));
    assert!(are_stuck_soon(stuck + 1), "the writes do not stall");
}

/// The first of the pages had begun, and is all that is ever written.
fn only_the_first_page_is_written(path: &Path) {
    let begin = Instant::now();
    while fs::read(path).unwrap() != page(0) {
        assert!(begin.elapsed() < LONG, "the first page, which had begun, is not what it was");
        thread::sleep(Duration::from_millis(5));
    }
    thread::sleep(SHORT);
    assert!(fs::read(path).unwrap() == page(0), "something else was begun");
}

/// Maps and fills memory, so that pages that were given back are used again.
fn use_memory_again() -> Vec<Vec<u8>> {
    (0..64).map(|_| vec![0xEE; 256 << 10]).collect()
}

fn is_open(number: RawFd, path: &Path) -> bool {
    fs::read_link(format!("/proc/self/fd/{number}")).is_ok_and(|target| target == path)
}

#[test]
fn only_a_wait_waits_for_a_disk_that_hangs() {
    const ROUNDS: usize = 1_500;
    let _turn = alone();
    let Some(volume) = volume() else { return };
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { operations_per_file: 4_096, ..SMALL };
    let mut io = WorkerBackend::new(&Config { limits, ..config(1) }).unwrap();
    let hung = io.register_fd(create(&volume.path().join("hung"))).unwrap();
    let other = io.register_fd(create(&folder.path().join("other"))).unwrap();
    let stall = volume.stall();
    write_pages(&mut io, hung, 1);

    let mut completions: Vec<IoCompletion> = Vec::with_capacity(16);
    let mut durations = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS as u64 {
        let begin = Instant::now();
        io.submit_append(hung, b"behind it").unwrap();
        io.submit_datasync(hung).unwrap();
        io.submit_write(other, b"behind it", round * 16).unwrap();
        io.submit_datasync(other).unwrap();
        io.flush().unwrap();
        io.poll_completions(&mut completions);
        durations.push(begin.elapsed());
    }
    assert_eq!(completions, []);
    assert_eq!(io.pending_count(), 1 + 4 * ROUNDS);
    durations.sort();
    let (median, most) = (durations[ROUNDS / 2], durations[ROUNDS * 95 / 100]);
    let longest = durations[ROUNDS - 1];
    println!("6 calls: median {median:?}, 95 of 100 within {most:?}, at most {longest:?}");
    assert!(median < Duration::from_micros(100), "{median:?}");
    assert!(most < Duration::from_millis(2), "{most:?}");

    for limit in [Duration::ZERO, SHORT, SHORT * 3] {
        let begin = Instant::now();
        assert_eq!(io.wait(1, Some(limit)), Ok(0));
        assert!(about(begin.elapsed(), limit), "{limit:?}: {:?}", begin.elapsed());
    }
    let thaw = thread::spawn(move || {
        thread::sleep(SHORT);
        drop(stall);
    });
    assert_ne!(io.wait(1, None), Ok(0));
    thaw.join().unwrap();
    let completions = finish(&mut io);
    assert_eq!(completions.len(), 1 + 4 * ROUNDS);
    assert!(completions.iter().all(|it| it.result >= 0));
}

#[test]
fn other_files_go_on_while_a_thread_is_free() {
    let _turn = alone();
    let Some(volume) = volume() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut io = WorkerBackend::new(&config(2)).unwrap();
    let hung = io.register_fd(create(&volume.path().join("hung"))).unwrap();
    let others =
        ["a", "b", "c"].map(|name| io.register_fd(create(&folder.path().join(name))).unwrap());
    let stall = volume.stall();
    // A file that hangs holds one thread, however much there is to do.
    write_pages(&mut io, hung, 8);
    for round in 0..20_u8 {
        for other in others {
            commit(&mut io, other, &[round; 100]);
        }
    }
    assert_eq!(io.file_status(hung).unwrap().pending, 8);
    drop(stall);
    assert_eq!(finish(&mut io).len(), 8);
}

#[test]
fn as_many_hung_files_as_threads_stop_the_others_until_one_answers() {
    let _turn = alone();
    let Some(volume) = volume() else { return };
    let folder = tempfile::tempdir().unwrap();
    for threads in [1, 2] {
        let mut io = WorkerBackend::new(&config(threads)).unwrap();
        let hung: Vec<_> = (0..threads)
            .map(|number| volume.path().join(format!("{threads} {number}")))
            .map(|path| io.register_fd(create(&path)).unwrap())
            .collect();
        let other = io.register_fd(create(&folder.path().join(threads.to_string()))).unwrap();
        let stall = volume.stall();
        for file in hung {
            write_pages(&mut io, file, 1);
        }
        io.submit_append(other, b"waits for a thread").unwrap();
        assert_eq!(io.wait(1, Some(SHORT)), Ok(0));
        drop(stall);
        assert_eq!(finish(&mut io).len(), threads as usize + 1);
    }
}

#[test]
fn a_close_that_runs_into_its_deadline_gives_everything_back_later() {
    let _turn = alone();
    let Some(volume) = volume() else { return };
    let folder = tempfile::tempdir().unwrap();
    let config = Config { close_deadline: SHORT, ..config(2) };
    let mut io = WorkerBackend::new(&config).unwrap();
    let path = volume.path().join("stalled");
    let file = create(&path);
    let number = file.as_raw_fd();
    let stalled = io.register_fd(file).unwrap();
    let other = io.register_fd(create(&folder.path().join("other"))).unwrap();
    let stall = volume.stall();
    write_pages(&mut io, stalled, 4);
    let begin = Instant::now();
    assert_eq!(io.deregister_fd(stalled), Err(StorageIoError::Io(Errno::TIMEDOUT)));
    assert!(about(begin.elapsed(), SHORT), "{:?}", begin.elapsed());
    assert_eq!(io.submit_write(stalled, b"x", 0), Err(StorageIoError::BadFd));
    assert!(is_open(number, &path));
    commit(&mut io, other, b"goes on");
    drop(stall);
    let completions = finish(&mut io);
    assert!(completions.iter().all(|it| it.result == 4_096), "{completions:?}");
    assert_eq!(completions.len(), 4, "its completions are still delivered");
    io.wait(0, None).unwrap();
    assert!(!is_open(number, &path), "closed by a call that may block");
}

#[test]
fn a_shutdown_that_runs_into_its_deadline_leaks_and_tells_everyone() {
    let _turn = alone();
    let Some(volume) = volume() else { return };
    let folder = tempfile::tempdir().unwrap();
    for threads in [1, 3] {
        let mut io = WorkerBackend::new(&config(threads)).unwrap();
        let path = volume.path().join(threads.to_string());
        let file = io.register_fd(create(&path)).unwrap();
        let other_path = folder.path().join(threads.to_string());
        let other = io.register_fd(create(&other_path)).unwrap();
        let stall = volume.stall();
        write_pages(&mut io, file, 8);
        io.submit_append(other, b"behind it, or on a thread of its own").unwrap();
        let begin = Instant::now();
        assert_eq!(io.shutdown(SHORT), Err(StorageIoError::Io(Errno::TIMEDOUT)));
        assert!(about(begin.elapsed(), SHORT), "{:?}", begin.elapsed());
        assert_eq!(io.flush(), Err(StorageIoError::Closed));
        let mut completions: Vec<IoCompletion> = Vec::new();
        io.poll_completions(&mut completions);
        assert_eq!((completions.len(), io.pending_count()), (9, 0));
        let timed_out = -Errno::TIMEDOUT.number();
        let cut_off = completions.iter().filter(|it| it.result == timed_out).count();
        assert_eq!(cut_off, if threads == 1 { 9 } else { 8 });

        let begin = Instant::now();
        drop(io);
        assert!(begin.elapsed() < SOON, "nothing is waited for twice");
        let memory = use_memory_again();
        drop(stall);
        only_the_first_page_is_written(&path);
        drop(memory);
        let written = fs::read(&other_path).unwrap().len();
        assert_eq!(written > 0, threads > 1, "what was queued behind it is not begun");
    }
}

#[test]
fn a_drop_waits_for_what_is_under_way_and_leaks_at_its_deadline() {
    let _turn = alone();
    let Some(volume) = volume() else { return };
    for threads in [1, 3] {
        for deadline in [Duration::ZERO, SHORT] {
            let config = Config { drop_deadline: deadline, ..config(threads) };
            let mut io = WorkerBackend::new(&config).unwrap();
            let path = volume.path().join(format!("{threads} {deadline:?}"));
            let file = io.register_fd(create(&path)).unwrap();
            let stall = volume.stall();
            write_pages(&mut io, file, 8);
            let begin = Instant::now();
            drop(io);
            assert!(about(begin.elapsed(), deadline), "{:?}", begin.elapsed());
            let memory = use_memory_again();
            drop(stall);
            only_the_first_page_is_written(&path);
            drop(memory);
        }
    }
}

#[test]
fn a_file_that_is_let_go_keeps_its_number() {
    let _turn = alone();
    let Some(volume) = volume() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut io = WorkerBackend::new(&Config { drop_deadline: SHORT, ..config(2) }).unwrap();
    let path = volume.path().join("data");
    let file = create(&path);
    let idle = create(&folder.path().join("idle"));
    let (number, idle_number) = (file.as_raw_fd(), idle.as_raw_fd());
    let file = io.register_fd(file).unwrap();
    let idle = io.register_fd(idle).unwrap();
    commit(&mut io, idle, b"long done");
    let stall = volume.stall();
    write_pages(&mut io, file, 2);
    drop(io);
    assert!(is_open(number, &path), "a thread that runs late may still name it");
    assert!(!is_open(idle_number, &folder.path().join("idle")), "nobody names this one");
    drop(stall);
    only_the_first_page_is_written(&path);
    // SAFETY: the backend has forgotten the descriptor, and its thread is done with it.
    drop(unsafe { OwnedFd::from_raw_fd(number) });
}

#[test]
fn a_drop_finishes_what_was_handed_over_and_hands_over_nothing_more() {
    let _turn = alone();
    let Some(volume) = volume() else { return };
    let mut io = WorkerBackend::new(&Config { drop_deadline: LONG, ..config(1) }).unwrap();
    let path = volume.path().join("data");
    let file = io.register_fd(create(&path)).unwrap();
    let stall = volume.stall();
    // One is begun, some are queued for the thread, and some are not handed over.
    write_pages(&mut io, file, 4);
    io.submit_write(file, b"never written", 1 << 20).unwrap();
    io.submit_datasync(file).unwrap();
    let thaw = thread::spawn(move || {
        thread::sleep(SHORT);
        drop(stall);
    });
    let begin = Instant::now();
    drop(io);
    assert!(about(begin.elapsed(), SHORT / 2), "{:?}", begin.elapsed());
    let found = fs::read(&path).unwrap();
    thaw.join().unwrap();
    assert_eq!(found.len(), 4 * 8_192 - 4_096);
    for (number, found) in found.chunks(8_192).enumerate() {
        assert!(found[..4_096] == page(number as u8), "page {number}, when drop returns");
    }
    thread::sleep(SHORT);
    assert_eq!(fs::metadata(&path).unwrap().len(), 4 * 8_192 - 4_096);
}
