//! Guarantees 11 and 13 while the kernel holds writes and does not answer: on a frozen ext4 they
//! are in flight for as long as a test wants. The backend is dropped, or shut down with a deadline
//! that passes, or its thread ends, or the process forks; then the process uses memory again and
//! fills it with poison. When the file system is thawed, what reaches the file is what the caller
//! wrote.
//!
//! A backend that executes inside the call has nothing in flight when a call returns, and is told
//! so. (Waiting, deregistration, and what only io_uring has: `uring_stalled` of `ringzero`.)
//!
//! # Mutations
//! | removed | red |
//! |---|---|
//! | leaking at the drop deadline | `a_drop_with_writes_..`, `a_shutdown_cut_off_..` |
//! | io_uring: waiting until the drop deadline | `a_drop_with_writes_..` |
//! | leaking after a shutdown that was cut off | `a_shutdown_cut_off_by_its_deadline_..` |
//! | the thread-bound mode knows its thread | `writes_in_flight_outlive_the_thread_..` |
//! | a forked child is noticed | `a_fork_with_writes_in_flight_disturbs_nothing` |
//!
//! Leaking is not seen with registered buffers: their pages are pinned, so what is written is right
//! even if the memory is given back.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
#![allow(clippy::indexing_slicing)]
#![allow(unsafe_code)]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use ringzero_core::{
    Errno, IoCompletion, IoFd, Limits, SliceSink, StorageIo, StorageIoError, StorageIoExt,
};
use ringzero_tests::{
    confine::{
        stall::Stall,
        volume::{FileSystem, Volume},
    },
    conformance,
    fixture::{Place, Setup},
    random::bytes,
    real::{Mode, OfMode, Real},
    session::{PATIENCE, Session},
    skip::skip,
};

const SHORT: Duration = Duration::from_millis(100);
/// Of what does not wait, on a machine that is busy otherwise.
const SOON: Duration = Duration::from_secs(5);
const PAGE: usize = 4_096;
const PAGES: usize = 8;
const POISON: u8 = 0xEE;

fn limits() -> Limits {
    Limits { files: 2, operations_per_file: 64, blocks_per_file: 16, ..Limits::default() }
}

/// A backend with writes in flight.
struct Flight<M: Mode> {
    s: Session<Real<M>>,
    fd: IoFd,
    path: PathBuf,
    stall: Stall,
    volume: Volume,
}

/// Every other page, so that nothing merges.
fn place(page: usize) -> u64 {
    (page * 2 * PAGE) as u64
}

fn content(page: usize) -> Vec<u8> {
    bytes(page as u64 + 1, place(page), PAGE)
}

/// What the file holds in the end.
fn whole() -> Vec<u8> {
    let mut whole = vec![0; place(PAGES) as usize - PAGE];
    for page in 0..PAGES {
        let begin = place(page) as usize;
        whole[begin..begin + PAGE].copy_from_slice(&content(page));
    }
    whole
}

/// Starts the writes, and sees that they stall.
fn take_off<F: OfMode>(drop_deadline: Duration) -> Option<Flight<F::Mode>> {
    if !F::HAS_EXECUTOR {
        println!("{}: nothing is ever in flight", F::NAME);
        return None;
    }
    if let Err(reason) = F::at(Place::Disk) {
        skip(format!("{}: {reason}", F::NAME));
        return None;
    }
    let volume = Volume::mount(FileSystem::Ext4);
    let volume = volume.map_err(|reason| skip(format!("no loop-mounted ext4: {reason}"))).ok()?;
    let mut directory = volume.directory();
    // Its removal would wait for the thaw.
    directory.disable_cleanup(true);
    let setup = Setup { drop_deadline, ..Setup::with(limits()) };
    let mut s = Session::over(Real::<F::Mode>::in_directory(directory), &setup);
    let fd = s.open("pages", &[]);
    let path = s.fixture.path("pages");
    let stall = volume.stall();
    for page in 0..PAGES {
        s.write(fd, &content(page), place(page)).unwrap();
    }
    s.io.flush().unwrap();
    assert_eq!(s.io.wait(1, Some(SHORT)), Ok(0), "the writes do not stall");
    assert_eq!(s.io.pending_count(), PAGES);
    Some(Flight { s, fd, path, stall, volume })
}

/// Takes and fills memory, some of it as large as what a backend gave back.
fn poison() -> Vec<Vec<u8>> {
    let large = (0..4).map(|_| vec![POISON; limits().memory_bytes()]);
    large.chain((0..64).map(|_| vec![POISON; 256 << 10])).collect()
}

/// Thaws, and checks what is written once nobody waits for it any more. What the kernel had begun
/// goes on; what it had not may be given up; nothing else is ever written.
fn check_after_thaw(stall: Stall, path: &Path) {
    drop(stall);
    let (begin, whole) = (Instant::now(), whole());
    let found = || fs::read(path).unwrap();
    while found().get(..PAGE) != whole.get(..PAGE) {
        assert!(begin.elapsed() < PATIENCE, "the first page, which had begun, is not what it was");
        thread::sleep(Duration::from_millis(5));
    }
    thread::sleep(SHORT);
    for (page, (found, whole)) in found().chunks(PAGE).zip(whole.chunks(PAGE)).enumerate() {
        let is_given_up = found.iter().all(|byte| *byte == 0);
        assert!(found == whole || is_given_up, "page {page} holds something else");
    }
}

