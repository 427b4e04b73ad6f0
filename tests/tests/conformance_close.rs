//! Guarantees 10 and 11: deregistration, shutdown, drop; memory outlives its use.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use std::time::Duration;

use ringzero_core::{Errno, IoFd, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    conformance,
    fixture::{Fixture, Place, Setup},
    random::bytes,
    session::Session,
};

conformance!(
    deregistration_finishes_what_was_accepted_on_the_file,
    deregistration_with_operations_of_other_files_in_flight,
    completions_of_a_closed_file_are_delivered_while_its_slot_is_in_use_again,
    shutdown_finishes_everything_and_closes,
    dropping_with_operations_in_flight_corrupts_nothing,
    a_backend_can_be_moved_in_memory_with_operations_in_flight,
    a_deregistration_without_patience_gives_everything_back_later,
    a_shutdown_without_patience_still_answers_for_everything,
    dropping_without_patience_corrupts_nothing,
);

const LATER: Duration = Duration::from_secs(20);

fn deregistration_finishes_what_was_accepted_on_the_file<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    for round in 1..30_u64 {
        let fd = s.open("file", &[]);
        let append = s.append(fd, &bytes(round, 0, 700)).unwrap();
        let over = s.write(fd, &bytes(round + 100, 100, 300), 100).unwrap();
        let sync = s.sync(fd).unwrap();
        let last = s.append(fd, &bytes(round, 700, 100)).unwrap();
        s.io.deregister_fd(fd).unwrap();
        let mut expected = bytes(round, 0, 700);
        expected[100..400].copy_from_slice(&bytes(round + 100, 100, 300));
        expected.extend(bytes(round, 700, 100));
        assert!(s.fixture.read("file") == expected);
        assert_eq!(s.io.pending_count(), 4, "nothing is delivered by deregistration");
        assert_eq!(s.io.wait(4, Some(LATER)), Ok(4), "everything has ended");
        s.poll();
        assert_eq!([append, over, sync, last].map(|t| s.result(t)), [700, 300, 0, 100]);
    }
}

fn deregistration_with_operations_of_other_files_in_flight<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let kept: Vec<IoFd> = (0..3).map(|i| s.open(&format!("kept {i}"), &[])).collect();
    let mut expected = Vec::new();
    for round in 1..40_u64 {
        let fd = s.open("closing", &[]);
        let data = bytes(round, expected.len() as u64, 200);
        for &other in &kept {
            s.retry(|s| s.append(other, &data)).unwrap();
        }
        expected.extend_from_slice(&data);
        s.retry(|s| s.append(fd, &data)).unwrap();
        for &other in &kept {
            s.retry(|s| s.sync(other)).unwrap();
        }
        s.io.deregister_fd(fd).unwrap();
        assert!(s.fixture.read("closing") == data);
    }
    s.drain();
    assert!(s.results.values().all(|&result| result >= 0));
    for i in 0..3 {
        assert!(s.fixture.read(&format!("kept {i}")) == expected);
    }
}

fn completions_of_a_closed_file_are_delivered_while_its_slot_is_in_use_again<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let mut tokens = Vec::new();
    for round in 0..5_u8 {
        let fd = s.open(&format!("file {round}"), &[]);
        tokens.push(s.append(fd, &[round; 9]).unwrap());
        tokens.push(s.sync(fd).unwrap());
        s.io.deregister_fd(fd).unwrap();
    }
    let fd = s.open("last", &[]);
    assert_eq!(s.io.file_status(fd).unwrap().pending, 0, "those of the past are not its own");
    s.drain();
    let results: Vec<i32> = tokens.iter().map(|&token| s.result(token)).collect();
    assert_eq!(results, [9, 0, 9, 0, 9, 0, 9, 0, 9, 0]);
    assert_eq!(s.io.file_status(fd).unwrap().pending, 0);
    s.append(fd, b"x").unwrap();
    assert_eq!(s.io.file_status(fd).unwrap().pending, 1, "control: its own are counted");
    s.drain();
}

fn shutdown_finishes_everything_and_closes<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    let mut expected = Vec::new();
    for round in 1..6_u64 {
        let data = bytes(round, expected.len() as u64, 150);
        s.append(fd, &data).unwrap();
        expected.extend_from_slice(&data);
    }
    let sync = s.sync(fd).unwrap();
    let spare = s.fixture.create("spare", &[]);
    let spare_segment = s.fixture.create("spare segment", &[]);
    s.io.shutdown(LATER).unwrap();
    assert!(s.fixture.read("file") == expected);
    assert_eq!(s.io.pending_count(), 6, "still owed");
    let closed = Err(StorageIoError::Closed);
    assert_eq!(s.append(fd, b"x"), closed);
    assert_eq!(s.append(fd, &[]), closed);
    assert_eq!(s.write(fd, b"x", 0), closed);
    assert_eq!(s.write(fd, &[], 0), closed);
    assert_eq!(s.sync(fd), closed);
    assert_eq!(s.io.register_fd(spare), Err(StorageIoError::Closed));
    assert_eq!(s.io.register_segment(spare_segment, 0, 9), Err(StorageIoError::Closed));
    assert_eq!(s.io.flush(), Err(StorageIoError::Closed));
    assert_eq!(s.io.deregister_fd(fd), Err(StorageIoError::Closed));
    assert_eq!(s.io.shutdown(LATER), Err(StorageIoError::Closed));
    s.drain();
    assert_eq!(s.delivered.len(), 6);
    assert_eq!(s.result(sync), 0);
    assert!(s.results.values().all(|&result| result >= 0));
}

