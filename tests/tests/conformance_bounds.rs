//! Guarantee 8: bounded; shares; sinks with little room.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{
    IoCompletion, IoFd, Limits, SliceSink, StorageIo, StorageIoError, StorageIoExt,
};
use ringzero_tests::{
    conformance,
    fixture::{Fixture, Place, SMALL, Scripted, Setup},
    random::bytes,
    script::{Action, Of, Rule},
    session::Session,
};

conformance!(
    a_sink_without_room_leaves_the_rest_queued_in_order,
    a_vec_without_room_grows,
    capacities_come_back,
    refusals_use_nothing_up,
    one_file_at_its_limit_of_operations_leaves_the_others_theirs,
);

fn a_sink_without_room_leaves_the_rest_queued_in_order<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    let mut tokens = Vec::new();
    for id in 0..20 {
        tokens.push(s.append(fd, &[id; 10]).unwrap());
    }
    while s.io.wait(20, Some(std::time::Duration::from_secs(20))).unwrap() < 20 {}
    for room in [0, 1, 3, 0, 5, 2, 4, 64] {
        let mut memory = vec![IoCompletion::default(); room];
        let mut sink = SliceSink::new(&mut memory);
        let before = s.io.pending_count();
        s.io.poll_completions(&mut sink);
        let batch = sink.filled().to_vec();
        assert_eq!(batch.len(), room.min(before));
        s.take(&batch);
        if s.io.pending_count() == 0 {
            break;
        }
    }
    let mut bounded = heapless::Vec::<IoCompletion, 2>::new();
    loop {
        s.io.poll_completions(&mut bounded);
        let batch = bounded.to_vec();
        bounded.clear();
        s.take(&batch);
        if batch.len() < 2 {
            break;
        }
    }
    assert_eq!(s.delivered, tokens, "in order, none lost, none twice");
}

fn a_vec_without_room_grows<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    for _ in 0..20 {
        s.append(fd, b"x").unwrap();
    }
    s.io.wait(20, Some(std::time::Duration::from_secs(20))).unwrap();
    let mut batch = Vec::new();
    while s.io.pending_count() > 0 {
        s.io.poll_completions(&mut batch);
    }
    assert_eq!(batch.len(), 20);
    s.take(&batch);
}

fn capacities_come_back<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    let mut most = Vec::new();
    for round in 0..20 {
        let mut count = 0;
        loop {
            let answer = match count % 3 {
                0 => s.write(fd, &[round; 100], 0),
                1 => s.write(fd, &[round; 700], 5_000),
                _ => s.sync(fd),
            };
            match answer {
                Ok(_) => count += 1,
                Err(StorageIoError::QueueFull | StorageIoError::BufferExhausted) => break,
                Err(error) => panic!("{error}"),
            }
        }
        most.push(count);
        s.drain();
    }
    assert!(most[0] >= 6);
    assert!(most.iter().all(|&count| count == most[0]), "capacity was lost: {most:?}");
}

fn refusals_use_nothing_up<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    let long = vec![1; s.io.max_write()];
    let mut refused = 0;
    for _ in 0..100 {
        refused += usize::from(s.write(fd, &long, 0).is_err());
        refused += usize::from(s.append(fd, &long).is_err());
    }
    assert!(refused > 100, "control: {refused} refused");
    s.drain();
    let most = SMALL.operations_per_file + SMALL.operations_common;
    for _ in 0..most {
        s.sync(fd).expect("all of its operations are free again");
    }
    s.drain();
    s.write(fd, &long, 0).expect("and all of its blocks");
    s.drain();
}

fn one_file_at_its_limit_of_operations_leaves_the_others_theirs<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let files: Vec<IoFd> = (0..4).map(|i| s.open(&format!("file {i}"), &[])).collect();
    let mut greedy = 0;
    loop {
        match s.sync(files[0]) {
            Ok(_) => greedy += 1,
            Err(error) => {
                assert_eq!(error, StorageIoError::QueueFull);
                break;
            }
        }
    }
    assert_eq!(greedy, SMALL.operations_per_file + SMALL.operations_common);
    for &fd in &files[1..] {
        for _ in 0..SMALL.operations_per_file {
            s.append(fd, b"y").expect("its guaranteed share");
        }
        assert_eq!(s.append(fd, b"y"), Err(StorageIoError::QueueFull), "control: full");
    }
    s.drain();
}

