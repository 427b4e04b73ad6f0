//! Reads: what they see, how long they are, whose their bytes are, and what they do not hold up.
//!
//! # Mutations
//! | removed or changed | red |
//! |---|---|
//! | a read waits for what it overlaps | 22 tests |
//! | it waits for all accepted before it, not for the next end | 22 |
//! | a write waits for a read that it overlaps | 11 |
//! | and when it is looked at again | 12 |
//! | what is shown is cut to what was asked for | 12, of files with an alignment |
//! | the lead of an aligned read | 22 |
//! | a short answer is not the end | 17 |
//! | blocks are kept until the release | nearly all |
//! | they are given back by it | 6 |
//! | a slot that is used again keeps the account of kept blocks | `what_a_closed_..` |
//! | and that of kept reads | `a_closed_files_reads_..` |
//! | closing keeps the bytes | `a_closed_files_reads_..` |
//! | an error is no write's; 16 attempts | `an_error_is_the_reads_own` |
//! | kept reads are not pending | `bytes_stay_..` |
//! | syncs do not wait for reads | `a_sync_does_not_wait_..` |
//! | kept reads in the index are no writes | nothing: a write waits in vain, and goes then |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{Errno, IoFd, Limits, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    conformance,
    fixture::{DIRECT_ALIGNMENT, Fixture, Place, SMALL, Scripted, Setup},
    random::{Random, bytes, number_from_env},
    script::{Action, Of, Order, Rule},
    session::Session,
};

conformance!(
    a_read_gives_the_bytes_of_the_file,
    a_read_sees_what_was_accepted_before_it_and_nothing_later,
    bytes_stay_until_they_are_released_and_no_longer,
    long_reads_come_in_parts,
    reads_that_are_kept_take_no_share_of_another_file,
    reads_of_a_file_with_an_alignment_may_be_of_any_place_and_length,
    a_closed_files_reads_can_still_be_looked_at,
    what_a_closed_file_keeps_is_on_its_slots_account,
    what_cannot_be_read_is_refused,
);

const INVALID: Result<(), StorageIoError> = Err(StorageIoError::Io(Errno::INVAL));

fn a_read_gives_the_bytes_of_the_file<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let content = bytes(7, 0, 5_000);
    let fd = s.open("file", &content);
    for (offset, len) in [(0, 1), (0, 512), (100, 400), (4_900, 100), (1_000, 3_000)] {
        let token = s.read(fd, len, offset).unwrap();
        assert!(s.bytes_of(token) == content[offset as usize..][..len], "{len} at {offset}");
    }
    // Many at a time, delivered in any order.
    let mut tokens = Vec::new();
    for at in 0..6 {
        tokens.push((at, s.retry(|s| s.read(fd, 100, at * 700)).unwrap()));
    }
    for (at, token) in tokens {
        assert!(s.bytes_of(token) == content[at as usize * 700..][..100]);
    }
    let status = s.io.file_status(fd).unwrap();
    assert_eq!((status.pending, status.oldest_in_flight), (0, None));
    assert!(s.io.stats().read_requests >= 11);
}

