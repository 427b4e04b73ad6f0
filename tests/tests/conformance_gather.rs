//! Gathered writes and appends: several slices under one token, and every guarantee of the plain
//! forms.
//!
//! # Mutations
//! Each of these turned tests here red; paths are in `core/src` unless they say more:
//!
//! | mutation | file |
//! |---|---|
//! | each slice goes to where the first one does | `engine/content.rs` |
//! | the last slice first; a long one left out | `engine/content.rs` |
//! | the longest slice counts for all of them | `engine/content.rs` |
//! | what follows in a block goes to where the slice before began | `table/buffer_ring/room.rs` |
//! | the stream takes blocks without asking whether there are any | `table/buffer_ring/chain.rs` |
//! | what is queued waits for a flush in the immediate mode, too | `backends/src/sync/driver.rs` |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{Errno, IoFd, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    conformance,
    fixture::{Fixture, Place, Scripted, Setup},
    random::{Random, bytes, number_from_env},
    script::{Action, Of, Rule},
    session::Session,
    skip::skip,
};

conformance!(
    the_slices_lie_one_behind_the_other_and_are_free_at_return,
    nothing_to_write_completes_with_zero_and_changes_nothing,
    what_is_refused_is_refused_like_the_plain_form_and_leaves_no_trace,
    the_longest_is_accepted_in_any_number_of_slices,
    a_file_without_a_place_for_it_refuses,
    a_direct_file_takes_slices_of_any_length,
);

/// Cuts `data` into slices, some of them empty.
fn cut<'a>(data: &'a [u8], random: &mut Random) -> Vec<&'a [u8]> {
    let mut slices = Vec::new();
    let mut rest = data;
    while !rest.is_empty() {
        let most = [2, 40, 1_200][random.below(3) as usize].min(rest.len() as u64 + 1);
        let (head, tail) = rest.split_at(random.below(most) as usize);
        slices.push(head);
        rest = tail;
    }
    if random.chance(200) {
        slices.push(&[]);
    }
    slices
}

fn the_slices_lie_one_behind_the_other_and_are_free_at_return<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let seed = number_from_env("RINGZERO_SEED", 21);
    println!("RINGZERO_SEED={seed}");
    let mut random = Random::new(seed);
    let fd = s.open("file", b"begin");
    let mut expected = b"begin".to_vec();
    let mut lengths = Vec::new();
    for id in 1..600 {
        let most = [30, 700, 3_000][random.below(3) as usize];
        let mut data = bytes(id, 0, 1 + random.below(most) as usize);
        let is_append = random.chance(500);
        let at = if is_append { expected.len() } else { random.below(9_000) as usize };
        let slices = cut(&data, &mut random);
        let token = s
            .retry(|s| match is_append {
                true => s.appendv(fd, &slices),
                false => s.writev(fd, &slices, at as u64),
            })
            .unwrap();
        lengths.push((token, data.len() as i32));
        expected.resize(expected.len().max(at + data.len()), 0);
        expected[at..at + data.len()].copy_from_slice(&data);
        assert_eq!(s.io.tail(fd), Ok(expected.len() as u64));
        data.fill(0xEE);
        if random.chance(50) {
            s.retry(|s| s.sync(fd)).unwrap();
        }
    }
    s.drain();
    assert!(lengths.iter().all(|(token, length)| s.result(*token) == *length));
    assert!(s.fixture.read("file") == expected);
}

fn nothing_to_write_completes_with_zero_and_changes_nothing<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", b"abc");
    let nothing: [&[&[u8]]; 3] = [&[], &[&[]], &[&[], &[], &[]]];
    for slices in nothing {
        let write = s.writev(fd, slices, 1).unwrap();
        let append = s.appendv(fd, slices).unwrap();
        assert_eq!(s.io.tail(fd), Ok(3));
        s.drain();
        assert_eq!((s.result(write), s.result(append)), (0, 0));
    }
    assert_eq!(s.fixture.read("file"), b"abc");
}

/// Refused, twice, and nothing is different afterwards.
fn refused<F: Fixture>(
    s: &mut Session<F>,
    fd: IoFd,
    data: &[u8],
    at: Option<u64>,
) -> Option<StorageIoError> {
    let (head, tail) = data.split_at(data.len() / 3);
    let before = (s.io.tail(fd), s.io.stats().submitted, s.io.stats().bytes);
    let answer = match at {
        Some(at) => s.writev(fd, &[head, &[], tail], at),
        None => s.appendv(fd, &[head, &[], tail]),
    };
    let refusal = answer.err()?;
    assert_eq!((s.io.tail(fd), s.io.stats().submitted, s.io.stats().bytes), before);
    let plain = match at {
        Some(at) => s.write(fd, data, at),
        None => s.append(fd, data),
    };
    assert_eq!(plain, Err(refusal), "the plain form is refused with the same");
    Some(refusal)
}

