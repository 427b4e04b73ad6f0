//! Guarantee 11 over a file system that never answers: what a backend gives up while the kernel
//! still reads it is leaked and not freed.
//!
//! The mount takes 4,096 bytes per WRITE, so a write of 64 KiB is sixteen of them, and the kernel
//! looks at the caller's pages for each only when the one before was answered. The first is held;
//! the backend goes; the program uses all the memory it can get again; then the answers come, and
//! what arrives must be what was submitted.
//!
//! # Mutations
//! | removed or changed | red |
//! |---|---|
//! | memory is leaked at a deadline | both, but with registered buffers, whose pages stay |
//! | so is the descriptor | both, all but `sync` |
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use ringzero_core::{Errno, Limits, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    conformance,
    fixture::Setup,
    fuse::{self, Action, Close, Fused, Holding, Of, Options, Shared},
    random::bytes,
    real::{InMode, Mode},
    session::{PATIENCE, Session},
};

const SHORT: Duration = Duration::from_millis(100);
const NOT_MUCH_MORE: Duration = Duration::from_secs(8);
const LEN: usize = 64 << 10;
const POISON: u8 = 0xEE;

const LIMITS: Limits = Limits {
    files: 2,
    operations_per_file: 16,
    operations_common: 0,
    blocks_per_file: 8,
    blocks_common: 0,
    block_bytes: LEN as u32,
};

/// A write whose first WRITE is held, and three more behind it.
struct Hanging<M: Mode> {
    s: Session<Fused<M>>,
    holding: Holding,
    tokens: Vec<u64>,
}

fn hanging<F: InMode>(close: Close) -> Option<Hanging<F::Mode>> {
    if !F::HAS_EXECUTOR {
        println!("skipped on {}: it owns no memory that a kernel may read later", F::NAME);
        return None;
    }
    let setup = Setup { drop_deadline: SHORT, close_deadline: SHORT, ..Setup::with(LIMITS) };
    let options = Options { max_write: 4_096, close };
    let mut s = fuse::open_with::<F::Mode>(&setup, options)?;
    let fd = s.open("file", &vec![1; 8 * LEN]);
    let holding = s.shared().hold("file", Of::WriteAt(0), 1);
    let mut tokens = Vec::new();
    for id in 0..4 {
        // Every other place, so that nothing merges.
        let at = id * 2 * LEN as u64;
        tokens.push(s.write(fd, &bytes(id + 1, at, LEN), at).unwrap());
    }
    tokens.push(s.sync(fd).unwrap());
    s.poll_until_held(1);
    assert_eq!(s.shared().write_count("file"), 1, "the kernel has not read the rest yet");
    Some(Hanging { s, holding, tokens })
}

/// Takes memory, as much as was given back and more, and fills it.
fn use_memory_again() -> Vec<Vec<u8>> {
    (0..256).map(|_| vec![POISON; 256 << 10]).collect()
}

/// Lets the answers come, and checks what arrived: the first write whole, for it had begun; of the
/// others, which the kernel may have given up, each page as submitted or as it was before.
fn check_what_arrives(shared: &Shared, holding: Holding) {
    drop(holding);
    let begin = Instant::now();
    while shared.read("file")[..LEN] != bytes(1, 0, LEN) {
        if begin.elapsed() > PATIENCE {
            let bad = shared.read("file")[..LEN].iter().filter(|byte| **byte == POISON).count();
            panic!("the write that had begun did not arrive: {bad} bytes of memory used again");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    std::thread::sleep(SHORT);
    let image = shared.read("file");
    for id in 1..4_usize {
        let at = id * 2 * LEN;
        let submitted = bytes(id as u64 + 1, at as u64, LEN);
        let pages = image[at..at + LEN].chunks(4_096).zip(submitted.chunks(4_096));
        for (page, (found, submitted)) in pages.enumerate() {
            let is_given_up = found.iter().all(|byte| *byte == 1);
            assert!(found == submitted || is_given_up, "write {id}, page {page}");
        }
        assert!(image[at - LEN..at].iter().all(|byte| *byte == 1), "nothing else is touched");
    }
}

fn shutdown_answers_at_its_deadline_and_leaks<F: InMode>() {
    for close in [Close::AtOnce, Close::Waits] {
        let Some(Hanging { mut s, holding, tokens }) = hanging::<F>(close) else { return };
        let begin = Instant::now();
        assert_eq!(s.io.shutdown(SHORT), Err(StorageIoError::Io(Errno::TIMEDOUT)));
        let taken = begin.elapsed();
        assert!(taken >= SHORT && taken < NOT_MUCH_MORE, "{close:?}: {taken:?}");
        assert_eq!(s.io.flush(), Err(StorageIoError::Closed));
        s.drain();
        let results: Vec<i32> = tokens.iter().map(|&token| s.result(token)).collect();
        assert_eq!(results, [-Errno::TIMEDOUT.number(); 5]);
        let Session { io, fixture, .. } = s;
        let begin = Instant::now();
        drop(io);
        assert!(begin.elapsed() < NOT_MUCH_MORE, "{close:?}: {:?}", begin.elapsed());
        let memory = use_memory_again();
        check_what_arrives(&fixture.mount.shared, holding);
        drop(memory);
    }
}

fn drop_leaks_at_its_deadline<F: InMode>() {
    for close in [Close::AtOnce, Close::Waits] {
        let Some(Hanging { s, holding, .. }) = hanging::<F>(close) else { return };
        let Session { io, fixture, .. } = s;
        let begin = Instant::now();
        drop(io);
        let taken = begin.elapsed();
        assert!(taken >= SHORT && taken < NOT_MUCH_MORE, "{close:?}: {taken:?}");
        let memory = use_memory_again();
        check_what_arrives(&fixture.mount.shared, holding);
        assert_eq!(fixture.mount.shared.sync_count("file"), 0, "a drop starts nothing");
        drop(memory);
    }
}

fn drop_waits_for_answers_that_come_in_time<F: InMode>() {
    if !F::HAS_EXECUTOR {
        return;
    }
    let setup = Setup { drop_deadline: PATIENCE, ..Setup::with(LIMITS) };
    let Some(mut s) = fuse::open::<F::Mode>(&setup) else { return };
    let shared = s.shared();
    let fd = s.open("file", &vec![1; LEN]);
    let holding = shared.hold("file", Of::Writes, 1);
    s.write(fd, &bytes(1, 0, LEN), 0).unwrap();
    s.poll_until_held(1);
    let Session { io, fixture, .. } = s;
    let releasing = shared.clone();
    let release = std::thread::spawn(move || {
        std::thread::sleep(SHORT);
        releasing.release(Action::Complete);
    });
    let begin = Instant::now();
    drop(io);
    assert!(begin.elapsed() >= SHORT && begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
    assert!(shared.read("file") == bytes(1, 0, LEN), "it was there when drop returned");
    release.join().unwrap();
    drop(holding);
    drop(fixture);
}

conformance!(
    @real
    shutdown_answers_at_its_deadline_and_leaks,
    drop_leaks_at_its_deadline,
    drop_waits_for_answers_that_come_in_time,
);
