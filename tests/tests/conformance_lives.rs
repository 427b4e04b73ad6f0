//! Files' lives: full syncs, allocating, truncating, punching holes, directories.
//!
//! # Mutations
//! | removed or changed | red |
//! |---|---|
//! | the gate of a truncation | `alterations_keep_their_place_…` |
//! | waiting for what was accepted before; for syncs | `alterations_keep_…` and others |
//! | the tail after a truncation | `a_truncation_moves_…`, `a_segment_is_…` and others |
//! | `write_end` after a truncation | `alterations_keep_their_place_…` |
//! | `sync_tail` after a truncation | `a_truncation_moves_…`, `alterations_keep_…` |
//! | the tail block after a punch | `an_aligned_file_is_altered_…` |
//! | the limit; the alignment | `a_segment_is_…`; `an_aligned_file_is_…` |
//! | the gate of a directory | `a_directory_takes_…` |
//! | the gate opens again | `a_truncation_moves_…`, `a_segment_is_…` and others |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{Errno, IoFd, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    conformance,
    fixture::{Fixture, Place, Setup},
    random::{Random, bytes, number_from_env},
    session::Session,
    skip::skip,
};

conformance!(
    a_full_sync_is_delivered_after_everything_it_covers,
    a_truncation_moves_the_tail_both_ways,
    a_hole_is_zeros_and_moves_nothing,
    reserving_blocks_changes_nothing_that_is_seen,
    alterations_keep_their_place_among_writes_and_appends,
    an_aligned_file_is_altered_at_multiples_of_its_alignment,
    what_cannot_be_altered_is_refused_untouched,
    a_segment_is_truncated_up_to_its_limit,
    a_directory_takes_syncs_and_nothing_else,
);

const fn io<T>(errno: Errno) -> Result<T, StorageIoError> {
    Err(StorageIoError::Io(errno))
}

/// The result of an alteration; `None`, and the reason printed, where the file system has none.
fn altered<F: Fixture>(s: &mut Session<F>, token: u64) -> Option<i32> {
    let result = s.wait_for(token);
    if result == -Errno::OPNOTSUPP.number() {
        skip(format!("{}: the file system does not support this", F::NAME));
        return None;
    }
    Some(result)
}

fn a_full_sync_is_delivered_after_everything_it_covers<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    for round in 1..30 {
        let append = s.retry(|s| s.append(fd, &bytes(round, 0, 300))).unwrap();
        let write = s.retry(|s| s.write(fd, &bytes(round, 0, 30), 10)).unwrap();
        let full = s.retry(|s| s.submit(|io| io.submit_fsync(fd))).unwrap();
        let data = s.retry(|s| s.sync(fd)).unwrap();
        let full_again = s.retry(|s| s.submit(|io| io.submit_fsync(fd))).unwrap();
        s.drain();
        let tokens = [append, write, full, data, full_again];
        assert_eq!(tokens.map(|token| s.result(token)), [300, 30, 0, 0, 0]);
        let at = tokens.map(|token| s.position(token));
        assert!(at[0].max(at[1]) < at[2] && at[2..].is_sorted(), "{at:?}");
    }
}

fn a_truncation_moves_the_tail_both_ways<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let fd = s.open("file", &bytes(1, 0, 1_000));
    s.append(fd, &bytes(2, 0, 100)).unwrap();
    let cut = s.submit(|io| io.submit_truncate(fd, 300)).unwrap();
    let sync = s.sync(fd).unwrap();
    assert_eq!([cut, sync].map(|token| s.wait_for(token)), [0, 0]);
    assert!(s.position(cut) < s.position(sync), "the sync covers it");
    assert_eq!((s.io.tail(fd), s.fixture.read("file")), (Ok(300), bytes(1, 0, 300)));

    let append = s.append(fd, &bytes(3, 0, 50)).unwrap();
    assert_eq!(s.wait_for(append), 50);
    let grown = s.submit(|io| io.submit_truncate(fd, 900)).unwrap();
    assert_eq!((s.wait_for(grown), s.io.tail(fd)), (0, Ok(900)));
    let last = s.append(fd, &bytes(4, 0, 10)).unwrap();
    assert_eq!(s.wait_for(last), 10);
    let mut expected = bytes(1, 0, 300);
    expected.extend(bytes(3, 0, 50));
    expected.resize(900, 0);
    expected.extend(bytes(4, 0, 10));
    assert_eq!(s.fixture.read("file"), expected);
    s.io.deregister_fd(fd).unwrap();
    assert_eq!(s.fixture.read("file"), expected, "nothing is cut back");
}

