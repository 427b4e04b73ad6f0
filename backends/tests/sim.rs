//! The simulated backend as a user meets it: time, hanging, faults, crashes, and what it refuses.
//!
//! # Mutations
//! Nothing hangs: `a_wait_…` and `deadlines_…` are red. A drop lets nothing arrive: `dropping_…`
//! is. A release, or a flush, makes no handle readable, preparing does not make it unreadable, or a
//! poll leaves it armed: `an_event_loop_…` is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use ringzero::{
    Config, Errno, EventSource, IoCompletion, SimBackend, SimDisk, SimFaults, SimPromise,
    StorageIoError, StorageIoExt,
};
use ringzero_core::StorageIo;

fn with(faults: SimFaults, seed: u64) -> SimBackend {
    let mut io = SimBackend::new(&Config::default(), seed).unwrap();
    io.inject(faults);
    io
}

/// Everything that can be delivered without waiting further.
fn drain(io: &mut SimBackend) -> Vec<IoCompletion> {
    let mut done = Vec::new();
    io.wait(usize::MAX, None).unwrap();
    io.poll_completions(&mut done);
    done
}

#[test]
fn a_wait_without_a_limit_returns_when_all_that_is_left_hangs() {
    let mut io = with(SimFaults { hung: 1_000, ..SimFaults::NONE }, 1);
    let fd = io.register_fd(io.disk().create("log", b"")).unwrap();
    let token = io.submit_append(fd, b"record").unwrap();
    assert_eq!(io.wait(1, None), Ok(0));
    assert_eq!((io.pending_count(), io.counts().hung), (1, 1));
    io.inject(SimFaults::NONE);
    assert_eq!(drain(&mut io), [], "it hangs still");
    assert_eq!(io.wait(1, Some(Duration::MAX)), Ok(0), "to the end of time");
    io.release();
    assert_eq!(drain(&mut io), [IoCompletion { token, result: 6 }]);
}

#[cfg(unix)]
#[test]
fn an_event_loop_sleeps_only_while_all_that_is_left_hangs() {
    let mut io = with(SimFaults::NONE, 1);
    let handle = io.wait_handle().unwrap();
    let is_readable = || {
        let (begin, little) = (Instant::now(), Duration::from_millis(30));
        handle.sleep(Some(little)).unwrap();
        begin.elapsed() < little
    };
    let fd = io.register_fd(io.disk().create("log", b"")).unwrap();
    assert_eq!(io.prepare_wait(), Ok(true), "nothing is pending");
    io.submit_append(fd, b"record").unwrap();
    assert_eq!(io.flush(), Ok(1));
    assert!(is_readable(), "handed over under the arming");
    assert_eq!(io.prepare_wait(), Ok(false), "time passes instead");
    assert_eq!(drain(&mut io).len(), 1);

    io.inject(SimFaults { hung: 1_000, ..SimFaults::NONE });
    let token = io.submit_append(fd, b"record").unwrap();
    assert_eq!(io.prepare_wait(), Ok(true), "it hangs");
    assert!(!is_readable());
    io.poll_completions(&mut Vec::new());
    io.release();
    assert!(!is_readable(), "polled since, so not armed");
    assert_eq!(io.prepare_wait(), Ok(false));
    assert_eq!(drain(&mut io), [IoCompletion { token, result: 6 }]);

    let token = io.submit_append(fd, b"record").unwrap();
    assert_eq!(io.prepare_wait(), Ok(true));
    io.release();
    assert!(is_readable(), "let go on under the arming");
    handle.clone().wake();
    assert_eq!(io.prepare_wait(), Ok(false));
    assert!(!is_readable(), "preparing takes it back");
    assert_eq!(drain(&mut io), [IoCompletion { token, result: 6 }]);
}

