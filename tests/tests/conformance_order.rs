//! Guarantee 4: overlapping writes take effect in the order of submission; merging never shows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{Errno, IoFd, Limits, StorageIo, StorageIoExt};
use ringzero_tests::{
    conformance,
    disk::Ask,
    fixture::{Fixture, Place, Scripted, Setup},
    random::{Random, bytes, number_from_env},
    script::{Action, Of, Order, Rule},
    session::Session,
};

conformance!(
    overlapping_writes_in_flight_keep_their_order,
    long_and_short_overlapping_writes_keep_their_order,
    adjacent_writes_in_any_order_keep_their_bytes,
    an_append_and_writes_over_it_keep_their_order,
);

fn overlapping_writes_in_flight_keep_their_order<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let seed = number_from_env("RINGZERO_SEED", 4);
    println!("RINGZERO_SEED={seed}");
    let mut random = Random::new(seed);
    let fd = s.open("file", &[]);
    let mut expected = vec![0; 8_000];
    for id in 1..1_500 {
        let offset = random.below(7_000);
        let data = bytes(id, offset, random.below(1_000) as usize + 1);
        s.retry(|s| s.write(fd, &data, offset)).unwrap();
        expected[offset as usize..][..data.len()].copy_from_slice(&data);
        if random.chance(150) {
            s.io.flush().unwrap();
        }
    }
    s.drain();
    let content = s.fixture.read("file");
    assert!(content == expected[..content.len()], "an earlier write won over a later one");
}

fn long_and_short_overlapping_writes_keep_their_order<F: Fixture>() {
    let setup = Setup::with(Limits { blocks_common: 32, ..Limits::default() });
    let Some(mut s) = Session::<F>::at(Place::Memory, &setup) else { return };
    let seed = number_from_env("RINGZERO_SEED", 44);
    println!("RINGZERO_SEED={seed}");
    let mut random = Random::new(seed);
    let fd = s.open("file", &[]);
    let mut expected = vec![0; 600_000];
    for id in 1..250 {
        let longest = if random.chance(300) { 300_000 } else { 9_000 };
        let offset = random.below(300_000);
        let data = bytes(id, offset, random.below(longest) as usize + 1);
        s.retry(|s| s.write(fd, &data, offset)).unwrap();
        expected[offset as usize..][..data.len()].copy_from_slice(&data);
        if random.chance(150) {
            s.io.flush().unwrap();
        }
    }
    s.drain();
    let content = s.fixture.read("file");
    assert!(content == expected[..content.len()], "an earlier write won over a later one");
}

fn adjacent_writes_in_any_order_keep_their_bytes<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    let mut expected = vec![0; 64 * 24];
    for round in 0..4_u64 {
        // 24 records of 64 bytes: forwards, then backwards, then every fifth.
        for step in 0..24_u64 {
            let at = [step, 23 - step, step * 5 % 24, step][round as usize];
            let data = bytes(round * 100 + step + 1, at * 64, 64);
            s.retry(|s| s.write(fd, &data, at * 64)).unwrap();
            expected[at as usize * 64..][..64].copy_from_slice(&data);
            if step == 11 {
                s.retry(|s| s.sync(fd)).unwrap();
            }
        }
    }
    s.drain();
    assert!(s.fixture.read("file") == expected);
    assert!(s.results.values().all(|&result| result == 64 || result == 0));
}

fn an_append_and_writes_over_it_keep_their_order<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    let mut expected = Vec::new();
    for id in 0..300_u64 {
        let begin = s.io.tail(fd).unwrap();
        let data = bytes(id * 2 + 1, begin, 100);
        s.retry(|s| s.append(fd, &data)).unwrap();
        expected.extend_from_slice(&data);
        // Over the second half of the append and what came before it.
        let at = (begin + 50).saturating_sub(70);
        let over = bytes(id * 2 + 2, at, 90);
        let end = (begin + 100).min(at + 90) - at;
        s.retry(|s| s.write(fd, &over[..end as usize], at)).unwrap();
        expected[at as usize..][..end as usize].copy_from_slice(&over[..end as usize]);
    }
    s.drain();
    assert!(s.fixture.read("file") == expected);
}

fn scripted() -> Session<Scripted<false>> {
    Session::at(Place::Memory, &Setup::default()).expect("runs everywhere")
}

fn offsets(s: &Session<Scripted<false>>) -> Vec<(u64, u64)> {
    let of_write = |(_, ask): (u64, Ask)| match ask {
        Ask::Write { offset, len, .. } => Some((offset, len)),
        Ask::Read { .. } | Ask::Sync(_) | Ask::Alter(_) => None,
    };
    s.fixture.disk.requests("file").into_iter().filter_map(of_write).collect()
}

fn write_each(s: &mut Session<Scripted<false>>, fd: IoFd, offsets: &[u64], len: u64) -> Vec<u64> {
    let mut write = |&at: &u64| s.write(fd, &bytes(at + 1, at, len as usize), at).unwrap();
    offsets.iter().map(&mut write).collect()
}

#[test]
fn a_write_that_overlaps_waits_for_the_one_before_and_others_do_not() {
    let mut s = scripted();
    let fd = s.open("file", &[]);
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(0), Action::Hang));
    write_each(&mut s, fd, &[0], 100);
    let second = s.write(fd, &[2; 100], 50).unwrap();
    let third = s.write(fd, &[3; 100], 120).unwrap();
    let apart = write_each(&mut s, fd, &[1_000], 100)[0];
    assert_eq!(s.wait_for(apart), 100, "what is apart does not wait");
    assert_eq!(offsets(&s), [(0, 100), (1_000, 100)], "what overlaps does");
    assert!(!s.results.contains_key(&second) && !s.results.contains_key(&third));
    s.fixture.disk.release(Action::Complete);
    s.drain();
    let content = s.fixture.read("file");
    assert_eq!(
        (content[49], content[50], content[119], content[120]),
        (bytes(1, 49, 1)[0], 2, 2, 3)
    );
}