fn a_hole_is_zeros_and_moves_nothing<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let mut expected = bytes(1, 0, 20_000);
    let fd = s.open("file", &expected);
    let punched = s.submit(|io| io.submit_punch(fd, 5_000, 9_000)).unwrap();
    let Some(result) = altered(&mut s, punched) else { return };
    expected[5_000..14_000].fill(0);
    assert_eq!((result, s.io.tail(fd)), (0, Ok(20_000)));
    assert!(s.fixture.read("file") == expected);
    // Beyond the end too: the size stays.
    let beyond = s.submit(|io| io.submit_punch(fd, 19_000, 50_000)).unwrap();
    assert_eq!((s.wait_for(beyond), s.io.tail(fd)), (0, Ok(20_000)));
    expected[19_000..].fill(0);
    assert!(s.fixture.read("file") == expected);
}

fn reserving_blocks_changes_nothing_that_is_seen<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let mut expected = bytes(1, 0, 700);
    let fd = s.open("file", &expected);
    let append = s.append(fd, &bytes(2, 0, 90)).unwrap();
    let reserved = s.submit(|io| io.submit_allocate(fd, 100, 1 << 20)).unwrap();
    let sync = s.sync(fd).unwrap();
    let after = s.retry(|s| s.append(fd, &bytes(3, 0, 10))).unwrap();
    s.drain();
    let Some(result) = altered(&mut s, reserved) else { return };
    assert_eq!((result, [append, sync, after].map(|t| s.result(t))), (0, [90, 0, 10]));
    assert!(s.position(reserved) < s.position(sync), "a later sync covers it");
    expected.extend(bytes(2, 0, 90));
    expected.extend(bytes(3, 0, 10));
    assert_eq!(s.io.tail(fd), Ok(800));
    assert!(s.fixture.read("file") == expected);
}

/// Appends, writes, syncs and alterations in a row, against a plain array.
fn alterations_keep_their_place_among_writes_and_appends<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let seed = number_from_env("RINGZERO_SEED", 11);
    println!("RINGZERO_SEED={seed}");
    let mut random = Random::new(seed);
    let fd = s.open("file", &[]);
    let mut expected: Vec<u8> = Vec::new();
    let mut tokens = Vec::new();
    for id in 1..600 {
        let data = bytes(id, 0, random.below(400) as usize + 1);
        let offset = random.below(4_000);
        let len = random.below(1_000) + 1;
        let token = match random.below(10) {
            0..4 => {
                let token = s.retry(|s| s.append(fd, &data)).unwrap();
                expected.extend(&data);
                token
            }
            4..7 => {
                let token = s.retry(|s| s.write(fd, &data, offset)).unwrap();
                let end = offset as usize + data.len();
                expected.resize(expected.len().max(end), 0);
                expected[offset as usize..end].copy_from_slice(&data);
                token
            }
            7 => {
                let size = offset.min(expected.len() as u64 + 200);
                let token = s.retry(|s| s.submit(|io| io.submit_truncate(fd, size))).unwrap();
                expected.resize(size as usize, 0);
                token
            }
            8 => {
                let token = s.retry(|s| s.submit(|io| io.submit_punch(fd, offset, len))).unwrap();
                let size = expected.len();
                let begin = (offset as usize).min(size);
                expected[begin..(begin + len as usize).min(size)].fill(0);
                token
            }
            _ => s.retry(|s| s.sync(fd)).unwrap(),
        };
        tokens.push(token);
        if random.chance(100) {
            s.drain();
            assert!(s.fixture.read("file") == expected, "after {id}");
            assert_eq!(s.io.tail(fd), Ok(expected.len() as u64));
        }
    }
    s.drain();
    assert!(tokens.iter().all(|&token| s.result(token) >= 0));
    assert!(s.fixture.read("file") == expected);
}