#[test]
fn deadlines_pass_in_virtual_time() {
    let hour = Duration::from_secs(3_600);
    let config = Config { close_deadline: hour, ..Config::default() };
    let mut io = SimBackend::new(&config, 1).unwrap();
    io.inject(SimFaults { hung: 1_000, ..SimFaults::NONE });
    let disk = io.disk().clone();
    let fd = io.register_fd(disk.create("log", b"")).unwrap();
    io.submit_append(fd, b"record").unwrap();
    let before = io.elapsed();
    assert_eq!(io.wait(1, Some(hour)), Ok(0));
    assert!(io.elapsed() - before >= hour);
    let timed_out = Err(StorageIoError::Io(Errno::TIMEDOUT));
    assert_eq!(io.deregister_fd(fd), timed_out);
    assert!(io.elapsed() - before >= 2 * hour);
    let again = disk.open("log").unwrap();
    assert_eq!(io.register_fd(again), Err(StorageIoError::Io(Errno::BUSY)));
    assert_eq!(io.shutdown(hour), timed_out);
    assert!(io.elapsed() - before >= 3 * hour);
    assert!(io.elapsed() - before < 4 * hour);
    let mut done = Vec::new();
    io.poll_completions(&mut done);
    assert_eq!(done[0].result, -Errno::TIMEDOUT.number());
}

#[test]
fn requests_end_in_another_order_than_they_were_handed_over() {
    let mut io = with(SimFaults::NONE, 3);
    let names = ["a", "b", "c", "d"];
    let fds = names.map(|name| io.register_fd(io.disk().create(name, b"")).unwrap());
    let mut tokens = Vec::new();
    for round in 0..10_u64 {
        tokens.extend(fds.map(|fd| io.submit_write(fd, b"x", round * 1_000).unwrap()));
        io.flush().unwrap();
    }
    let delivered: Vec<u64> = drain(&mut io).iter().map(|done| done.token).collect();
    assert_eq!(delivered.len(), 40);
    assert_ne!(delivered, tokens);
}

#[test]
fn every_fault_at_its_highest_rate_ends_in_an_answer() {
    let none = SimFaults::NONE;
    let cases = [
        (SimFaults { short: 1_000, ..none }, [3, 0]),
        (SimFaults { at_once: 1_000, ..none }, [3, 0]),
        (SimFaults { slow: 1_000, ..none }, [3, 0]),
        (SimFaults { written_back: 1_000, ..none }, [3, 0]),
        (SimFaults { foreign_sync: 1_000, ..none }, [3, 0]),
        (SimFaults { retried: 1_000, ..none }, [-1, -1]),
        (SimFaults { refused: 1_000, ..none }, [-1, -1]),
        (SimFaults { lost: 1_000, ..none }, [-1, -1]),
        (SimFaults { sync_failed: 1_000, ..none }, [3, -1]),
        (SimFaults { write_back_failed: 1_000, ..none }, [3, -1]),
        (SimFaults { retried: 1_000, at_once: 1_000, ..none }, [-1, -1]),
        (SimFaults { retried: u16::MAX, hung: 0, ..SimFaults::ALL }, [-1, -1]),
    ];
    for (faults, expected) in cases {
        let mut io = with(faults, 4);
        let fd = io.register_fd(io.disk().create("log", b"")).unwrap();
        io.submit_append(fd, b"abc").unwrap();
        io.submit_datasync(fd).unwrap();
        let mut done = Vec::new();
        // Polling alone makes progress.
        for _ in 0..100_000 {
            io.poll_completions(&mut done);
        }
        let signs: Vec<i32> = done.iter().map(|done| done.result.max(-1)).collect();
        assert_eq!(signs, expected, "{faults:?}: {done:?}");
    }
}

