//! Guarantee 5: appends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{Errno, IoFd, Limits, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    conformance,
    disk::Ask,
    fixture::{Fixture, Place, Scripted, Setup},
    random::{Random, bytes, number_from_env},
    script::{Action, Of, Rule},
    session::Session,
};

conformance!(
    appends_far_past_the_pipeline_are_whole_and_in_order_on_a_disk,
    appends_far_past_the_pipeline_are_whole_and_in_order_in_memory,
    the_tail_read_before_an_append_is_its_offset,
    appends_begin_at_the_size_at_registration,
    a_limit_is_never_crossed,
    a_file_open_in_append_mode_takes_explicit_offsets,
    appends_of_several_files_do_not_mix,
);

fn far_past_the_pipeline<F: Fixture>(place: Place) {
    let limits = Limits { operations_common: 4_096, ..Limits::default() };
    let Some(mut s) = Session::<F>::at(place, &Setup::with(limits)) else { return };
    let seed = number_from_env("RINGZERO_SEED", 5);
    println!("RINGZERO_SEED={seed}");
    let mut random = Random::new(seed);
    let fd = s.open("log", &[]);
    let mut expected = Vec::new();
    for id in 1..6_000 {
        let len = if random.chance(5) { 300_000 } else { random.below(900) };
        let data = bytes(id, expected.len() as u64, len as usize);
        s.retry(|s| s.append(fd, &data)).unwrap();
        expected.extend_from_slice(&data);
        if random.chance(10) {
            s.retry(|s| s.sync(fd)).unwrap();
        }
    }
    assert_eq!(s.io.tail(fd), Ok(expected.len() as u64));
    s.drain();
    assert!(s.results.values().all(|&result| result >= 0));
    assert!(s.fixture.read("log") == expected, "a gap, an overlap, or another order");
    if !F::IS_INLINE {
        let stats = s.io.stats();
        assert!(stats.merged_records > 1_000, "appends packed: {stats:?}");
    }
}

fn appends_far_past_the_pipeline_are_whole_and_in_order_on_a_disk<F: Fixture>() {
    far_past_the_pipeline::<F>(Place::Disk);
}

fn appends_far_past_the_pipeline_are_whole_and_in_order_in_memory<F: Fixture>() {
    far_past_the_pipeline::<F>(Place::Memory);
}

fn the_tail_read_before_an_append_is_its_offset<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &[9; 33]);
    let mut expected = vec![9; 33];
    for id in 1..200_u64 {
        if id % 10 == 0 {
            let beyond = s.io.tail(fd).unwrap() + 7;
            s.retry(|s| s.write(fd, &[id as u8], beyond)).unwrap();
            expected.resize(beyond as usize, 0);
            expected.push(id as u8);
        }
        let at = s.io.tail(fd).unwrap();
        assert_eq!(at, expected.len() as u64);
        let data = bytes(id, at, id as usize);
        s.retry(|s| s.append(fd, &data)).unwrap();
        expected.extend_from_slice(&data);
    }
    s.drain();
    assert!(s.fixture.read("file") == expected);
}

fn appends_begin_at_the_size_at_registration<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", b"before ");
    s.append(fd, b"one ").unwrap();
    s.drain();
    s.io.deregister_fd(fd).unwrap();
    let file = s.fixture.open_appending("file");
    let fd = s.io.register_fd(file).unwrap();
    assert_eq!(s.io.tail(fd), Ok(11));
    s.append(fd, b"two").unwrap();
    s.drain();
    assert_eq!(s.fixture.read("file"), b"before one two");
}