fn a_drop_with_writes_in_flight_leaks_what_is_still_read<F: OfMode>() {
    for deadline in [Duration::ZERO, SHORT] {
        let Some(flight) = take_off::<F>(deadline) else { return };
        let Flight { s, path, stall, volume: _volume, .. } = flight;
        let begin = Instant::now();
        drop(s);
        let taken = begin.elapsed();
        assert!(taken >= deadline && taken < deadline + SOON, "{}: {taken:?}", F::NAME);
        let poison = poison();
        check_after_thaw(stall, &path);
        drop(poison);
    }
}

fn a_shutdown_cut_off_by_its_deadline_leaks_what_is_still_read<F: OfMode>() {
    let Some(flight) = take_off::<F>(PATIENCE) else { return };
    let Flight { mut s, path, stall, volume: _volume, .. } = flight;
    let begin = Instant::now();
    let timed_out = Errno::TIMEDOUT;
    assert_eq!(s.io.shutdown(SHORT), Err(StorageIoError::Io(timed_out)));
    assert!(begin.elapsed() < SHORT + SOON, "{}: {:?}", F::NAME, begin.elapsed());
    s.poll();
    assert_eq!(s.results.len(), PAGES, "everyone is told");
    assert!(s.results.values().all(|&result| result == -timed_out.number()), "{:?}", s.results);
    let begin = Instant::now();
    drop(s);
    assert!(begin.elapsed() < SOON, "nothing is left to wait for");
    let poison = poison();
    check_after_thaw(stall, &path);
    drop(poison);
}

fn writes_in_flight_outlive_the_thread_that_submitted_them<F: OfMode>() {
    // The kernel may let a thread go only after its writes, so nobody joins it yet.
    let (give, take) = mpsc::channel();
    let first = thread::spawn(move || give.send(take_off::<F>(PATIENCE)).unwrap());
    if let Some(Flight { mut s, fd, path, stall, volume: _volume }) = take.recv().unwrap() {
        if F::NAME == "uring, thread-bound" {
            let foreign = StorageIoError::Io(Errno::EXIST);
            assert_eq!((s.sync(fd), s.io.flush()), (Err(foreign), Err(foreign)));
            drop(s);
            let poison = poison();
            check_after_thaw(stall, &path);
            drop(poison);
        } else {
            let sync = s.sync(fd).unwrap();
            assert_eq!(s.io.wait(1, Some(SHORT)), Ok(0), "{}", F::NAME);
            finish(s, sync, stall, &path);
        }
    }
    first.join().unwrap();
}

/// Thaws, and checks that everything succeeds, a sync behind the writes included.
fn finish<M: Mode>(mut s: Session<Real<M>>, sync: u64, stall: Stall, path: &Path) {
    drop(stall);
    assert_eq!(s.wait_for(sync), 0, "{}", M::NAME);
    assert_eq!(s.results.len(), PAGES + 1);
    assert!(s.results.values().all(|&result| result >= 0), "{}: {:?}", M::NAME, s.results);
    assert!(fs::read(path).unwrap() == whole());
}

/// What of the child's calls is not as it should be; 0: nothing.
fn checks_in_child<M: Mode>(io: &mut M::Backend, fd: IoFd) -> i32 {
    let mut memory = [IoCompletion::default(); 2];
    let mut sink = SliceSink::new(&mut memory);
    io.poll_completions(&mut sink);
    let closed = Err(StorageIoError::Closed);
    let checks = [
        sink.filled().is_empty(),
        io.submit_write(fd, b"child", 0) == closed,
        io.submit_append(fd, b"child") == closed,
        io.submit_datasync(fd) == closed,
        io.flush() == Err(StorageIoError::Closed),
        io.wait(1, Some(SHORT)) == Err(StorageIoError::Closed),
        io.shutdown(SHORT) == Err(StorageIoError::Closed),
    ];
    checks.iter().position(|is_right| !is_right).map_or(0, |index| index as i32 + 1)
}

fn a_fork_with_writes_in_flight_disturbs_nothing<F: OfMode>() {
    let Some(flight) = take_off::<F>(PATIENCE) else { return };
    let Flight { mut s, fd, path, stall, volume: _volume } = flight;
    // SAFETY: the child calls only what needs no other thread, and leaves with _exit.
    match unsafe { libc::fork() } {
        0 => {
            let code = checks_in_child::<F::Mode>(&mut s.io, fd);
            drop(s);
            drop(poison());
            // SAFETY: ends the child, without running what belongs to the parent.
            unsafe { libc::_exit(code) }
        }
        child => {
            let mut status = -1;
            // SAFETY: the child exists, and `status` is an int to write to.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert!(libc::WIFEXITED(status), "{}: the child was killed: {status:x}", F::NAME);
            assert_eq!(libc::WEXITSTATUS(status), 0, "{}: the number of the check", F::NAME);
        }
    }
    let sync = s.sync(fd).unwrap();
    finish(s, sync, stall, &path);
}

conformance!(
    @real
    a_drop_with_writes_in_flight_leaks_what_is_still_read,
    a_shutdown_cut_off_by_its_deadline_leaks_what_is_still_read,
    writes_in_flight_outlive_the_thread_that_submitted_them,
    a_fork_with_writes_in_flight_disturbs_nothing,
);