type Plain = Session<Scripted<false>>;

fn fill(s: &mut Plain, fd: IoFd, len: usize) -> usize {
    let mut count = 0;
    while s.write(fd, &vec![1; len], 100_000 + (count * len * 2) as u64).is_ok() {
        count += 1;
        s.io.flush().unwrap();
    }
    count
}

#[test]
fn a_stalled_file_that_holds_everything_it_can_does_not_stop_another() {
    for len in [1, 64, 512, 513, 1_500] {
        let mut s = Plain::at(Place::Memory, &Setup::default()).expect("runs everywhere");
        let stalled = s.open("stalled", &[]);
        let other = s.open("other", &[]);
        s.fixture.disk.script(Rule::times("stalled", Of::Writes, Action::Hang, 1_000));
        let count = fill(&mut s, stalled, len);
        assert!(count >= 2);
        assert_eq!(s.append(stalled, &[1; 512]), s.append(stalled, &[1; 512]), "control: full");
        let mut expected = Vec::new();
        for id in 1..100 {
            let data = bytes(id, expected.len() as u64, 300);
            let token = s.append(other, &data).expect("its guaranteed share");
            let sync = s.sync(other).expect("its guaranteed share");
            assert_eq!((s.wait_for(token), s.wait_for(sync)), (300, 0));
            expected.extend_from_slice(&data);
        }
        assert!(s.fixture.read("other") == expected);
        s.fixture.disk.state().rules.clear();
        s.fixture.disk.release(Action::Complete);
        s.drain();
    }
}

#[test]
fn undelivered_completions_of_one_file_do_not_stop_another() {
    let mut s = Plain::at(Place::Memory, &Setup::default()).expect("runs everywhere");
    let slow = s.open("slow", &[]);
    let other = s.open("other", &[]);
    while s.write(slow, &[], 0).is_ok() {}
    for _ in 0..SMALL.operations_per_file {
        s.append(other, b"x").expect("its guaranteed share");
    }
    s.drain();
}

#[test]
fn no_more_is_in_flight_than_there_are_operations() {
    let limits = Limits { blocks_common: 64, ..SMALL };
    let mut s = Plain::at(Place::Memory, &Setup::with(limits)).expect("runs everywhere");
    let files: Vec<IoFd> = (0..4).map(|i| s.open(&format!("file {i}"), &[])).collect();
    for name in ["file 0", "file 1", "file 2", "file 3"] {
        s.fixture.disk.script(Rule::times(name, Of::Writes, Action::Hang, 1_000));
    }
    for &fd in &files {
        fill(&mut s, fd, 10);
    }
    let peak = s.fixture.disk.state().pending_peak;
    assert_eq!(peak as u32, limits.operation_count(), "control: all of them at once");
    assert!(s.io.engine().in_flight() <= limits.operation_count());
    s.fixture.disk.state().rules.clear();
    s.fixture.disk.release(Action::Complete);
    s.drain();
}

#[test]
fn blocks_that_hold_many_records_come_back_whatever_the_order_of_the_answers() {
    let fixture = Scripted::<true>::at(Place::Memory).expect("runs everywhere");
    let limits = Limits { blocks_common: 1, operations_common: 200, ..SMALL };
    let mut s = Session::over(fixture, &Setup::with(limits));
    let fd = s.open("file", &[]);
    for id in 1..3_000_u64 {
        let at = id * 97 % 5_000;
        let data = bytes(id, at, (id * 31 % 400) as usize + 1);
        s.retry(|s| s.write(fd, &data, at)).unwrap();
    }
    s.drain();
    let most = vec![1; s.io.max_write()];
    s.append(fd, &most).expect("all blocks are free");
    s.drain();
}
