//! Guarantees 1, 2 and 3: accepted or untouched, the slice is free, all or error; sizes and edges.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use ringzero_core::{Errno, Limits, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    conformance,
    fixture::{Fixture, Place, SMALL, Setup},
    random::{Random, bytes, number_from_env},
    session::{PATIENCE, Session},
};

conformance!(
    every_accepted_submission_completes_exactly_once,
    a_refused_submission_leaves_no_trace,
    polling_alone_makes_progress,
    a_wait_for_nothing_returns_at_once,
    the_slice_is_free_at_return,
    zero_length_completes_with_zero_and_changes_nothing,
    every_length_up_to_the_longest_is_written_whole,
    a_length_that_can_never_fit_is_emsgsize,
    the_longest_write_is_accepted_whenever_nothing_is_outstanding,
    offsets_at_the_edges_are_refused_before_the_kernel_sees_them,
    a_write_far_behind_the_end_leaves_zeros_between,
);

fn every_accepted_submission_completes_exactly_once<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let seed = number_from_env("RINGZERO_SEED", 11);
    println!("RINGZERO_SEED={seed}");
    let mut random = Random::new(seed);
    let files: Vec<_> = (0..4).map(|i| s.open(&format!("file {i}"), &[])).collect();
    let mut accepted = 0;
    for id in 1..2_000 {
        let fd = files[random.below(4) as usize];
        let data = bytes(id, 0, random.below(700) as usize);
        let answer = match random.below(8) {
            0 => s.sync(fd),
            1..4 => s.append(fd, &data),
            _ => s.write(fd, &data, random.below(5_000)),
        };
        match answer {
            Ok(_) => accepted += 1,
            Err(StorageIoError::QueueFull | StorageIoError::BufferExhausted) => {
                s.io.wait(1, Some(PATIENCE)).unwrap();
                s.poll();
            }
            Err(error) => panic!("{error}"),
        }
        if random.chance(100) {
            s.io.flush().unwrap();
        }
    }
    s.drain();
    assert_eq!(s.delivered.len(), accepted);
    assert!(accepted > 300, "the script did something: {accepted}");
    assert!(s.results.values().all(|&result| result >= 0));
    assert_eq!(s.poll(), 0, "nothing is owed, nothing comes");
}

fn a_refused_submission_leaves_no_trace<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", b"0123456789");
    let mut refusals = 0;
    for round in 0..200 {
        let tail = s.io.tail(fd).unwrap();
        let submitted = s.io.stats().submitted;
        let pending = s.io.pending_count();
        let answer = match round % 4 {
            0 => s.append(fd, &[7; 600]),
            1 => s.write(fd, &[8; 600], 0),
            2 => s.append(fd, &vec![9; s.io.max_write() + 1]),
            _ => s.sync(fd),
        };
        let is_taken = usize::from(answer.is_ok());
        refusals += 1 - is_taken;
        assert_eq!(s.io.pending_count(), pending + is_taken);
        assert_eq!(s.io.stats().submitted, submitted + is_taken as u64);
        if answer.is_err() {
            assert_eq!(s.io.tail(fd).unwrap(), tail, "{answer:?}");
        }
    }
    assert!(refusals > 100, "most were refused: {refusals}");
    let tail = s.io.tail(fd).unwrap();
    s.drain();
    let appends = (tail - 10) / 600;
    assert_eq!(tail, 10 + appends * 600);
    let content = s.fixture.read("file");
    assert_eq!(content.len() as u64, tail);
    assert!(content[600..].iter().all(|&byte| byte == 7), "only accepted appends");
}

fn polling_alone_makes_progress<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    let write = s.write(fd, b"write", 0).unwrap();
    let append = s.append(fd, b"append").or_else(|_| {
        s.poll();
        s.append(fd, b"append")
    });
    let sync = s.sync(fd).unwrap();
    let begin = Instant::now();
    while s.io.pending_count() > 0 {
        s.poll();
        assert!(begin.elapsed() < Duration::from_secs(20), "a poll alone does nothing");
    }
    assert_eq!(s.result(write), 5);
    assert_eq!(s.result(append.unwrap()), 6);
    assert_eq!(s.result(sync), 0);
}

fn a_wait_for_nothing_returns_at_once<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let begin = Instant::now();
    assert_eq!(s.io.wait(1, None), Ok(0), "nothing is pending");
    assert_eq!(s.io.wait(0, None), Ok(0));
    let fd = s.open("file", &[]);
    s.append(fd, b"x").unwrap();
    assert_eq!(s.io.wait(5, None), Ok(1), "no more than is pending");
    assert!(begin.elapsed() < Duration::from_secs(10));
    s.drain();
    assert_eq!(s.io.wait(1, None), Ok(0));
}

fn the_slice_is_free_at_return<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    let mut buffer = [0_u8; 900];
    let mut expected = Vec::new();
    for round in 0..40_u64 {
        buffer.copy_from_slice(&bytes(round + 1, 0, 900));
        expected.extend_from_slice(&buffer);
        if round % 2 == 0 {
            s.retry(|s| s.append(fd, &buffer)).unwrap();
        } else {
            s.retry(|s| s.write(fd, &buffer, round * 900)).unwrap();
        }
        buffer.fill(0xEE);
    }
    s.drain();
    assert!(s.fixture.read("file") == expected, "a buffer was read after the call");
}

