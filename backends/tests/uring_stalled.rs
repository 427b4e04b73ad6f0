//! What happens while the kernel holds a request and does not answer: waiting with a time limit and
//! with a signal, the deadlines of deregistration, shutdown and drop, and who frees the memory.
//! (What every backend does then: `conformance_frozen` of the package `ringzero-tests`.)
//!
//! The requests write to a frozen file system, so they are in flight for as long as a test wants.
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

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use ringzero::{
    Config, Errno, IoCompletion, IoFd, Limits, StorageIo, StorageIoError, StorageIoExt,
    UringBackend, UringMode,
};
use ringzero_tests::confine::filter;
use uring_support::{MODES, SMALL, config, create, finish, is_closed_soon, is_open, ring, volume};

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(15);
/// Of what does not sleep, on a machine that is busy otherwise.
const SOON: Duration = Duration::from_secs(3);

/// Whether `duration` is at least `expected` and not much more.
fn about(duration: Duration, expected: Duration) -> bool {
    duration >= expected && duration < expected + Duration::from_secs(5)
}

/// Pages of which each byte tells the page's number.
fn pages(count: u8) -> Vec<u8> {
    (0..count).flat_map(|page| [page ^ 0x5A; 4_096]).collect()
}

/// Submits the pages as writes of their own, hands them over, and lets the first one begin.
fn write_pages(io: &mut UringBackend, file: IoFd, count: u8) {
    for (page, data) in pages(count).chunks(4_096).enumerate() {
        // Every other page, so that nothing merges.
        io.submit_write(file, data, page as u64 * 8_192).unwrap();
    }
    assert_eq!(io.flush(), Ok(usize::from(count)));
    assert_eq!(io.wait(1, Some(SHORT / 2)), Ok(0), "the writes do not stall");
}

/// What `write_pages` leaves in the file.
fn expected(count: u8) -> Vec<u8> {
    let mut bytes = vec![0; usize::from(count) * 8_192 - 4_096];
    for (page, data) in pages(count).chunks(4_096).enumerate() {
        bytes[page * 8_192..page * 8_192 + 4_096].copy_from_slice(data);
    }
    bytes
}

/// Checks what the kernel writes after a backend was dropped. What it had begun goes on, what it
/// had not may be given up; nothing else is ever written.
fn check_what_is_written(path: &Path, count: u8) {
    let (begin, expected) = (Instant::now(), expected(count));
    let found = || fs::read(path).unwrap();
    while found().get(..4_096) != expected.get(..4_096) {
        assert!(begin.elapsed() < LONG, "the first page, which had begun, is not what it was");
        thread::sleep(Duration::from_millis(5));
    }
    thread::sleep(SHORT);
    for (page, (found, expected)) in found().chunks(4_096).zip(expected.chunks(4_096)).enumerate() {
        let is_given_up = found.iter().all(|byte| *byte == 0);
        assert!(found == expected || is_given_up, "page {page} holds something else");
    }
}

/// Maps and fills memory, so that pages that were given back are used again.
fn use_memory_again() -> Vec<Vec<u8>> {
    (0..64).map(|_| vec![0xEE; 256 << 10]).collect()
}

#[test]
fn waiting_ends_when_the_time_is_up_or_an_answer_comes() {
    let Some(volume) = volume() else { return };
    for mode in MODES {
        let Some(mut io) = ring(&config(mode)) else { continue };
        let file = io.register_fd(create(&volume.path().join(format!("{mode:?}")))).unwrap();
        let stall = volume.stall();
        io.submit_append(file, b"stalled").unwrap();
        let begin = Instant::now();
        assert_eq!(io.wait(1, Some(Duration::ZERO)), Ok(0));
        assert!(begin.elapsed() < SOON);
        assert_eq!(io.wait(1, Some(SHORT)), Ok(0));
        assert!(about(begin.elapsed(), SHORT), "{mode:?}: {:?}", begin.elapsed());

        // A poll never sleeps, whatever is in flight.
        let begin = Instant::now();
        let mut completions: Vec<IoCompletion> = Vec::new();
        for _ in 0..100 {
            io.poll_completions(&mut completions);
        }
        assert!(begin.elapsed() < SOON, "{mode:?}: {:?}", begin.elapsed());
        assert_eq!(completions, []);
        assert_eq!(io.file_status(file).unwrap().pending, 1);

        let thaw = thread::spawn(move || {
            thread::sleep(SHORT);
            drop(stall);
        });
        assert_eq!(io.wait(1, None), Ok(1));
        thaw.join().unwrap();
        assert_eq!(finish(&mut io)[0].result, 7);
    }
}