fn an_aligned_file_is_altered_at_multiples_of_its_alignment<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    drop(s.fixture.create("file", &[]));
    let fd = match s.fixture.open_direct("file").map(|file| s.io.register_fd(file)) {
        Ok(Ok(fd)) => fd,
        other => return skip(format!("{}: {other:?}", F::NAME)),
    };
    let alignment = u64::from(s.io.alignment(fd).unwrap());
    let block = alignment as usize;
    let inval = io(Errno::INVAL);
    assert_eq!(s.submit(|io| io.submit_truncate(fd, alignment + 1)), inval);
    assert_eq!(s.submit(|io| io.submit_punch(fd, 1, alignment)), inval);
    assert_eq!(s.submit(|io| io.submit_punch(fd, 0, alignment - 1)), inval);

    let mut expected = bytes(1, 0, 2 * block);
    expected.extend(bytes(2, 0, 100));
    for piece in expected.clone().chunks(block) {
        s.retry(|s| s.append(fd, piece)).unwrap();
    }
    // The hole takes in the block where the stream ends, which is written again by the next append.
    let token = s.retry(|s| s.submit(|io| io.submit_punch(fd, alignment, 2 * alignment))).unwrap();
    if altered(&mut s, token).is_none() {
        return;
    }
    expected[block..].fill(0);
    let more = s.append(fd, &bytes(3, 0, 20)).unwrap();
    assert_eq!(s.wait_for(more), 20);
    expected.extend(bytes(3, 0, 20));
    assert!(s.fixture.read("file")[..expected.len()] == expected);

    let cut = s.submit(|io| io.submit_truncate(fd, alignment)).unwrap();
    assert_eq!((s.wait_for(cut), s.io.tail(fd)), (0, Ok(alignment)));
    expected.truncate(block);
    let last = s.append(fd, &bytes(4, 0, 30)).unwrap();
    assert_eq!(s.wait_for(last), 30);
    expected.extend(bytes(4, 0, 30));
    s.io.deregister_fd(fd).unwrap();
    assert!(s.fixture.read("file") == expected, "and the padding is cut off");
}

fn what_cannot_be_altered_is_refused_untouched<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", b"bytes");
    let largest = i64::MAX as u64;
    for (offset, len) in [(largest, 1), (1, largest), (u64::MAX, 1), (1, u64::MAX)] {
        assert_eq!(s.submit(|io| io.submit_allocate(fd, offset, len)), io(Errno::FBIG));
        assert_eq!(s.submit(|io| io.submit_punch(fd, offset, len)), io(Errno::FBIG));
    }
    assert_eq!(s.submit(|io| io.submit_truncate(fd, largest + 1)), io(Errno::FBIG));
    // No bytes, nothing to do.
    let nothing = [
        s.submit(|io| io.submit_allocate(fd, 3, 0)).unwrap(),
        s.submit(|io| io.submit_punch(fd, 3, 0)).unwrap(),
    ];
    assert_eq!(nothing.map(|token| s.wait_for(token)), [0, 0]);

    let device = s.fixture.open_device();
    let device = s.io.register_fd(device).unwrap();
    for (name, submit) in every_alteration::<F>(device) {
        assert_eq!(s.submit(|io| submit(io)), io(Errno::INVAL), "{name}");
    }
    s.io.deregister_fd(fd).unwrap();
    for (name, submit) in every_alteration::<F>(fd) {
        assert_eq!(s.submit(|io| submit(io)), Err(StorageIoError::BadFd), "{name}");
    }
    assert_eq!(s.submit(|io| io.submit_close(fd)), Err(StorageIoError::BadFd));
    assert_eq!(s.submit(|io| io.submit_fsync(fd)), Err(StorageIoError::BadFd));
    assert_eq!(s.fixture.read("file"), b"bytes");
    s.io.shutdown(std::time::Duration::from_secs(20)).unwrap();
    for (name, submit) in every_alteration::<F>(device) {
        assert_eq!(s.submit(|io| submit(io)), Err(StorageIoError::Closed), "{name}");
    }
    assert_eq!(s.submit(|io| io.submit_close(device)), Err(StorageIoError::Closed));
    assert_eq!(s.submit(|io| io.submit_fsync(device)), Err(StorageIoError::Closed));
}