fn zero_length_completes_with_zero_and_changes_nothing<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", b"abc");
    let end = i64::MAX as u64;
    let tokens = [
        s.write(fd, &[], 0).unwrap(),
        s.append(fd, &[]).unwrap(),
        s.append(fd, b"d").unwrap(),
        s.append(fd, &[]).unwrap(),
        s.write(fd, &[], end).unwrap(),
        s.append(fd, &[]).unwrap(),
    ];
    assert_eq!(s.io.tail(fd), Ok(4));
    s.drain();
    let results = tokens.map(|token| s.result(token));
    assert_eq!(results, [0, 0, 1, 0, 0, 0]);
    let appends = [tokens[1], tokens[2], tokens[3], tokens[5]].map(|token| s.position(token));
    assert!(appends.is_sorted(), "appends complete in order");
    assert_eq!(s.fixture.read("file"), b"abcd");
}

fn every_length_up_to_the_longest_is_written_whole<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    let max = s.io.max_write();
    assert_eq!(max, SMALL.max_write());
    let lengths = [1, 2, 511, 512, 513, 1023, 1024, 1025, 1536, 2047, 2049, max - 1, max];
    let mut expected = Vec::new();
    for (id, &len) in lengths.iter().cycle().take(52).enumerate() {
        let offset = expected.len() as u64;
        let data = bytes(id as u64 + 1, offset, len);
        let token = if id % 3 == 0 {
            s.retry(|s| s.write(fd, &data, offset))
        } else {
            s.retry(|s| s.append(fd, &data))
        };
        expected.extend_from_slice(&data);
        if id % 5 == 0 {
            assert_eq!(s.wait_for(token.unwrap()), len as i32);
        }
    }
    s.drain();
    assert!(s.results.values().all(|&result| result > 0));
    assert!(s.fixture.read("file") == expected);

    // And far above the default block: several requests, several blocks, one token.
    let limits = Limits { blocks_common: 80, ..Limits::default() };
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::with(limits)) else { return };
    let fd = s.open("long", &[]);
    let data = bytes(9, 0, limits.max_write());
    assert!(data.len() > 5 << 20);
    let written = s.append(fd, &data).unwrap();
    assert_eq!(s.wait_for(written), data.len() as i32);
    assert!(s.fixture.read("long") == data);
    let over = bytes(10, 0, data.len());
    let written = s.write(fd, &over, 0).unwrap();
    assert_eq!(s.wait_for(written), data.len() as i32);
    assert!(s.fixture.read("long") == over);
}

fn a_length_that_can_never_fit_is_emsgsize<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    let long = vec![1; s.io.max_write() + 1];
    let refused = Err(StorageIoError::Io(Errno::MSGSIZE));
    assert_eq!(s.append(fd, &long), refused);
    assert_eq!(s.write(fd, &long, 0), refused);
    assert_eq!(s.io.can_accept(fd, long.len()), Err(StorageIoError::Io(Errno::MSGSIZE)));
    assert_eq!(s.io.can_accept(fd, long.len() - 1), Ok(()));
    assert_eq!(s.io.pending_count(), 0);
    s.append(fd, &long[1..]).unwrap();
    s.drain();
    assert_eq!(s.fixture.read("file").len(), long.len() - 1);
}

fn the_longest_write_is_accepted_whenever_nothing_is_outstanding<F: Fixture>() {
    let limits = Limits { blocks_common: 0, ..SMALL };
    for limits in [SMALL, limits, Limits { blocks_per_file: 1, ..limits }] {
        let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::with(limits)) else { return };
        let fd = s.open("file", &[]);
        let long = bytes(3, 0, s.io.max_write());
        for first in [1, 100, 512, long.len()] {
            s.append(fd, &long[..first]).unwrap();
            s.drain();
            s.write(fd, &long, 0).expect("a positional write of max_write(), nothing outstanding");
            s.drain();
            s.write(fd, &long[..first], 0).unwrap();
            s.drain();
            s.append(fd, &long).expect("an append of max_write(), nothing outstanding");
            s.drain();
        }
        assert!(s.fixture.read("file").starts_with(&long));
    }
}

fn offsets_at_the_edges_are_refused_before_the_kernel_sees_them<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", b"abc");
    let end = i64::MAX as u64;
    let invalid = Err(StorageIoError::Io(Errno::INVAL));
    let too_big = Err(StorageIoError::Io(Errno::FBIG));
    assert_eq!(s.write(fd, b"x", u64::MAX), invalid, "offset -1 means the file position");
    assert_eq!(s.write(fd, &[], u64::MAX), invalid);
    assert_eq!(s.write(fd, b"x", u64::MAX - 1), too_big);
    assert_eq!(s.write(fd, b"xy", u64::MAX - 1), too_big, "the sum wraps around");
    assert_eq!(s.write(fd, b"x", end), too_big);
    assert_eq!(s.write(fd, b"xy", end - 1), too_big);
    assert_eq!(s.write(fd, b"x", end + 1), too_big);
    assert_eq!(s.io.pending_count(), 0);
    assert_eq!(s.io.tail(fd), Ok(3));
    assert_eq!(s.fixture.read("file"), b"abc");
    // The last position that a file can have is for the kernel to judge.
    let token = s.write(fd, b"x", end - 1).unwrap();
    let result = s.wait_for(token);
    assert!(result == 1 || result == -Errno::FBIG.number(), "{result}");
    // Nothing can be appended behind it.
    assert_eq!(s.append(fd, b"x"), too_big);
}

fn a_write_far_behind_the_end_leaves_zeros_between<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", b"abc");
    s.write(fd, b"far", 100_000).unwrap();
    assert_eq!(s.io.tail(fd), Ok(100_003), "a write moves the tail when it is accepted");
    s.append(fd, b"behind").unwrap();
    s.drain();
    let content = s.fixture.read("file");
    assert_eq!(&content[..3], b"abc");
    assert!(content[3..100_000].iter().all(|&byte| byte == 0));
    assert_eq!(&content[100_000..], b"farbehind");
}