#[test]
fn a_signal_handler_ends_a_wait_early() {
    extern "C" fn nothing(_: libc::c_int) {}

    let Some(volume) = volume() else { return };
    // SAFETY: a structure of integers and pointers, for which zero means: no flags, no mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = nothing as *const () as usize;
    // SAFETY: the handler does nothing, and `action` is readable.
    let result = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
    assert_eq!(result, 0);
    for mode in MODES {
        let Some(mut io) = ring(&config(mode)) else { continue };
        let file = io.register_fd(create(&volume.path().join(format!("{mode:?}")))).unwrap();
        let stall = volume.stall();
        io.submit_append(file, b"stalled").unwrap();
        // SAFETY: takes nothing.
        let waiting = unsafe { libc::pthread_self() } as usize;
        let signal = thread::spawn(move || {
            thread::sleep(SHORT);
            // SAFETY: the thread waits for this one, so it exists.
            unsafe { libc::pthread_kill(waiting as libc::pthread_t, libc::SIGUSR1) };
        });
        let begin = Instant::now();
        assert_eq!(io.wait(1, None), Ok(0), "{mode:?}");
        assert!(about(begin.elapsed(), SHORT), "{mode:?}: {:?}", begin.elapsed());
        signal.join().unwrap();
        drop(stall);
        assert_eq!(finish(&mut io).len(), 1);
    }
}