#[test]
fn a_write_in_the_middle_of_a_long_one_waits_for_it_and_the_other_way_round() {
    let mut s = Session::<Scripted<false>>::at(Place::Memory, &Setup::with(Limits::default()))
        .expect("runs everywhere");
    let fd = s.open("file", &[]);
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(0), Action::Hang));
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(2_150_000), Action::Hang));
    s.write(fd, &[1; 300_000], 0).unwrap();
    s.write(fd, &[2; 100], 150_000).unwrap();
    s.write(fd, &[3; 100], 2_150_000).unwrap();
    s.write(fd, &[4; 300_000], 2_000_000).unwrap();
    s.io.flush().unwrap();
    let begins: Vec<u64> = offsets(&s).into_iter().map(|(begin, _)| begin).collect();
    assert_eq!(begins, [0, 2_150_000]);
    s.fixture.disk.release(Action::Complete);
    s.drain();
    let content = s.fixture.read("file");
    assert_eq!((content[150_000], content[2_150_000]), (2, 4));
}

#[test]
fn a_write_over_an_append_in_flight_waits_for_it() {
    let mut s = scripted();
    let fd = s.open("file", &[]);
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Hang));
    s.append(fd, &[1; 100]).unwrap();
    s.io.flush().unwrap();
    s.write(fd, &[2; 50], 25).unwrap();
    s.io.flush().unwrap();
    assert_eq!(offsets(&s), [(0, 100)]);
    s.fixture.disk.release(Action::Complete);
    s.drain();
    assert_eq!(s.fixture.read("file")[20..30], [1, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
}

#[test]
fn adjacent_queued_writes_leave_as_one_request() {
    let mut s = scripted();
    let fd = s.open("file", &[]);
    write_each(&mut s, fd, &[0, 64, 128, 192], 64);
    assert_eq!(s.io.flush(), Ok(1));
    s.drain();
    assert_eq!(offsets(&s), [(0, 256)]);
    assert_eq!(s.io.stats().merged_records, 3);
}

#[test]
fn writes_are_never_merged_across_an_accepted_sync() {
    let mut s = scripted();
    let fd = s.open("file", &[]);
    write_each(&mut s, fd, &[0, 64], 64);
    let sync = s.sync(fd).unwrap();
    write_each(&mut s, fd, &[128, 192], 64);
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(128), Action::Hang));
    assert_eq!(s.wait_for(sync), 0, "the sync does not wait for what came after it");
    assert_eq!(offsets(&s), [(0, 128), (128, 128)]);
    s.fixture.disk.release(Action::Complete);
    s.drain();
}

#[test]
fn a_merged_request_that_fails_charges_its_first_write_and_sends_the_others_alone() {
    for errno in [Errno::NOSPC, Errno::IO] {
        let mut s = scripted();
        let fd = s.open("file", &[]);
        s.fixture.disk.script(Rule::once("file", Of::WriteAt(0), Action::Fail(errno)));
        let tokens = write_each(&mut s, fd, &[0, 64, 128], 64);
        s.drain();
        let results: Vec<_> = tokens.iter().map(|&token| s.result(token)).collect();
        assert_eq!(results, [-errno.number(), 64, 64]);
        assert_eq!(offsets(&s), [(0, 192), (64, 64), (128, 64)]);
        assert_eq!(s.fixture.read("file")[64..128], bytes(65, 64, 64)[..]);
    }
}

#[test]
fn a_merged_request_that_fails_after_progress_charges_the_first_unfinished_write() {
    let mut s = scripted();
    let fd = s.open("file", &[]);
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(0), Action::Short(100)));
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(100), Action::Fail(Errno::NOSPC)));
    let tokens = write_each(&mut s, fd, &[0, 64, 128], 64);
    s.drain();
    let results: Vec<_> = tokens.iter().map(|&token| s.result(token)).collect();
    assert_eq!(results, [64, -Errno::NOSPC.number(), 64]);
    assert_eq!(offsets(&s), [(0, 192), (100, 92), (128, 64)]);
}

#[test]
fn a_merged_request_without_progress_never_lets_retries_of_one_use_up_those_of_another() {
    let mut s = scripted();
    let fd = s.open("file", &[]);
    s.fixture.disk.script(Rule::times("file", Of::WriteAt(0), Action::Fail(Errno::AGAIN), 1_000));
    let tokens = write_each(&mut s, fd, &[0, 64, 128], 64);
    s.drain();
    let results: Vec<_> = tokens.iter().map(|&token| s.result(token)).collect();
    assert_eq!(results, [-Errno::AGAIN.number(), 64, 64]);
}

#[test]
fn requests_that_end_in_reverse_are_delivered_with_their_own_results() {
    let mut s = scripted();
    s.fixture.disk.state().order = Order::Newest;
    let fd = s.open("file", &[]);
    let mut tokens = Vec::new();
    for len in 1..8 {
        tokens.push(s.write(fd, &vec![len as u8; len], len as u64 * 100).unwrap());
    }
    s.drain();
    for (token, len) in tokens.iter().zip(1..) {
        assert_eq!(s.result(*token), len);
    }
    assert!(!s.delivered.is_sorted(), "the order was reversed on the way");
}
