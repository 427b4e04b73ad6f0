//! Guarantees 6 and 13 on the operating system: threads, forks, and syncs on a slow file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]
#![allow(unsafe_code)]

use std::{
    os::unix::fs::OpenOptionsExt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use ringzero_core::{Errno, IoCompletion, Limits, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    conformance,
    fixture::{Fixture, Place, Setup},
    random::bytes,
    real::{Real, Sync, SyncMerged, Uring, UringBound, UringFixed, UringSqPoll, Worker, WorkerFew},
    session::Session,
};

/// A fixture over `std::fs::File`, with a path, that may be sent.
trait OnFiles: Fixture<File = std::fs::File> + Send + 'static {
    const IS_BOUND: bool = false;
    fn path(&self, name: &str) -> std::path::PathBuf;
}

macro_rules! on_files {
    ($($mode:ty => $bound:literal),*) => {
        $(impl OnFiles for Real<$mode> {
            const IS_BOUND: bool = $bound;
            fn path(&self, name: &str) -> std::path::PathBuf {
                Real::path(self, name)
            }
        })*
    };
}

on_files!(
    Sync => false,
    SyncMerged => false,
    Worker => false,
    WorkerFew => false,
    Uring => false,
    UringBound => true,
    UringSqPoll => false,
    UringFixed => false
);

/// Work in flight that ends in a kernel worker, then the backend moves to another thread while this
/// one (a) spins without system calls or (b) has exited.
fn completions_arrive_within_milliseconds_on_another_thread<F: OnFiles>() {
    if F::IS_BOUND {
        return println!("{}: bound to its first thread, see the test of that", F::NAME);
    }
    for is_spinning in [true, false] {
        let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
        let fd = s.open("file", &[]);
        let mut delays = Vec::new();
        for round in 1..30_u64 {
            let stop = Arc::new(AtomicBool::new(false));
            let stop_here = Arc::clone(&stop);
            let (sender, receiver) = std::sync::mpsc::channel();
            let old = thread::spawn(move || {
                s.append(fd, &bytes(round, 0, 100)).unwrap();
                let sync = s.sync(fd).unwrap();
                s.io.flush().unwrap();
                s.poll();
                assert!(sender.send((s, sync)).is_ok());
                while is_spinning && !stop_here.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
            let (mut moved, sync) = receiver.recv().unwrap();
            if !is_spinning {
                old.join().unwrap();
                stop.store(true, Ordering::Relaxed);
                let begin = Instant::now();
                moved.wait_for(sync);
                delays.push(begin.elapsed());
            } else {
                let begin = Instant::now();
                moved.wait_for(sync);
                delays.push(begin.elapsed());
                stop.store(true, Ordering::Relaxed);
                old.join().unwrap();
            }
            assert_eq!(moved.result(sync), 0);
            s = moved;
        }
        delays.sort();
        let median = delays[delays.len() / 2];
        println!("{}: median {median:?}, slowest {:?}", F::NAME, delays.last());
        assert!(median < Duration::from_millis(100), "{median:?}, spinning: {is_spinning}");
        s.drain();
    }
}

fn use_of_a_bound_backend_from_another_thread_is_an_error<F: OnFiles>() {
    if !F::IS_BOUND {
        return;
    }
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    s.append(fd, b"first").unwrap();
    s.drain();
    s.append(fd, b"second").unwrap();
    let mut s = thread::spawn(move || {
        let refused = StorageIoError::Io(Errno::EXIST);
        assert_eq!(s.io.flush(), Err(refused));
        assert_eq!(s.io.wait(1, Some(Duration::from_millis(1))), Err(refused));
        s
    })
    .join()
    .unwrap();
    s.drain();
    assert_eq!(s.fixture.read("file"), b"firstsecond", "nothing was lost on the way");
}

/// io_uring_enter(2): requests of one ring run in any order. On a file without page cache, where a
/// write takes a while, no data-sync is handed over before the writes it covers have ended.
fn no_sync_overtakes_its_writes_on_a_slow_file<F: OnFiles>() {
    let limits = Limits::default();
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::with(limits)) else { return };
    drop(s.fixture.create("file", &[]));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).custom_flags(libc::O_DIRECT);
    let file = match options.open(s.fixture.path("file")) {
        Ok(file) => file,
        Err(reason) => return println!("skipped on {}: no O_DIRECT: {reason}", F::NAME),
    };
    let fd = s.io.register_fd(file).unwrap();
    let block = limits.block_bytes as usize;
    let mut memory = vec![0; block + 4_097];
    let mut rounds_in_flight = 0;
    for round in 0..40_u64 {
        let before = s.io.stats().sync_requests;
        let mut writes = Vec::new();
        for step in 0..8_u64 {
            let at = step * 2 * block as u64;
            // Not aligned: a backend that handed this slice to the kernel would get EINVAL.
            let begin = memory.as_ptr().align_offset(4_096) + 1;
            let data = &mut memory[begin..begin + block];
            data.copy_from_slice(&bytes(round + 1, at, block));
            writes.push(s.retry(|s| s.write(fd, data, at)).unwrap());
        }
        let sync = s.sync(fd).unwrap();
        s.io.flush().unwrap();
        loop {
            let ended = s.io.wait(0, None).unwrap();
            let is_synced = s.io.stats().sync_requests > before;
            let count = writes.iter().filter(|token| s.results.contains_key(token)).count();
            // What has ended is delivered or can be polled; nothing else is owed.
            assert!(!is_synced || count + ended >= 8, "a sync with writes in flight");
            rounds_in_flight += usize::from(!is_synced);
            if s.results.contains_key(&sync) {
                break;
            }
            s.poll();
        }
        assert_eq!(s.result(sync), 0);
        assert!(writes.iter().all(|&token| s.result(token) == block as i32));
    }
    if F::HAS_EXECUTOR {
        assert!(rounds_in_flight > 0, "control: a sync had to wait at least once");
    }
    let content = s.fixture.read("file");
    for step in 0..8 {
        let at = step * 2 * block;
        assert!(content[at..at + block] == bytes(40, at as u64, block)[..]);
    }
}