fn a_limit_is_never_crossed<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let too_big = Err(StorageIoError::Io(Errno::FBIG));
    let invalid = Errno::INVAL;
    let file = s.fixture.create("bad", &[0; 100]);
    let refused = s.io.register_segment(file, 11, 10);
    assert_eq!(refused, Err(StorageIoError::Io(invalid)), "tail above limit");
    let file = s.fixture.create("segment", &[0; 100]);
    let fd = s.io.register_segment(file, 10, 30).unwrap();
    assert_eq!((s.io.tail(fd), s.io.room(fd)), (Ok(10), Ok(20)));
    assert_eq!(s.append(fd, &[1; 21]), too_big);
    assert_eq!(s.io.can_accept(fd, 21), too_big.map(|_: u64| ()));
    assert_eq!(s.io.room(fd), Ok(20), "untouched");
    s.append(fd, &[1; 15]).unwrap();
    assert_eq!(s.append(fd, &[2; 6]), too_big);
    s.append(fd, &[2; 5]).unwrap();
    assert_eq!(s.io.room(fd), Ok(0));
    assert_eq!(s.append(fd, &[3]), too_big);
    s.drain();
    s.io.deregister_fd(fd).unwrap();
    let mut expected = vec![0; 100];
    expected[10..25].fill(1);
    expected[25..30].fill(2);
    assert_eq!(s.fixture.read("segment"), expected, "and a segment is not cut");
}

fn a_file_open_in_append_mode_takes_explicit_offsets<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    drop(s.fixture.create("file", b"0123456789"));
    let file = s.fixture.open_appending("file");
    let fd = s.io.register_fd(file).unwrap();
    s.write(fd, b"ab", 2).unwrap();
    s.drain();
    s.append(fd, b"end").unwrap();
    s.drain();
    assert_eq!(s.fixture.read("file"), b"01ab456789end");
}

fn appends_of_several_files_do_not_mix<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let files: Vec<IoFd> = (0..4).map(|i| s.open(&format!("file {i}"), &[])).collect();
    let mut expected = vec![Vec::new(); 4];
    for id in 1..800_u64 {
        let which = (id % 4) as usize;
        let data = bytes(id, expected[which].len() as u64, (id * 37 % 200) as usize);
        s.retry(|s| s.append(files[which], &data)).unwrap();
        expected[which].extend_from_slice(&data);
    }
    s.drain();
    for (i, expected) in expected.iter().enumerate() {
        assert!(s.fixture.read(&format!("file {i}")) == *expected);
    }
}

type Plain = Session<Scripted<false>>;

fn scripted() -> (Plain, IoFd) {
    let mut s = Plain::at(Place::Memory, &Setup::default()).expect("runs everywhere");
    let fd = s.open("file", &[]);
    (s, fd)
}

fn writes(s: &Plain) -> Vec<(u64, u64)> {
    let write = |(_, ask): (u64, Ask)| match ask {
        Ask::Write { offset, len, .. } => Some((offset, len)),
        Ask::Read { .. } | Ask::Sync(_) | Ask::Alter(_) => None,
    };
    s.fixture.disk.requests("file").into_iter().filter_map(write).collect()
}

#[test]
fn at_most_two_append_requests_fly_and_what_comes_packs_behind_them() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::times("file", Of::Writes, Action::Hang, 2));
    for id in 0..10_u8 {
        s.append(fd, &[id; 10]).unwrap();
        s.io.flush().unwrap();
    }
    assert_eq!(writes(&s), [(0, 10), (10, 10)]);
    s.fixture.disk.release(Action::Complete);
    s.drain();
    assert_eq!(writes(&s), [(0, 10), (10, 10), (20, 80)]);
}

#[test]
fn an_answer_out_of_order_is_not_delivered_before_the_append_ahead_of_it() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(0), Action::Hang));
    let first = s.append(fd, &[1; 10]).unwrap();
    s.io.flush().unwrap();
    let second = s.append(fd, &[2; 10]).unwrap();
    s.io.flush().unwrap();
    for _ in 0..5 {
        assert_eq!(s.poll(), 0);
    }
    assert_eq!(s.fixture.read("file").len(), 20, "control: the second was answered");
    s.fixture.disk.release(Action::Complete);
    s.drain();
    assert_eq!(s.delivered, [first, second]);
}