fn what_is_refused_is_refused_like_the_plain_form_and_leaves_no_trace<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let file = s.fixture.create("file", &[5; 40]);
    let fd = s.io.register_segment(file, 40, 100_000).unwrap();
    let io = |errno| Some(StorageIoError::Io(errno));
    let longest = vec![1; s.io.max_write() + 1];
    assert_eq!(refused(&mut s, fd, &longest, Some(0)), io(Errno::MSGSIZE));
    assert_eq!(refused(&mut s, fd, &longest, None), io(Errno::MSGSIZE));
    assert_eq!(refused(&mut s, fd, b"xyz", Some(u64::MAX)), io(Errno::INVAL));
    assert_eq!(refused(&mut s, fd, b"xyz", Some(i64::MAX as u64 - 2)), io(Errno::FBIG));
    let mut later = 0;
    for round in 0..200_u64 {
        let at = (round % 2 == 0).then_some(round * 7 % 1_000);
        match refused(&mut s, fd, &[round as u8; 700], at) {
            None => {}
            Some(StorageIoError::QueueFull | StorageIoError::BufferExhausted) => later += 1,
            Some(error) => panic!("{error}"),
        }
    }
    assert!(later > 100, "most were refused: {later}");
    s.drain();
    while s.io.room(fd).unwrap() >= 300 {
        let most = [7_u8; 3_000];
        let len = s.io.room(fd).unwrap().min(3_000) as usize;
        s.retry(|s| s.appendv(fd, &[&most[..1], &most[1..len]])).unwrap();
    }
    let room = s.io.room(fd).unwrap() as usize;
    s.drain();
    assert_eq!(refused(&mut s, fd, &vec![2; room + 1], None), io(Errno::FBIG));
    s.io.deregister_fd(fd).unwrap();
    assert_eq!(s.writev(fd, &[b"x"], 0), Err(StorageIoError::BadFd));
    assert_eq!(s.appendv(fd, &[b"x"]), Err(StorageIoError::BadFd));
    s.io.shutdown(ringzero_tests::session::PATIENCE).unwrap();
    assert_eq!(s.writev(fd, &[b"x"], 0), Err(StorageIoError::Closed));
    assert_eq!(s.appendv(fd, &[b"x"]), Err(StorageIoError::Closed));
}

fn the_longest_is_accepted_in_any_number_of_slices<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    let data = bytes(9, 0, s.io.max_write());
    let mut expected = Vec::new();
    for step in [1, 7, 511, 512, 513, data.len()] {
        let slices: Vec<&[u8]> = data.chunks(step).collect();
        let write = s.writev(fd, &slices, expected.len() as u64).unwrap();
        expected.extend_from_slice(&data);
        s.drain();
        let append = s.appendv(fd, &slices).unwrap();
        expected.extend_from_slice(&data);
        s.drain();
        assert_eq!([s.result(write), s.result(append)], [data.len() as i32; 2]);
    }
    assert!(s.fixture.read("file") == expected);
}

fn a_file_without_a_place_for_it_refuses<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let device = s.fixture.open_device();
    let fd = s.io.register_fd(device).unwrap();
    assert_eq!(s.appendv(fd, &[b"x"]), Err(StorageIoError::Io(Errno::INVAL)), "no end");
    let write = s.writev(fd, &[b"one ", b"two"], 0).unwrap();
    assert_eq!(s.wait_for(write), 7);
}

fn a_direct_file_takes_slices_of_any_length<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let mut expected = bytes(1, 0, 700);
    drop(s.fixture.create("file", &expected));
    let file = match s.fixture.open_direct("file") {
        Ok(file) => file,
        Err(reason) => return skip(format!("{}: {reason}", F::NAME)),
    };
    let fd = match s.io.register_fd(file) {
        Ok(fd) => fd,
        Err(StorageIoError::Io(Errno::INVAL)) => {
            return skip(format!("{}: blocks of 512 bytes are too small here", F::NAME));
        }
        Err(error) => panic!("{error}"),
    };
    let mut random = Random::new(3);
    for id in 2..60 {
        let data = bytes(id, expected.len() as u64, 1 + random.below(900) as usize);
        let slices = cut(&data, &mut random);
        s.retry(|s| s.appendv(fd, &slices)).unwrap();
        expected.extend_from_slice(&data);
    }
    let alignment = s.io.alignment(fd).unwrap() as usize;
    let data = bytes(99, 0, alignment);
    let (head, tail) = data.split_at(100);
    assert_eq!(s.writev(fd, &[head], 0), Err(StorageIoError::Io(Errno::INVAL)));
    s.drain();
    s.writev(fd, &[head, tail], alignment as u64).unwrap();
    expected[alignment..2 * alignment].copy_from_slice(&data);
    s.drain();
    s.io.deregister_fd(fd).unwrap();
    assert!(s.fixture.read("file") == expected);
}

#[test]
fn behind_an_append_that_failed_it_is_cancelled_and_then_refused() {
    let mut s = Session::<Scripted<false>>::at(Place::Memory, &Setup::default()).unwrap();
    let fd = s.open("file", b"12");
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Fail(Errno::NOSPC)));
    let failed = s.appendv(fd, &[b"a", b"bc"]).unwrap();
    s.io.flush().unwrap();
    let cancelled = s.appendv(fd, &[b"d", b"e"]).unwrap();
    s.drain();
    assert_eq!(s.result(failed), -Errno::NOSPC.number());
    assert_eq!(s.result(cancelled), -Errno::CANCELED.number());
    assert_eq!(s.appendv(fd, &[b"f"]), Err(StorageIoError::Io(Errno::NOSPC)));
    assert_eq!(s.io.resume_append(fd), Ok(2));
    let resumed = s.appendv(fd, &[b"g", b"h"]).unwrap();
    assert_eq!(s.wait_for(resumed), 2);
    assert_eq!(s.fixture.disk.read("file"), b"12gh");
}
