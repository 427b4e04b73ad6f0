//! Guarantee 6: a datasync covers what came before it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{Errno, IoFd, StorageIo, StorageIoError, StorageIoExt, SyncKind};
use ringzero_tests::{
    choices::Choices,
    conformance,
    disk::Ask,
    fixture::{Fixture, Place, Scripted, Setup},
    random::{Random, bytes, number_from_env},
    script::{Action, Of, Order, Rule},
    session::Session,
};

conformance!(
    a_sync_is_delivered_after_everything_it_covers,
    syncs_of_different_files_do_not_wait_for_each_other,
    a_sync_of_nothing_succeeds,
);

fn a_sync_is_delivered_after_everything_it_covers<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let seed = number_from_env("RINGZERO_SEED", 6);
    println!("RINGZERO_SEED={seed}");
    let mut random = Random::new(seed);
    let fd = s.open("file", &[]);
    let mut covered = Vec::new();
    let mut syncs = Vec::new();
    for id in 1..400 {
        let data = bytes(id, 0, random.below(600) as usize + 1);
        let token = match random.below(5) {
            0 | 1 => s.retry(|s| s.append(fd, &data)).unwrap(),
            2 | 3 => {
                let offset = random.below(4_000);
                s.retry(|s| s.write(fd, &data, offset)).unwrap()
            }
            _ => {
                syncs.push((s.retry(|s| s.sync(fd)).unwrap(), covered.len()));
                continue;
            }
        };
        covered.push(token);
        if random.chance(200) {
            s.io.flush().unwrap();
        }
    }
    s.drain();
    assert!(syncs.len() > 20);
    let positions: Vec<usize> = covered.iter().map(|&token| s.position(token)).collect();
    let mut last = 0;
    for &(sync, count) in &syncs {
        assert_eq!(s.result(sync), 0);
        let at = s.position(sync);
        assert!(positions[..count].iter().all(|&before| before < at), "sync {sync} too early");
        assert!(at >= last, "syncs in order");
        last = at;
    }
}

fn syncs_of_different_files_do_not_wait_for_each_other<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let files: Vec<IoFd> = (0..4).map(|i| s.open(&format!("file {i}"), &[])).collect();
    let mut tokens = Vec::new();
    for round in 0..50 {
        for &fd in &files {
            s.retry(|s| s.append(fd, &[round; 10])).unwrap();
            tokens.push(s.retry(|s| s.sync(fd)).unwrap());
        }
    }
    s.drain();
    assert!(tokens.iter().all(|&token| s.result(token) == 0));
}

fn a_sync_of_nothing_succeeds<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    let tokens = [s.sync(fd).unwrap(), s.sync(fd).unwrap()];
    s.drain();
    assert_eq!(tokens.map(|token| s.result(token)), [0, 0]);
}

type Plain = Session<Scripted<false>>;

fn scripted() -> (Plain, IoFd) {
    let mut s = Plain::at(Place::Memory, &Setup::default()).expect("runs everywhere");
    let fd = s.open("file", &[]);
    (s, fd)
}

fn sync_count(s: &Plain) -> usize {
    s.fixture.disk.sync_count("file")
}

#[test]
fn no_sync_overtakes_a_write_or_append_it_covers() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::times("file", Of::Writes, Action::Hang, 3));
    s.write(fd, &[1; 10], 0).unwrap();
    s.append(fd, &[2; 10]).unwrap();
    s.write(fd, &[3; 10], 1).unwrap();
    let sync = s.sync(fd).unwrap();
    for _ in 0..10 {
        s.io.flush().unwrap();
        s.poll();
    }
    assert_eq!(sync_count(&s), 0, "the writes are on their way");
    let numbers: Vec<u64> = s.fixture.disk.requests("file").iter().map(|(n, _)| *n).collect();
    assert_eq!(numbers.len(), 2, "one waits for what it overlaps");
    for number in numbers {
        s.fixture.disk.release_one(number, Action::Complete);
        s.poll();
        s.poll();
        assert_eq!(sync_count(&s), 0);
    }
    s.fixture.disk.release(Action::Complete);
    assert_eq!(s.wait_for(sync), 0);
    assert_eq!(sync_count(&s), 1, "control: it was sent in the end");
    let durable = s.fixture.disk.durable("file");
    assert_eq!(durable.len(), 20, "and speaks for everything before it");
    assert_eq!(durable[..12], [1, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2]);
}

#[test]
fn a_sync_waits_for_every_part_of_a_continued_write() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(0), Action::Short(5)));
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(5), Action::Hang));
    s.write(fd, &[1; 10], 0).unwrap();
    let sync = s.sync(fd).unwrap();
    for _ in 0..5 {
        s.poll();
    }
    assert_eq!(sync_count(&s), 0);
    s.fixture.disk.release(Action::Complete);
    assert_eq!(s.wait_for(sync), 0);
    assert_eq!(s.fixture.disk.durable("file"), [1; 10]);
}

