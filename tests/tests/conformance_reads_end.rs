//! How long reads are: the end of the file is exact, whatever is under way.
//!
//! # Mutations
//! | removed or changed | red |
//! |---|---|
//! | the cut at the tail | 31 tests, here and in `conformance_reads` |
//! | the cut after an append that failed | `a_read_behind_an_append_that_fails_..` |
//! | what is shown is cut to what was asked for | the same |
//! | reading nothing is the end | `a_segment_ends_..`, all modes |
//! | part of an aligned block is the end | the same, where nothing says more |
//! | no request for what was cut | `a_read_asks_for_nothing_behind_..` |
//! | a read of a gap waits for the write behind it | `a_gap_..`, modes that delay |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{Errno, Limits, StorageIo, StorageIoExt};
use ringzero_tests::{
    conformance,
    disk::Ask,
    fixture::{Fixture, Place, SMALL, Scripted, Setup},
    random::bytes,
    script::{Action, Of, Rule},
    session::Session,
};

conformance!(
    the_end_of_the_file_is_exact,
    a_gap_before_an_unfinished_write_is_zeros,
    a_segment_ends_where_its_file_does,
);

fn the_end_of_the_file_is_exact<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &bytes(3, 0, 1_000));
    let cases =
        [(900, 200, 100), (999, 1, 1), (999, 2, 1), (1_000, 1, 0), (5_000, 9, 0), (0, 0, 0)];
    for (offset, len, expected) in cases {
        let token = s.read(fd, len, offset).unwrap();
        assert_eq!(s.wait_for(token), expected, "{len} at {offset}");
        assert_eq!(s.io.read_bytes(token, 0).unwrap().len(), expected as usize);
        assert_eq!(s.io.read_bytes(token, expected as usize), Ok(&[][..]));
        assert_eq!(s.io.release_read(token), Ok(()));
    }
    // What is appended while it is under way is not seen.
    let token = s.read(fd, 500, 800).unwrap();
    for _ in 0..5 {
        s.append(fd, &[9; 50]).unwrap();
    }
    assert!(s.bytes_of(token) == bytes(3, 0, 1_000)[800..]);
    let token = s.read(fd, 500, 800).unwrap();
    assert_eq!(s.wait_for(token), 450);
    assert_eq!(s.io.release_read(token), Ok(()));
}

/// What a write beyond the end leaves out is zeros, also before the write is in the file.
fn a_gap_before_an_unfinished_write_is_zeros<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &[1; 100]);
    for round in 1..40_u64 {
        let begin = s.io.tail(fd).unwrap();
        s.retry(|s| s.write(fd, &[2; 50], begin + 200)).unwrap();
        let gap = s.retry(|s| s.read(fd, 120, begin + 40)).unwrap();
        assert!(s.bytes_of(gap) == [0; 120], "round {round}");
    }
}

/// The tail of a segment says nothing of where its file ends.
fn a_segment_ends_where_its_file_does<F: Fixture>() {
    let limits = Limits { block_bytes: 4_096, blocks_common: 8, ..SMALL };
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::with(limits)) else { return };
    let content = bytes(8, 0, 9_000);
    let plain = s.fixture.create("plain", &content);
    drop(s.fixture.create("direct", &content));
    let mut files = vec![plain];
    match s.fixture.open_direct("direct") {
        Ok(file) => files.push(file),
        Err(reason) => ringzero_tests::skip::skip(format!("{}: {reason}", F::NAME)),
    }
    for file in files {
        let fd = s.io.register_segment(file, 512, 40_960).unwrap();
        let cases = [(8_900, 200, 100), (8_999, 5_000, 1), (9_000, 10, 0), (20_000, 10, 0)];
        for (offset, len, expected) in cases {
            let token = s.read(fd, len, offset).unwrap();
            assert_eq!(s.wait_for(token), expected as i32, "{len} at {offset}");
            let begin = content.len().min(offset as usize);
            assert!(s.bytes_of(token) == content[begin..begin + expected]);
        }
    }
}

/// What an append that fails had written in part is not the file's.
#[test]
fn a_read_behind_an_append_that_fails_ends_where_the_file_does() {
    let mut s = scripted();
    let fd = s.open("file", &bytes(1, 0, 1_000));
    let disk = s.fixture.disk.clone();
    disk.script(Rule::once("file", Of::Writes, Action::Torn(60, Errno::NOSPC)));
    let append = s.append(fd, &[7; 100]).unwrap();
    let read = s.read(fd, 500, 900).unwrap();
    assert_eq!(s.wait_for(append), -Errno::NOSPC.number());
    assert_eq!(s.fixture.read("file").len(), 1_060, "control: more is in the file");
    assert!(s.bytes_of(read) == bytes(1, 0, 1_000)[900..]);
}

/// Behind the end that a failed append left, the next one is on its way beside the read.
#[test]
fn a_read_asks_for_nothing_behind_the_end_of_the_file() {
    let mut s = scripted();
    let fd = s.open("file", &bytes(1, 0, 1_000));
    let disk = s.fixture.disk.clone();
    disk.script(Rule::once("file", Of::Writes, Action::Hang));
    let append = s.append(fd, &[7; 100]).unwrap();
    s.io.flush().unwrap();
    let reads = [s.read(fd, 150, 900).unwrap(), s.read(fd, 50, 1_000).unwrap()];
    disk.release(Action::Fail(Errno::NOSPC));
    s.poll();
    assert_eq!(s.result(append), -Errno::NOSPC.number());
    assert_eq!(s.io.resume_append(fd), Ok(1_000));
    s.append(fd, &[8; 100]).unwrap();
    assert_eq!(s.bytes_of(reads[0]), &bytes(1, 0, 1_000)[900..]);
    assert_eq!(s.bytes_of(reads[1]), []);
    let is_read = |(_, ask): &(u64, Ask)| matches!(ask, Ask::Read { .. });
    let asked: Vec<_> = disk.requests("file").into_iter().filter(is_read).collect();
    assert_eq!(asked.len(), 1, "nothing to read for the other");
    assert!(matches!(asked[0].1, Ask::Read { offset: 900, len: 100, .. }), "{asked:?}");
}

fn scripted() -> Session<Scripted<false>> {
    Session::at(Place::Memory, &Setup::default()).expect("runs everywhere")
}