#[test]
fn a_close_that_runs_into_its_deadline_gives_everything_back_later() {
    let Some(volume) = volume() else { return };
    for mode in MODES {
        let limits = Limits { files: 2, ..SMALL };
        let config = Config { close_deadline: SHORT, limits, ..config(mode) };
        let Some(mut io) = ring(&config) else { continue };
        let path = volume.path().join(format!("{mode:?}"));
        let stalled = io.register_fd(create(&path)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let other = io.register_fd(create(&folder.path().join("other"))).unwrap();

        let stall = volume.stall();
        write_pages(&mut io, stalled, 4);
        let begin = Instant::now();
        assert_eq!(io.deregister_fd(stalled), Err(StorageIoError::Io(Errno::TIMEDOUT)));
        assert!(about(begin.elapsed(), SHORT), "{mode:?}: {:?}", begin.elapsed());
        assert_eq!(io.submit_write(stalled, b"x", 0), Err(StorageIoError::BadFd));
        assert_eq!(io.deregister_fd(stalled), Err(StorageIoError::BadFd));

        // The other file goes on; the slot and the inode are still taken. (A sync, because the
        // kernel lets buffered writes of one file in 64 wait for each other.)
        let synced = io.submit_datasync(other).unwrap();
        assert_eq!(io.wait(1, Some(LONG)), Ok(1), "{mode:?}: {:?}", io.file_status(other));
        let mut completions: Vec<IoCompletion> = Vec::new();
        io.poll_completions(&mut completions);
        assert_eq!(completions, [IoCompletion { token: synced, result: 0 }]);
        let third = create(&folder.path().join("third"));
        assert_eq!(io.register_fd(third), Err(StorageIoError::QueueFull));
        assert!(is_open(&path));

        drop(stall);
        let completions = finish(&mut io);
        assert_eq!(completions.len(), 4, "its completions are still delivered");
        assert!(completions.iter().all(|it| it.result == 4_096));
        let third = fs::File::options().write(true).open(folder.path().join("third")).unwrap();
        let third = io.register_fd(third).unwrap();
        assert!(is_closed_soon(&path));
        io.submit_append(third, b"in the slot").unwrap();
        assert_eq!(finish(&mut io)[0].result, 11);
    }
}

#[test]
fn a_shutdown_that_runs_into_its_deadline_leaks_the_memory_and_tells_everyone() {
    let Some(volume) = volume() else { return };
    for mode in MODES {
        let config = Config { drop_deadline: LONG, limits: SMALL, ..config(mode) };
        let Some(mut io) = ring(&config) else { continue };
        let path = volume.path().join(format!("{mode:?}"));
        let file = io.register_fd(create(&path)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let other_path = folder.path().join("other");
        let other = io.register_fd(create(&other_path)).unwrap();

        let stall = volume.stall();
        write_pages(&mut io, file, 8);
        io.submit_datasync(other).unwrap();
        let begin = Instant::now();
        assert_eq!(io.shutdown(SHORT), Err(StorageIoError::Io(Errno::TIMEDOUT)));
        assert!(about(begin.elapsed(), SHORT), "{mode:?}: {:?}", begin.elapsed());
        assert_eq!(io.flush(), Err(StorageIoError::Closed));
        assert!(is_closed_soon(&other_path));
        let mut completions: Vec<IoCompletion> = Vec::new();
        io.poll_completions(&mut completions);
        assert_eq!((completions.len(), io.pending_count()), (9, 0));
        let timed_out = -Errno::TIMEDOUT.number();
        assert_eq!(completions.iter().filter(|it| it.result == timed_out).count(), 8);

        let begin = Instant::now();
        drop(io);
        assert!(begin.elapsed() < SOON, "nothing is left to wait for");
        let memory = use_memory_again();
        drop(stall);
        check_what_is_written(&path, 8);
        drop(memory);
    }
}

#[test]
fn a_drop_ends_as_soon_as_the_kernel_is_done() {
    let Some(volume) = volume() else { return };
    for mode in MODES {
        let config = Config { drop_deadline: LONG, limits: SMALL, ..config(mode) };
        let Some(mut io) = ring(&config) else { continue };
        let path = volume.path().join(format!("{mode:?}"));
        let file = io.register_fd(create(&path)).unwrap();
        let stall = volume.stall();
        write_pages(&mut io, file, 8);
        let thaw = thread::spawn(move || {
            thread::sleep(SHORT);
            drop(stall);
        });
        let begin = Instant::now();
        drop(io);
        assert!(about(begin.elapsed(), SHORT), "{mode:?}: {:?}", begin.elapsed());
        assert!(fs::read(&path).unwrap() == expected(8), "it was all written by then");
        thaw.join().unwrap();
    }
}

#[test]
fn a_drop_starts_nothing_new() {
    let Some(volume) = volume() else { return };
    for mode in MODES {
        let config = Config { drop_deadline: LONG, limits: SMALL, ..config(mode) };
        let Some(mut io) = ring(&config) else { continue };
        let path = volume.path().join(format!("{mode:?}"));
        let file = io.register_fd(create(&path)).unwrap();
        let stall = volume.stall();
        write_pages(&mut io, file, 2);
        // Accepted, but not handed over: one at the end, and a sync that waits for the others.
        io.submit_write(file, b"never written", 1 << 20).unwrap();
        io.submit_datasync(file).unwrap();
        let thaw = thread::spawn(move || {
            thread::sleep(SHORT);
            drop(stall);
        });
        drop(io);
        thaw.join().unwrap();
        assert!(fs::read(&path).unwrap() == expected(2), "{mode:?}");
    }
}

#[test]
fn a_drop_hands_over_nothing_that_is_queued() {
    let Some(volume) = volume() else { return };
    let config = Config { drop_deadline: LONG, limits: SMALL, ..Config::default() };
    let Some(mut io) = ring(&config) else { return };
    let path = volume.path().join("data");
    let file = io.register_fd(create(&path)).unwrap();
    let stall = volume.stall();
    write_pages(&mut io, file, 2);
    // A thread on which the kernel takes nothing leaves entries in the submission queue.
    let io = thread::spawn(move || {
        filter::fail(libc::SYS_io_uring_enter, libc::EAGAIN).ok()?;
        io.submit_write(file, b"never written", 1 << 20).unwrap();
        assert_eq!(io.flush(), Ok(0));
        Some(io)
    });
    let Some(io) = io.join().unwrap() else { return ringzero_tests::skip::skip("no filter") };
    let thaw = thread::spawn(move || {
        thread::sleep(SHORT);
        drop(stall);
    });
    drop(io);
    thaw.join().unwrap();
    assert!(fs::read(&path).unwrap() == expected(2));
}

#[test]
fn a_bound_backend_dropped_elsewhere_with_work_in_flight_leaks_at_once() {
    let Some(volume) = volume() else { return };
    let config = Config { drop_deadline: LONG, limits: SMALL, ..config(UringMode::ThreadBound) };
    let Some(mut io) = ring(&config) else { return };
    let path = volume.path().join("data");
    let file = io.register_fd(create(&path)).unwrap();
    let stall = volume.stall();
    write_pages(&mut io, file, 8);
    let elsewhere = thread::spawn(move || {
        let begin = Instant::now();
        drop(io);
        begin.elapsed()
    });
    assert!(elsewhere.join().unwrap() < SOON, "nobody but the owner can wait");
    let memory = use_memory_again();
    drop(stall);
    check_what_is_written(&path, 8);
    drop(memory);
}