#[test]
fn a_program_goes_on_with_the_disk_that_a_crash_left() {
    let disk = SimDisk::new();
    let mut io = SimBackend::on(&Config::default(), &disk, 5).unwrap();
    let fd = io.register_fd(disk.create("log", b"old ")).unwrap();
    io.submit_append(fd, b"synced ").unwrap();
    io.submit_datasync(fd).unwrap();
    assert!(drain(&mut io).iter().all(|done| done.result >= 0));
    io.submit_append(fd, b"not").unwrap();
    let promises = io.promises();
    assert_eq!(promises.iter().map(|promise| promise.bytes.len()).sum::<usize>(), 11);
    let images: Vec<SimDisk> = (0..50).map(|seed| io.crash_image(seed)).collect();
    let after = io.crash();
    for image in images.iter().chain([&after]) {
        assert!(promises.iter().all(|promise| image.keeps(promise)));
        assert!(image.read("log").unwrap().starts_with(b"old synced "));
    }
    let other = SimPromise { file: "log".to_owned(), offset: 4, bytes: b"sunk".to_vec() };
    assert!(!after.keeps(&other), "control");
    assert!(!after.keeps(&SimPromise { file: "none".to_owned(), ..other.clone() }));
    assert!(!after.keeps(&SimPromise { offset: u64::MAX, ..other }));
    let mut io = SimBackend::on(&Config::default(), &after, 6).unwrap();
    assert_eq!(io.disk().names(), ["log"]);
    let fd = io.register_fd(after.open("log").unwrap()).unwrap();
    let tail = io.tail(fd).unwrap();
    io.submit_append(fd, b"new").unwrap();
    io.submit_datasync(fd).unwrap();
    drain(&mut io);
    assert!(io.crash().read("log").unwrap()[tail as usize..] == *b"new");
}

#[test]
fn what_was_replaced_is_promised_no_more() {
    let mut io = with(SimFaults::NONE, 11);
    let disk = io.disk().clone();
    let commit = |io: &mut SimBackend, bytes| {
        let fd = io.register_fd(disk.create("log", b"")).unwrap();
        io.submit_append(fd, bytes).unwrap();
        io.submit_datasync(fd).unwrap();
        drain(io);
        fd
    };
    let promise = |bytes: &[u8]| {
        let (file, offset, bytes) = ("log".to_owned(), 0, bytes.to_vec());
        SimPromise { file, offset, bytes }
    };
    let fd = commit(&mut io, b"the first");
    assert_eq!(io.promises(), [promise(b"the first")]);
    io.deregister_fd(fd).unwrap();
    commit(&mut io, b"new");
    assert_eq!(io.promises(), [promise(b"new")]);
    disk.create("log", b"");
    assert_eq!(io.promises(), []);
}

#[test]
fn files_of_another_disk_are_refused() {
    let mut io = with(SimFaults::NONE, 7);
    let stranger = SimDisk::new().create("log", b"");
    assert_eq!(io.register_fd(stranger), Err(StorageIoError::Io(Errno::INVAL)));
}

#[test]
fn a_file_beyond_its_largest_size_is_efbig_and_stays_usable() {
    let mut io = with(SimFaults::NONE, 8);
    let fd = io.register_fd(io.disk().create("log", b"")).unwrap();
    let far = io.submit_write(fd, b"far", i64::MAX as u64 - 3).unwrap();
    assert_eq!(drain(&mut io), [IoCompletion { token: far, result: -Errno::FBIG.number() }]);
    let near = io.submit_write(fd, b"near", 0).unwrap();
    assert_eq!(drain(&mut io), [IoCompletion { token: near, result: 4 }]);
}

#[test]
fn dropping_lets_what_is_on_its_way_arrive() {
    for (faults, expected) in
        [(SimFaults::NONE, &b"record"[..]), (SimFaults { hung: 1_000, ..SimFaults::NONE }, b"")]
    {
        let mut io = with(faults, 9);
        let disk = io.disk().clone();
        let fd = io.register_fd(disk.create("log", b"")).unwrap();
        io.submit_append(fd, b"record").unwrap();
        io.flush().unwrap();
        drop(io);
        assert_eq!(disk.read("log").unwrap(), expected);
    }
}

#[test]
fn the_trace_remembers_the_last_events() {
    let mut io = with(SimFaults::NONE, 10);
    let fd = io.register_fd(io.disk().create("log", b"")).unwrap();
    for _ in 0..300 {
        io.submit_append(fd, b"x").unwrap();
        drain(&mut io);
    }
    assert_eq!(io.trace().count(), 900, "handed over, ended, delivered");
    assert!((1..900).contains(&io.trace().recent().count()));
    let times: Vec<u64> = io.trace().recent().map(|(ns, _)| *ns).collect();
    assert!(times.is_sorted());
}