fn in_a_forked_child_every_call_is_closed<F: OnFiles>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    let in_flight = s.append(fd, b"parent").unwrap();
    s.io.flush().unwrap();
    let spare = s.fixture.create("spare", &[]);
    // SAFETY: the child calls the backend, which neither allocates nor locks there, and _exit(2).
    let child = unsafe { libc::fork() };
    if child == 0 {
        let closed = Err(StorageIoError::Closed);
        let mut memory = [IoCompletion::default(); 4];
        let mut sink = ringzero_core::SliceSink::new(&mut memory);
        s.io.poll_completions(&mut sink);
        let mut code = 0;
        code |= i32::from(!sink.filled().is_empty());
        code |= i32::from(s.io.submit_append(fd, b"child") != closed) << 1;
        code |= i32::from(s.io.submit_write(fd, b"child", 0) != closed) << 2;
        code |= i32::from(s.io.submit_datasync(fd) != closed) << 3;
        code |= i32::from(s.io.flush() != Err(StorageIoError::Closed)) << 4;
        let nothing = Some(Duration::ZERO);
        code |= i32::from(s.io.wait(1, nothing) != Err(StorageIoError::Closed)) << 5;
        code |= i32::from(s.io.register_fd(spare) != Err(StorageIoError::Closed)) << 6;
        drop(s.io);
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(code) };
    }
    assert!(child > 0, "forked");
    let mut status = 0;
    // SAFETY: our own child, and a pointer that lives until the call returns.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFEXITED(status), "{status:#x}");
    assert_eq!(libc::WEXITSTATUS(status), 0, "bits tell which call was not closed");
    let after = s.append(fd, b" after").unwrap();
    s.drain();
    assert_eq!((s.result(in_flight), s.result(after)), (6, 6));
    assert_eq!(s.fixture.read("file"), b"parent after", "the child touched nothing");
}

conformance!(
    @real
    completions_arrive_within_milliseconds_on_another_thread,
    use_of_a_bound_backend_from_another_thread_is_an_error,
    no_sync_overtakes_its_writes_on_a_slow_file,
    in_a_forked_child_every_call_is_closed,
);