/// A program of writes, appends, syncs and reads against a vector.
fn a_read_sees_what_was_accepted_before_it_and_nothing_later<F: Fixture>() {
    for place in [Place::Memory, Place::Disk] {
        let setup = Setup::with(Limits { operations_per_file: 32, blocks_common: 16, ..SMALL });
        let Some(mut s) = Session::<F>::at(place, &setup) else { return };
        let seed = number_from_env("RINGZERO_SEED", 5);
        println!("RINGZERO_SEED={seed}");
        let mut random = Random::new(seed);
        let fd = s.open("file", &[]);
        let mut model: Vec<u8> = Vec::new();
        let mut expected: Vec<(u64, Vec<u8>)> = Vec::new();
        for id in 1..1_200_u64 {
            match random.below(10) {
                0..=2 => {
                    let len = random.below(600) as usize + 1;
                    let data = bytes(id, model.len() as u64, len);
                    with_room(&mut s, &mut expected, |s| s.append(fd, &data));
                    model.extend(&data);
                }
                3..=5 if model.len() > 700 => {
                    let from = model.len() as u64 - 700;
                    let offset = from + random.below(400);
                    let len = random.below(300) as usize + 1;
                    let data = bytes(id, offset, len);
                    with_room(&mut s, &mut expected, |s| s.write(fd, &data, offset));
                    model[offset as usize..][..len].copy_from_slice(&data);
                }
                6 if random.chance(200) => {
                    with_room(&mut s, &mut expected, |s| s.sync(fd));
                }
                _ => {
                    let from = model.len().saturating_sub(900) as u64;
                    let offset = from + random.below(1_000);
                    let len = random.below(500) as usize;
                    let token = with_room(&mut s, &mut expected, |s| s.read(fd, len, offset));
                    let end = model.len().min(offset as usize + len);
                    let begin = end.min(offset as usize);
                    expected.push((token, model[begin..end].to_vec()));
                }
            }
            if random.chance(200) {
                s.io.flush().unwrap();
            }
        }
        check_all(&mut s, &mut expected);
        s.drain();
        assert!(s.fixture.read("file") == model);
    }
}

/// Kept reads hold room: looks at them if there is none.
fn with_room<F: Fixture>(
    s: &mut Session<F>,
    expected: &mut Vec<(u64, Vec<u8>)>,
    submit: impl Fn(&mut Session<F>) -> Result<u64, StorageIoError>,
) -> u64 {
    loop {
        match submit(s) {
            Ok(token) => return token,
            Err(StorageIoError::QueueFull | StorageIoError::BufferExhausted) => {
                s.drain();
                check_all(s, expected);
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn check_all<F: Fixture>(s: &mut Session<F>, expected: &mut Vec<(u64, Vec<u8>)>) {
    for (token, expected) in expected.drain(..) {
        let seen = s.bytes_of(token);
        assert_eq!(seen.len(), expected.len(), "the length of read {token}");
        assert!(seen == expected, "read {token} saw something else");
    }
}

fn bytes_stay_until_they_are_released_and_no_longer<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let content = bytes(5, 0, 2_000);
    let fd = s.open("file", &content);
    let kept: Vec<_> = (0..3).map(|at| s.read(fd, 100, at * 300).unwrap()).collect();
    assert_eq!(s.io.read_bytes(kept[0], 0).is_ok(), s.results.contains_key(&kept[0]));
    s.drain();
    assert_eq!(s.io.file_status(fd).unwrap().pending, 0, "delivered");
    // Everything else goes on around them.
    for round in 0..40_u64 {
        let data = bytes(round, 1_000, 200);
        s.retry(|s| s.write(fd, &data, 1_000)).unwrap();
        let token = s.retry(|s| s.read(fd, 200, 1_000)).unwrap();
        assert!(s.bytes_of(token) == data);
        for (at, &token) in kept.iter().enumerate() {
            let expected = &content[at * 300..][..100];
            assert_eq!(s.io.read_bytes(token, 0), Ok(expected), "round {round}");
            assert_eq!(s.io.read_bytes(token, 60), Ok(&expected[60..]));
        }
    }
    for token in kept {
        assert_eq!(s.io.release_read(token), Ok(()));
        assert_eq!(s.io.read_bytes(token, 0).map(|_| ()), INVALID);
        assert_eq!(s.io.release_read(token), INVALID);
    }
    assert_eq!(s.io.release_read(u64::MAX), INVALID);
    // Nothing is left: as much can be read again and again as at the beginning.
    for _ in 0..200 {
        let tokens: Vec<_> = (0..6).map(|at| s.read(fd, 300, at * 300).unwrap()).collect();
        for (at, token) in tokens.into_iter().enumerate() {
            assert!(s.bytes_of(token) == content[at * 300..][..300] || at >= 3);
        }
    }
}

fn long_reads_come_in_parts<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let longest = s.io.max_write();
    assert_eq!(longest, 3_072);
    let content = bytes(9, 0, 4_000);
    let fd = s.open("file", &content);
    for len in [513, 1_024, 2_000, longest] {
        let token = s.read(fd, len, 700).unwrap();
        s.wait_for(token);
        let first = s.io.read_bytes(token, 0).unwrap();
        assert_eq!(first, &content[700..][..512], "a block of it");
        assert!(s.bytes_of(token) == content[700..][..len], "{len}");
    }
    assert_eq!(s.read(fd, longest + 1, 0), Err(StorageIoError::Io(Errno::MSGSIZE)));
}

fn reads_that_are_kept_take_no_share_of_another_file<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let greedy = s.open("greedy", &bytes(1, 0, 512));
    let other = s.open("other", &[]);
    // Two blocks of its own and the four common ones.
    assert_eq!(keep_all(&mut s, greedy).len(), 6);
    for round in 0..50_u64 {
        let data = bytes(round, 0, 400);
        let append = s.append(other, &data).unwrap();
        let sync = s.sync(other).unwrap();
        assert_eq!((s.wait_for(append), s.wait_for(sync)), (400, 0));
    }
    let token = s.read(other, 400, 0).unwrap();
    assert!(s.bytes_of(token) == bytes(0, 0, 400));
}

fn reads_of_a_file_with_an_alignment_may_be_of_any_place_and_length<F: Fixture>() {
    let limits = Limits { block_bytes: 4_096, blocks_common: 8, ..SMALL };
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::with(limits)) else { return };
    let mut model = bytes(2, 0, 10_000);
    drop(s.fixture.create("file", &model));
    let file = match s.fixture.open_direct("file") {
        Ok(file) => file,
        Err(reason) => return ringzero_tests::skip::skip(format!("{}: {reason}", F::NAME)),
    };
    let fd = s.io.register_fd(file).unwrap();
    let alignment = s.io.alignment(fd).unwrap();
    assert!(alignment >= DIRECT_ALIGNMENT, "control: it has one");
    let mut random = Random::new(11);
    for id in 0..120_u64 {
        if random.chance(300) {
            let data = bytes(id, model.len() as u64, random.below(900) as usize + 1);
            s.retry(|s| s.append(fd, &data)).unwrap();
            model.extend(&data);
        }
        let offset = random.below(model.len() as u64 + 100);
        let len = random.below(5_000) as usize + 1;
        let token = s.retry(|s| s.read(fd, len, offset)).unwrap();
        let end = model.len().min(offset as usize + len);
        let seen = s.bytes_of(token);
        assert!(seen == model[end.min(offset as usize)..end], "{len} at {offset}, {}", seen.len());
    }
}