#[test]
fn a_sync_does_not_wait_for_what_came_after_it() {
    let (mut s, fd) = scripted();
    s.write(fd, &[1; 10], 0).unwrap();
    let sync = s.sync(fd).unwrap();
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(100), Action::Hang));
    s.write(fd, &[2; 10], 100).unwrap();
    assert_eq!(s.wait_for(sync), 0);
    assert_eq!(s.io.pending_count(), 1);
    s.fixture.disk.release(Action::Complete);
    s.drain();
}

#[test]
fn a_sync_flies_beside_writes_of_other_files() {
    let (mut s, fd) = scripted();
    let other = s.open("other", &[]);
    s.fixture.disk.script(Rule::once("other", Of::Writes, Action::Hang));
    s.write(other, &[1; 10], 0).unwrap();
    s.write(fd, &[1; 10], 0).unwrap();
    let sync = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(sync), 0);
    s.fixture.disk.release(Action::Complete);
    s.drain();
}

#[test]
fn syncs_behind_the_same_barrier_share_one_call() {
    let (mut s, fd) = scripted();
    s.write(fd, &[1; 10], 0).unwrap();
    let tokens: Vec<u64> = (0..5).map(|_| s.sync(fd).unwrap()).collect();
    s.drain();
    assert!(tokens.iter().all(|&token| s.result(token) == 0));
    assert_eq!(sync_count(&s), 1);
    assert_eq!(s.io.stats().shared_syncs, 4);
}

#[test]
fn at_most_one_data_sync_of_a_file_is_in_flight() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::Syncs, Action::Hang));
    let first = s.sync(fd).unwrap();
    s.io.flush().unwrap();
    s.write(fd, &[1; 10], 0).unwrap();
    let second = s.sync(fd).unwrap();
    for _ in 0..5 {
        s.io.flush().unwrap();
        s.poll();
    }
    assert_eq!(sync_count(&s), 1);
    assert!(!s.results.contains_key(&second), "a sync in flight does not speak for a later write");
    s.fixture.disk.release(Action::Complete);
    s.drain();
    assert_eq!((s.result(first), s.result(second), sync_count(&s)), (0, 0, 2));
}

#[test]
fn the_error_of_a_call_is_that_of_every_sync_it_served() {
    let (mut s, fd) = scripted();
    s.write(fd, &[1; 10], 0).unwrap();
    let tokens: Vec<u64> = (0..3).map(|_| s.sync(fd).unwrap()).collect();
    s.fixture.disk.script(Rule::once("file", Of::Syncs, Action::Fail(Errno::NOSPC)));
    s.drain();
    assert!(tokens.iter().all(|&token| s.result(token) == -Errno::NOSPC.number()));
    assert_eq!(sync_count(&s), 1);
}

#[test]
fn the_first_sync_after_registration_is_a_full_one() {
    let (mut s, fd) = scripted();
    for at in 0..3 {
        // An append's sync would be fused with it.
        s.write(fd, b"x", at).unwrap();
        s.sync(fd).unwrap();
        s.drain();
    }
    let kinds: Vec<SyncKind> = s
        .fixture
        .disk
        .requests("file")
        .into_iter()
        .filter_map(|(_, ask)| match ask {
            Ask::Sync(kind) => Some(kind),
            Ask::Write { .. } | Ask::Read { .. } | Ask::Alter(_) => None,
        })
        .collect();
    assert_eq!(kinds, [SyncKind::Full, SyncKind::Data, SyncKind::Data]);
}

#[test]
fn a_failed_write_is_reported_by_the_first_sync_that_covers_it_and_by_no_other() {
    for is_append in [false, true] {
        let (mut s, fd) = scripted();
        let before = s.sync(fd).unwrap();
        s.drain();
        // The append is fused with the sync at first, and goes out again alone.
        let times = if is_append { 2 } else { 1 };
        let fails = Action::Fail(Errno::NOSPC);
        s.fixture.disk.script(Rule::times("file", Of::Writes, fails, times));
        let failed = if is_append { s.append(fd, &[1; 9]) } else { s.write(fd, &[1; 9], 0) };
        let first = s.sync(fd).unwrap();
        let second = s.sync(fd).unwrap();
        s.drain();
        let third = s.sync(fd).unwrap();
        s.drain();
        let results = [before, failed.unwrap(), first, second, third].map(|t| s.result(t));
        let no_space = -Errno::NOSPC.number();
        assert_eq!(results, [0, no_space, no_space, 0, 0]);
        assert_eq!(sync_count(&s), 3, "the one that reports makes no call");
    }
}

