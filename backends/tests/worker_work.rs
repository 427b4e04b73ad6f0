//! What worker threads carry out: at once, merged while they are busy, wholes as well as pieces.
//!
//! # Mutations
//! Removed, and what is red then:
//! - a poll with nothing to deliver starts what may run:
//!   `nothing_waits_for_company_or_for_another_call`.
//! - a request of several pieces names its array (its first piece only instead):
//!   `requests_of_several_blocks_arrive_whole_and_in_one`.
//! - an answer carries the id of its request (of the one before instead):
//!   `many_files_and_kinds_at_once_end_as_they_should`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test may fail, and says what it skips"
)]
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

mod worker_support;

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use ringzero::{Config, IoCompletion, StorageIo, StorageIoExt, WorkerBackend};
use worker_support::{SHORT, SOON, config, create, finish, volume};

#[test]
fn nothing_waits_for_company_or_for_another_call() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut io = WorkerBackend::new(&config(1)).unwrap();
    let file = io.register_fd(create(&path)).unwrap();
    let arrives = |expected: &[u8]| {
        let begin = Instant::now();
        while fs::read(&path).unwrap() != expected {
            assert!(begin.elapsed() < SOON);
            thread::sleep(Duration::from_millis(1));
        }
    };
    io.submit_append(file, b"flushed").unwrap();
    assert_eq!(io.flush(), Ok(1));
    arrives(b"flushed");
    finish(&mut io);

    // Without a flush: by a poll that has nothing to deliver, or by a wait.
    let mut completions: Vec<IoCompletion> = Vec::new();
    io.submit_append(file, b", polled").unwrap();
    io.poll_completions(&mut completions);
    arrives(b"flushed, polled");
    finish(&mut io);
    io.submit_append(file, b", waited").unwrap();
    io.wait(0, Some(Duration::ZERO)).unwrap();
    io.wait(1, Some(SOON)).unwrap();
    arrives(b"flushed, polled, waited");
    assert_eq!(finish(&mut io).len(), 1);
}

#[test]
fn what_is_accepted_while_the_thread_is_busy_leaves_in_few_requests() {
    const APPENDS: u64 = 2_000;
    let Some(volume) = volume() else { return };
    let path = volume.path().join("file");
    let mut io = WorkerBackend::new(&Config::default()).unwrap();
    let file = io.register_fd(create(&path)).unwrap();
    let stall = volume.stall();
    let mut expected = Vec::new();
    for number in 0..APPENDS {
        let record = number.to_le_bytes();
        io.submit_append(file, &record).unwrap();
        io.flush().unwrap();
        expected.extend(record);
        if number == 0 {
            assert_eq!(io.wait(1, Some(SHORT)), Ok(0));
        }
    }
    drop(stall);
    let completions = finish(&mut io);
    assert!(completions.iter().all(|it| it.result == 8));
    assert_eq!(completions.len() as u64, APPENDS);
    let requests = io.stats().kernel_requests();
    println!("{APPENDS} appends, {requests} requests");
    assert!(requests <= 4, "{requests}");
    assert!(fs::read(&path).unwrap() == expected);
}

#[test]
fn requests_of_several_blocks_arrive_whole_and_in_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut io = WorkerBackend::new(&config(1)).unwrap();
    let file = io.register_fd(create(&path)).unwrap();
    // Thirteen blocks of 4 KiB, all different.
    let data: Vec<u8> = (0..13 * 4_096_u32).map(|at| (at / 7 % 251) as u8).collect();
    io.submit_append(file, &data).unwrap();
    assert_eq!(finish(&mut io).iter().map(|it| it.result).collect::<Vec<_>>(), [13 * 4_096]);
    io.submit_write(file, &data, 100_001).unwrap();
    assert_eq!(finish(&mut io).iter().map(|it| it.result).collect::<Vec<_>>(), [13 * 4_096]);
    let found = fs::read(&path).unwrap();
    assert!(found.get(..data.len()) == Some(&data[..]));
    assert!(found.get(100_001..) == Some(&data[..]));
    let stats = io.stats();
    assert_eq!((stats.kernel_requests(), stats.short_results), (2, 0));
}

#[test]
fn many_files_and_kinds_at_once_end_as_they_should() {
    let folder = tempfile::tempdir().unwrap();
    for threads in [1, 3] {
        let mut io = WorkerBackend::new(&config(threads)).unwrap();
        let names = ["a", "b", "c", "d"].map(|name| format!("{name}{threads}"));
        let files =
            names.each_ref().map(|name| io.register_fd(create(&folder.path().join(name))).unwrap());
        let mut owed = Vec::new();
        for round in 0..200_usize {
            for (number, file) in files.into_iter().enumerate() {
                let data = [number as u8 + 1; 40];
                // Every length is another, so an answer to the wrong request shows.
                let len = 1 + (round * 7 + number * 3) % 40;
                let data = data.get(..len).unwrap();
                owed.push((io.submit_append(file, data).unwrap(), len as i32));
                if round % 5 == number {
                    owed.push((io.submit_datasync(file).unwrap(), 0));
                }
            }
            io.flush().unwrap();
            let mut completions: Vec<IoCompletion> = Vec::new();
            if round % 10 == 9 {
                completions.extend(finish(&mut io));
            } else {
                io.poll_completions(&mut completions);
            }
            for completion in completions {
                let pair = (completion.token, completion.result);
                let place = owed.iter().position(|it| *it == pair);
                owed.swap_remove(place.unwrap_or_else(|| panic!("not owed: {completion:?}")));
            }
        }
        assert_eq!(owed, []);
        assert_eq!(io.stats().stale_answers, 0);
        for (number, (name, file)) in names.iter().zip(files).enumerate() {
            let found = fs::read(folder.path().join(name)).unwrap();
            assert_eq!(io.tail(file), Ok(found.len() as u64));
            assert!(found.iter().all(|byte| usize::from(*byte) == number + 1));
        }
    }
}