fn a_closed_files_reads_can_still_be_looked_at<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let content = bytes(4, 0, 1_000);
    let fd = s.open("file", &content);
    let delivered = s.read(fd, 300, 0).unwrap();
    s.wait_for(delivered);
    let accepted = s.read(fd, 300, 300).unwrap();
    s.io.deregister_fd(fd).unwrap();
    assert_eq!(s.io.read_bytes(delivered, 0), Ok(&content[..300]));
    // In the same slot.
    let next = s.open("next", &[]);
    for round in 0..20 {
        let append = s.retry(|s| s.append(next, &[round; 200])).unwrap();
        assert_eq!(s.wait_for(append), 200);
    }
    assert!(s.bytes_of(accepted) == content[300..][..300]);
    assert!(s.bytes_of(delivered) == content[..300]);
    assert_eq!(s.io.file_status(next).unwrap().pending, 0);
    assert_eq!(s.read(fd, 1, 0), Err(StorageIoError::BadFd));
    s.io.shutdown(std::time::Duration::from_secs(20)).unwrap();
    assert_eq!(s.read(next, 1, 0), Err(StorageIoError::Closed));
}

/// Reads of `fd`, a block each, until there is no room. How many.
fn keep_all<F: Fixture>(s: &mut Session<F>, fd: IoFd) -> Vec<u64> {
    let mut kept = Vec::new();
    while let Ok(token) = s.read(fd, 512, 0) {
        s.drain();
        kept.push(token);
    }
    kept
}