#[test]
fn a_sync_with_a_failure_to_report_does_not_share_the_call_of_the_one_before_it() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::Syncs, Action::Hang));
    s.sync(fd).unwrap();
    s.io.flush().unwrap();
    let good = s.sync(fd).unwrap();
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Fail(Errno::NOSPC)));
    let failed = s.write(fd, &[1; 10], 0).unwrap();
    let reports = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(failed), -Errno::NOSPC.number());
    s.fixture.disk.release(Action::Complete);
    s.drain();
    assert_eq!((s.result(good), s.result(reports)), (0, -Errno::NOSPC.number()));
}

#[test]
fn an_append_accepted_only_to_be_cancelled_is_reported_by_the_sync_behind_it() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Fail(Errno::NOSPC)));
    s.append(fd, &[1; 10]).unwrap();
    s.io.flush().unwrap();
    assert_eq!(s.io.wait(1, None), Ok(1), "failed, not delivered");
    let first = s.sync(fd).unwrap();
    let cancelled = s.append(fd, &[2; 10]).unwrap();
    let second = s.sync(fd).unwrap();
    s.drain();
    let results = [first, cancelled, second].map(|token| s.result(token));
    let canceled = -Errno::CANCELED.number();
    assert_eq!(results, [-Errno::NOSPC.number(), canceled, canceled]);
}

#[test]
fn a_failure_that_was_delivered_long_ago_is_still_reported() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Fail(Errno::FBIG)));
    s.write(fd, &[1; 10], 0).unwrap();
    s.drain();
    s.write(fd, &[2; 10], 0).unwrap();
    s.drain();
    let first = s.sync(fd).unwrap();
    s.drain();
    let second = s.sync(fd).unwrap();
    s.drain();
    assert_eq!((s.result(first), s.result(second)), (-Errno::FBIG.number(), 0));
    assert_eq!(sync_count(&s), 1);
}

#[test]
fn a_sync_reports_the_first_of_the_failures_it_covers_whatever_the_order_they_came_in() {
    for order in [Order::Oldest, Order::Newest] {
        let (mut s, fd) = scripted();
        s.fixture.disk.state().order = order;
        for (at, errno) in [(0, Errno::DQUOT), (100, Errno::NOSPC), (200, Errno::FBIG)] {
            s.fixture.disk.script(Rule::once("file", Of::WriteAt(at), Action::Fail(errno)));
        }
        s.write(fd, &[1; 10], 0).unwrap();
        let first = s.sync(fd).unwrap();
        s.write(fd, &[2; 10], 100).unwrap();
        s.write(fd, &[2; 10], 200).unwrap();
        let second = s.sync(fd).unwrap();
        let third = s.sync(fd).unwrap();
        s.drain();
        assert_eq!(s.result(first), -Errno::DQUOT.number());
        assert_eq!(s.result(second), -Errno::NOSPC.number());
        assert_eq!(s.result(third), 0);
    }
}

#[test]
fn a_cancelled_append_is_a_failure_that_a_sync_reports() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Hang));
    s.append(fd, &[1; 10]).unwrap();
    s.io.flush().unwrap();
    let first = s.sync(fd).unwrap();
    let cancelled = s.append(fd, &[2; 10]).unwrap();
    let second = s.sync(fd).unwrap();
    s.fixture.disk.release(Action::Fail(Errno::NOSPC));
    s.drain();
    assert_eq!(s.result(cancelled), -Errno::CANCELED.number());
    assert_eq!(s.result(first), -Errno::NOSPC.number());
    assert!(s.result(second) < 0, "it covers an append that failed after the first sync");
}

#[test]
fn success_speaks_for_every_earlier_byte_under_any_order_of_answers() {
    for seed in 0..100 {
        let (mut s, fd) = scripted();
        s.fixture.disk.state().order = Order::Shuffled(Choices::seeded(seed));
        let mut random = Random::new(seed);
        let mut expected = Vec::new();
        let mut last = None;
        for id in 1..40 {
            let data = bytes(id, expected.len() as u64, 50);
            s.retry(|s| s.append(fd, &data)).unwrap();
            expected.extend_from_slice(&data);
            if random.chance(300) {
                last = Some((s.retry(|s| s.sync(fd)).unwrap(), expected.len()));
            }
            if let Some((sync, len)) = last
                && random.chance(300)
            {
                assert_eq!(s.wait_for(sync), 0);
                let durable = s.fixture.disk.durable("file");
                assert!(durable[..len] == expected[..len], "seed {seed}");
                last = None;
            }
        }
        s.drain();
    }
}

#[test]
fn a_failed_file_gets_no_data_sync() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Fail(Errno::IO)));
    let write = s.write(fd, &[1; 10], 0).unwrap();
    let sync = s.sync(fd).unwrap();
    let late = s.sync(fd).unwrap();
    s.drain();
    assert_eq!((s.result(write), s.result(sync)), (-Errno::IO.number(), -Errno::IO.number()));
    assert_eq!(s.result(late), -Errno::CANCELED.number());
    assert_eq!(sync_count(&s), 0);
    assert_eq!(s.sync(fd), Err(StorageIoError::Io(Errno::IO)));
}