type Submit<F> = Box<dyn Fn(&mut <F as Fixture>::Backend) -> Result<u64, StorageIoError>>;

/// Every alteration of this file that leaves its handle good.
fn every_alteration<F: Fixture>(fd: IoFd) -> [(&'static str, Submit<F>); 3] {
    [
        ("allocate", Box::new(move |io: &mut F::Backend| io.submit_allocate(fd, 0, 10))),
        ("truncate", Box::new(move |io: &mut F::Backend| io.submit_truncate(fd, 10))),
        ("punch", Box::new(move |io: &mut F::Backend| io.submit_punch(fd, 0, 10))),
    ]
}

fn a_segment_is_truncated_up_to_its_limit<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let file = s.fixture.create("segment", &[7; 1_000]);
    let fd = s.io.register_segment(file, 200, 800).unwrap();
    assert_eq!(s.submit(|io| io.submit_truncate(fd, 801)), io(Errno::FBIG));
    let token = s.submit(|io| io.submit_truncate(fd, 700)).unwrap();
    assert_eq!((s.wait_for(token), s.io.tail(fd), s.io.room(fd)), (0, Ok(700), Ok(100)));
    let token = s.submit(|io| io.submit_truncate(fd, 100)).unwrap();
    assert_eq!((s.wait_for(token), s.io.tail(fd), s.io.room(fd)), (0, Ok(100), Ok(700)));
    s.append(fd, &[8; 10]).unwrap();
    s.drain();
    assert_eq!(s.fixture.read("segment"), [vec![7; 100], vec![8; 10]].concat());
}

fn a_directory_takes_syncs_and_nothing_else<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let directory = s.fixture.open_directory();
    let fd = s.io.register_directory(directory).unwrap();
    let tokens = [s.sync(fd).unwrap(), s.submit(|io| io.submit_fsync(fd)).unwrap()];
    assert_eq!(tokens.map(|token| s.wait_for(token)), [0, 0]);
    let inval = io(Errno::INVAL);
    assert_eq!(s.write(fd, b"x", 0), inval);
    assert_eq!(s.write(fd, &[], 0), inval);
    assert_eq!(s.append(fd, b"x"), inval);
    assert_eq!(s.append(fd, &[]), inval);
    for (name, submit) in every_alteration::<F>(fd) {
        assert_eq!(s.submit(|io| submit(io)), inval, "{name}");
    }
    assert_eq!(s.io.can_accept(fd, 1), io(Errno::INVAL));
    assert_eq!(s.io.tail(fd), io(Errno::INVAL));
    let again = s.fixture.open_directory();
    assert_eq!(s.io.register_directory(again), io(Errno::BUSY));
    assert_eq!(s.io.file_status(fd).unwrap().failed, None);
    s.io.deregister_fd(fd).unwrap();
    assert_eq!(s.sync(fd), Err(StorageIoError::BadFd));

    let file = s.fixture.create("file", &[]);
    assert_eq!(s.io.register_directory(file), io(Errno::INVAL));
    let directory = s.fixture.open_directory();
    assert_eq!(s.io.register_fd(directory), io(Errno::INVAL));
    let directory = s.fixture.open_directory();
    let fd = s.io.register_directory(directory).unwrap();
    let closed = s.submit(|io| io.submit_close(fd)).unwrap();
    assert_eq!(s.wait_for(closed), 0);
}