fn what_a_closed_file_keeps_is_on_its_slots_account<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &bytes(4, 0, 512));
    let old: Vec<_> = (0..2).map(|_| s.read(fd, 512, 0).unwrap()).collect();
    s.drain();
    s.io.deregister_fd(fd).unwrap();
    let next = s.open("next", &bytes(5, 0, 512));
    // Two blocks of the share, which the old reads have, and the four common ones.
    let kept = keep_all(&mut s, next);
    assert_eq!(kept.len(), 4);
    for token in old {
        assert!(s.bytes_of(token) == bytes(4, 0, 512));
    }
    for token in kept.into_iter().chain(keep_all(&mut s, next)) {
        assert!(s.bytes_of(token) == bytes(5, 0, 512));
    }
    assert_eq!(keep_all(&mut s, next).len(), 6, "all is there again");
}

fn what_cannot_be_read_is_refused<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &[1; 100]);
    let io = |errno| Err(StorageIoError::Io(errno));
    assert_eq!(s.read(fd, 1, u64::MAX), io(Errno::INVAL));
    assert_eq!(s.read(fd, 1, i64::MAX as u64), io(Errno::FBIG));
    assert_eq!(s.io.pending_count(), 0);
    // A file that is not open for reading says so in the completion.
    let file = s.fixture.open_appending("file");
    s.io.deregister_fd(fd).unwrap();
    let fd = s.io.register_fd(file).unwrap();
    let token = s.read(fd, 10, 0).unwrap();
    let result = s.wait_for(token);
    if F::NAME.contains("script") || F::NAME.contains("sim") {
        assert_eq!(result, 10, "their files are always open for reading");
        return;
    }
    assert_eq!(result, -Errno::BADF.number());
    assert_eq!(s.io.release_read(token), INVALID, "nothing to release");
    let append = s.append(fd, b"it goes on").unwrap();
    let sync = s.sync(fd).unwrap();
    assert_eq!((s.wait_for(append), s.wait_for(sync)), (10, 0));
}

fn scripted() -> Session<Scripted<false>> {
    Session::at(Place::Memory, &Setup::default()).expect("runs everywhere")
}

#[test]
fn a_sync_does_not_wait_for_reads_and_reads_beside_nothing_do_not_wait() {
    let mut s = scripted();
    let fd = s.open("file", &bytes(1, 0, 2_000));
    let disk = s.fixture.disk.clone();
    disk.script(Rule::once("file", Of::Reads, Action::Hang));
    let hung = s.read(fd, 100, 0).unwrap();
    s.io.flush().unwrap();
    let write = s.write(fd, &[1; 100], 500).unwrap();
    let sync = s.sync(fd).unwrap();
    let read = s.read(fd, 100, 1_000).unwrap();
    assert_eq!((s.wait_for(write), s.wait_for(sync), s.wait_for(read)), (100, 0, 100));
    // A write over what is being read waits, and so does a read of what is being written.
    let over = s.write(fd, &[2; 100], 50).unwrap();
    let behind = s.read(fd, 10, 60).unwrap();
    s.io.flush().unwrap();
    s.poll();
    assert!(!s.results.contains_key(&over) && !s.results.contains_key(&behind));
    disk.release(Action::Complete);
    assert!(s.bytes_of(hung) == bytes(1, 0, 2_000)[..100], "it saw what came later");
    assert_eq!(s.bytes_of(behind), [2; 10]);
    assert_eq!(s.wait_for(over), 100);
}