fn dropping_with_operations_in_flight_corrupts_nothing<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let mut arrived = 0;
    for round in 1..40_u64 {
        let fd = s.open("file", &[]);
        for step in 0..5_u64 {
            s.append(fd, &bytes(round, step * 300, 300)).unwrap();
            s.io.flush().unwrap();
        }
        s.sync(fd).unwrap();
        s.io.flush().unwrap();
        let Session { io, fixture, .. } = s;
        drop(io);
        // Whatever got into the file is what was appended: memory was not reused under the kernel.
        let content = fixture.read("file");
        let expected = bytes(round, 0, 1_500);
        let is_right = |(&is, &should): (&u8, &u8)| is == should || is == 0;
        assert!(content.iter().zip(&expected).all(is_right), "round {round}");
        arrived += content.iter().filter(|&&byte| byte != 0).count();
        s = Session::over(fixture, &Setup::default());
    }
    assert!(arrived > 39 * 100, "control: what was with the executor was waited for: {arrived}");
}

fn a_backend_can_be_moved_in_memory_with_operations_in_flight<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    let mut expected = Vec::new();
    for round in 1..50_u64 {
        for _ in 0..3 {
            let data = bytes(round, expected.len() as u64, 600);
            s.retry(|s| s.append(fd, &data)).unwrap();
            expected.extend_from_slice(&data);
        }
        s.retry(|s| s.sync(fd)).unwrap();
        s.io.flush().unwrap();
        let mut boxed = Box::new(s);
        boxed.io.flush().unwrap();
        let mut row = Vec::with_capacity(1);
        row.push(*boxed);
        // The row moves when it grows.
        row.reserve_exact(100);
        row[0].poll();
        s = row.pop().unwrap();
    }
    s.drain();
    assert!(s.results.values().all(|&result| result >= 0));
    assert!(s.fixture.read("file") == expected);
}

/// No deadline at all: what a worker has in hand may or may not end in time.
fn impatient() -> Setup {
    Setup { close_deadline: Duration::ZERO, drop_deadline: Duration::ZERO, ..Setup::default() }
}

fn a_deregistration_without_patience_gives_everything_back_later<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &impatient()) else { return };
    let mut late = 0;
    for round in 1..40_u64 {
        let fd = s.open("file", &[]);
        let data = bytes(round, 0, 1_000);
        let tokens = [
            s.append(fd, &data).unwrap(),
            s.sync(fd).unwrap(),
            s.write(fd, &data[..500], 0).unwrap(),
        ];
        s.io.flush().unwrap();
        match s.io.deregister_fd(fd) {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error, StorageIoError::Io(Errno::TIMEDOUT));
                late += 1;
            }
        }
        assert_eq!(s.append(fd, b"x"), Err(StorageIoError::BadFd));
        s.drain();
        assert_eq!(tokens.map(|token| s.result(token)), [1_000, 0, 500]);
        assert!(s.fixture.read("file") == data);
        // Slot, blocks and file are free again: the next round registers the same file.
    }
    println!("{}: {late} of 39 were late", F::NAME);
}

fn a_shutdown_without_patience_still_answers_for_everything<F: Fixture>() {
    for round in 1..20_u64 {
        let Some(mut s) = Session::<F>::at(Place::Disk, &impatient()) else { return };
        let fd = s.open("file", &[]);
        let data = bytes(round, 0, 1_000);
        let append = s.append(fd, &data).unwrap();
        let sync = s.sync(fd).unwrap();
        let over = s.write(fd, &data[..500], 0).unwrap();
        s.io.flush().unwrap();
        let answer = s.io.shutdown(Duration::ZERO);
        let timed_out = Errno::TIMEDOUT;
        assert!(matches!(answer, Ok(()) | Err(StorageIoError::Io(Errno::TIMEDOUT))), "{answer:?}");
        assert_eq!(s.append(fd, b"x"), Err(StorageIoError::Closed));
        while s.io.pending_count() > 0 {
            assert!(s.poll() > 0, "everything that is owed is there");
        }
        let expected = [(append, 1_000), (sync, 0), (over, 500)];
        let mut is_cut_off = false;
        for (token, good) in expected {
            let result = s.result(token);
            is_cut_off |= result == -timed_out.number();
            assert!(result == good || result == -timed_out.number(), "{result}");
        }
        assert_eq!(is_cut_off, answer.is_err());
    }
}

fn dropping_without_patience_corrupts_nothing<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &impatient()) else { return };
    // A file each round: what the kernel still has of one round may arrive in any later one.
    let name = |round: u64| format!("file {round}");
    for round in 1..40_u64 {
        let fd = s.open(&name(round), &[]);
        for step in 0..5_u64 {
            s.append(fd, &bytes(round, step * 300, 300)).unwrap();
            s.sync(fd).unwrap();
            s.io.flush().unwrap();
        }
        let Session { io, fixture, .. } = s;
        drop(io);
        // Memory that is taken anew at once would be what a late kernel writes.
        let bait = vec![0xBB_u8; 1 << 20];
        s = Session::over(fixture, &impatient());
        std::thread::sleep(Duration::from_millis(1));
        for round in 1..=round {
            let content = s.fixture.read(&name(round));
            let expected = bytes(round, 0, 1_500);
            let is_right = |(&is, &should): (&u8, &u8)| is == should || is == 0;
            assert!(content.iter().zip(&expected).all(is_right), "round {round}");
        }
        drop(bait);
    }
}
