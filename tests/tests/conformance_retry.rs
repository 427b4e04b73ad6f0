//! Guarantee 3 in the face of short results and passing errors; guarantee 7 on ECANCELED.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{Errno, IoFd, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    disk::Ask,
    fixture::{Fixture, Place, Scripted, Setup},
    random::bytes,
    script::{Action, Of, Rule},
    session::Session,
};

type Plain = Session<Scripted<false>>;

fn scripted() -> (Plain, IoFd) {
    let mut s = Plain::at(Place::Memory, &Setup::default()).expect("runs everywhere");
    let fd = s.open("file", &[]);
    (s, fd)
}

fn submit(s: &mut Plain, fd: IoFd, is_append: bool, data: &[u8]) -> u64 {
    if is_append { s.append(fd, data) } else { s.write(fd, data, 0) }.unwrap()
}

#[test]
fn a_short_result_is_continued_where_it_ended_under_the_same_token() {
    for is_append in [false, true] {
        let (mut s, fd) = scripted();
        let data = bytes(1, 0, 1_500);
        for count in [1, 510, 2, 700] {
            s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Short(count)));
        }
        let token = submit(&mut s, fd, is_append, &data);
        assert_eq!(s.wait_for(token), 1_500);
        assert!(s.fixture.read("file") == data);
        assert_eq!(s.io.stats().short_results, 4);
        let begins: Vec<u64> = s
            .fixture
            .disk
            .requests("file")
            .into_iter()
            .map(|(_, ask)| match ask {
                Ask::Write { offset, .. } => offset,
                _ => panic!("only writes were submitted"),
            })
            .collect();
        assert_eq!(begins, [0, 1, 511, 513, 1_213]);
    }
}

#[test]
fn one_byte_at_a_time_still_ends_whole() {
    for is_append in [false, true] {
        let (mut s, fd) = scripted();
        s.fixture.disk.script(Rule::times("file", Of::Writes, Action::Short(1), 1_099));
        let data = bytes(1, 0, 1_100);
        let token = submit(&mut s, fd, is_append, &data);
        assert_eq!(s.wait_for(token), 1_100);
        assert!(s.fixture.read("file") == data);
    }
}

#[test]
fn passing_errors_are_retried_a_bounded_number_of_times_spread_over_polls() {
    for is_append in [false, true] {
        for errno in [Errno::INTR, Errno::AGAIN, Errno::CANCELED] {
            let (mut s, fd) = scripted();
            s.fixture.disk.script(Rule::times("file", Of::Writes, Action::Fail(errno), 3));
            let token = submit(&mut s, fd, is_append, b"data");
            s.io.flush().unwrap();
            for round in 1..=3 {
                assert_eq!(s.poll(), 0);
                let count = s.fixture.disk.requests("file").len();
                assert_eq!(count, round + 1, "one try per poll");
            }
            assert_eq!(s.poll(), 1);
            assert_eq!(s.result(token), 4);
            assert_eq!(s.io.stats().retries, 3);

            // For ever: an error in the end. The kernel's ECANCELED is never passed on.
            s.fixture.disk.script(Rule::times("file", Of::Writes, Action::Fail(errno), 1_000));
            let token = submit(&mut s, fd, is_append, b"data");
            let expected = if errno == Errno::CANCELED { Errno::IO } else { errno };
            assert_eq!(s.wait_for(token), -expected.number());
            let tries = s.fixture.disk.requests("file").len() - 4;
            assert!((2..=100).contains(&tries), "{tries} tries");
        }
    }
}

#[test]
fn progress_renews_the_retries() {
    let (mut s, fd) = scripted();
    for _ in 0..20 {
        s.fixture.disk.script(Rule::times("file", Of::Writes, Action::Fail(Errno::INTR), 10));
        s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Short(3)));
    }
    let data = bytes(1, 0, 100);
    let token = s.write(fd, &data, 0).unwrap();
    assert_eq!(s.wait_for(token), 100);
    assert!(s.fixture.read("file") == data);
}

#[test]
fn a_result_of_zero_bytes_is_an_error_and_fails_the_file() {
    for is_append in [false, true] {
        let (mut s, fd) = scripted();
        s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Zero));
        let token = submit(&mut s, fd, is_append, b"data");
        assert_eq!(s.wait_for(token), -Errno::IO.number());
        assert_eq!(s.append(fd, b"x"), Err(StorageIoError::Io(Errno::IO)));
    }
}

#[test]
fn a_failed_write_leaves_bytes_in_its_own_range_and_nowhere_else() {
    let (mut s, fd) = scripted();
    let before = s.write(fd, &[1; 300], 0).unwrap();
    s.drain();
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(100), Action::Torn(40, Errno::NOSPC)));
    let torn = s.write(fd, &[2; 100], 100).unwrap();
    s.drain();
    assert_eq!((s.result(before), s.result(torn)), (300, -Errno::NOSPC.number()));
    let content = s.fixture.read("file");
    assert!(content[..100].iter().chain(&content[200..]).all(|&byte| byte == 1));
    assert!(content[100..140].iter().all(|&byte| byte == 2), "control: bytes were left");
}

#[test]
fn a_long_write_that_is_cut_short_in_every_request_arrives_whole() {
    let limits = ringzero_core::Limits::default();
    for is_append in [false, true] {
        let mut s = Plain::at(Place::Memory, &Setup::with(limits)).expect("runs everywhere");
        let fd = s.open("file", &[]);
        let data = bytes(1, 0, limits.max_write());
        s.fixture.disk.script(Rule::times("file", Of::Writes, Action::Short(777_777), 4));
        let token = submit(&mut s, fd, is_append, &data);
        assert_eq!(s.wait_for(token), data.len() as i32);
        assert!(s.fixture.read("file") == data);
        let largest = s.fixture.disk.requests("file").into_iter().map(|(_, ask)| match ask {
            Ask::Write { len, pieces, .. } => {
                assert!(pieces <= 17, "{pieces} pieces");
                len
            }
            Ask::Read { .. } | Ask::Sync(_) | Ask::Alter(_) => 0,
        });
        assert!(largest.max() <= Some(1 << 20), "no request above 1 MiB");
    }
}

#[test]
fn a_sync_that_the_kernel_cancels_fails_the_file_with_eio() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::Syncs, Action::Fail(Errno::CANCELED)));
    let sync = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(sync), -Errno::IO.number());
    assert_eq!(s.sync(fd), Err(StorageIoError::Io(Errno::IO)));
    assert_eq!(s.fixture.disk.sync_count("file"), 1, "a data-sync is never sent again");
}

#[test]
fn an_executor_with_room_for_one_request_at_a_time_loses_nothing() {
    let fixture = Scripted::<true>::at(Place::Memory).expect("runs everywhere");
    fixture.disk.state().room = 1;
    let mut s = Session::over(fixture, &Setup::default());
    let one = s.open("one", &[]);
    let two = s.open("two", &[]);
    let mut expected = Vec::new();
    for id in 1..200_u64 {
        let data = bytes(id, expected.len() as u64, 30);
        s.retry(|s| s.append(one, &data)).unwrap();
        s.retry(|s| s.write(two, &data, expected.len() as u64)).unwrap();
        expected.extend_from_slice(&data);
        if id % 7 == 0 {
            s.retry(|s| s.sync(one)).unwrap();
            s.retry(|s| s.sync(two)).unwrap();
        }
    }
    s.drain();
    assert!(s.fixture.read("one") == expected && s.fixture.read("two") == expected);
    assert_eq!(s.fixture.disk.state().pending_peak, 1);
}