#[test]
fn an_error_is_the_reads_own() {
    let mut s = scripted();
    let content = bytes(1, 0, 2_000);
    let fd = s.open("file", &content);
    let disk = s.fixture.disk.clone();
    disk.script(Rule::once("file", Of::Reads, Action::Fail(Errno::IO)));
    let failed = s.read(fd, 100, 0).unwrap();
    assert_eq!(s.wait_for(failed), -Errno::IO.number());
    let sync = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(sync), 0);
    for errno in [Errno::INTR, Errno::AGAIN, Errno::CANCELED] {
        disk.script(Rule::times("file", Of::Reads, Action::Fail(errno), 16));
        let token = s.read(fd, 100, 0).unwrap();
        assert!(s.bytes_of(token) == content[..100], "again and again");
        disk.script(Rule::times("file", Of::Reads, Action::Fail(errno), 17));
        let token = s.read(fd, 100, 0).unwrap();
        let expected = if errno == Errno::CANCELED { Errno::IO } else { errno };
        assert_eq!(s.wait_for(token), -expected.number());
    }
    // One byte at a time.
    disk.script(Rule::times("file", Of::Reads, Action::Short(1), 99));
    let token = s.read(fd, 100, 300).unwrap();
    assert!(s.bytes_of(token) == content[300..][..100]);
}

#[test]
fn a_failed_file_can_be_read() {
    let mut s = scripted();
    let content = bytes(1, 0, 2_000);
    let fd = s.open("file", &content);
    let disk = s.fixture.disk.clone();
    disk.script(Rule::once("file", Of::Syncs, Action::Fail(Errno::IO)));
    let before = s.read(fd, 100, 0).unwrap();
    let sync = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(sync), -Errno::IO.number());
    assert_eq!(s.write(fd, &[1], 0), Err(StorageIoError::Io(Errno::IO)), "control: it is failed");
    let after = s.read(fd, 100, 100).unwrap();
    assert!(s.bytes_of(before) == content[..100] && s.bytes_of(after) == content[100..200]);
}

#[test]
fn reads_that_wait_start_in_any_order_and_all_of_them() {
    for order in [Order::Oldest, Order::Newest] {
        let mut s = scripted();
        let fd = s.open("file", &bytes(1, 0, 4_000));
        let disk = s.fixture.disk.clone();
        disk.state().order = order;
        disk.state().room = 2;
        let mut model = bytes(1, 0, 4_000);
        for round in 0..30_u64 {
            let mut expected = Vec::new();
            for at in [0, 150, 300, 90] {
                let data = bytes(round * 10 + at, at, 100);
                s.retry(|s| s.write(fd, &data, at)).unwrap();
                model[at as usize..][..100].copy_from_slice(&data);
                let token = s.retry(|s| s.read(fd, 120, at + 10)).unwrap();
                expected.push((token, model[at as usize + 10..][..120].to_vec()));
            }
            for (token, expected) in expected {
                assert!(s.bytes_of(token) == expected, "round {round}");
            }
        }
    }
}

/// A truncation, a hole and a close wait for the reads before them, and reads after them wait.
#[test]
fn reads_and_alterations_keep_their_order() {
    let mut s = scripted();
    let content = bytes(1, 0, 2_000);
    let fd = s.open("file", &content);
    let disk = s.fixture.disk.clone();
    disk.script(Rule::once("file", Of::Reads, Action::Hang));
    let before = s.read(fd, 500, 1_500).unwrap();
    s.io.flush().unwrap();
    let truncation = s.submit(|io| io.submit_truncate(fd, 100)).unwrap();
    for _ in 0..3 {
        s.io.flush().unwrap();
        s.poll();
    }
    assert!(!s.results.contains_key(&truncation), "it did not wait for the read");
    assert_eq!(s.read(fd, 10, 0), Err(StorageIoError::QueueFull));
    disk.release(Action::Complete);
    assert!(s.bytes_of(before) == content[1_500..], "it saw what came later");
    assert_eq!(s.wait_for(truncation), 0);
    let after = s.read(fd, 500, 0).unwrap();
    assert!(s.bytes_of(after) == content[..100]);
    disk.script(Rule::once("file", Of::Reads, Action::Hang));
    let last = s.read(fd, 50, 0).unwrap();
    let close = s.submit(|io| io.submit_close(fd)).unwrap();
    s.io.flush().unwrap();
    s.poll();
    assert!(!s.results.contains_key(&close), "it did not wait for the read");
    disk.release(Action::Complete);
    assert_eq!(s.wait_for(close), 0);
    assert!(s.bytes_of(last) == content[..50]);
}
