//! What a ring carries out, in every mode: content, queues far smaller than the work, vectored
//! requests, registered buffers, plain descriptors, progress by polling alone, waiting.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail, and says what it skips"
)]
#![allow(unsafe_code, reason = "calls of libc that std has no form of")]

mod uring_support;

use std::{
    fs::{self, File},
    time::{Duration, Instant},
};

use ringzero::{
    Config, Errno, IoCompletion, Limits, Note, StorageIo, StorageIoError, StorageIoExt,
    UringConfig, UringMode,
};
use uring_support::{MODES, SMALL, config, create, finish, ring};

/// Lines that tell their own number.
fn record(number: usize) -> Vec<u8> {
    format!("{number:08}|").repeat(1 + number % 40).into_bytes()
}

#[test]
fn appends_arrive_complete_and_in_order_through_a_queue_of_any_size() {
    for mode in MODES {
        for sq_entries in [1, 4, 256] {
            let uring = UringConfig { mode, sq_entries, ..UringConfig::default() };
            let Some(mut io) = ring(&Config { uring, ..Config::default() }) else { continue };
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            let log = io.register_fd(create(&path)).unwrap();
            let mut expected = Vec::new();
            for number in 0..2_000 {
                let record = record(number);
                io.submit_append(log, &record).unwrap();
                expected.extend_from_slice(&record);
                if number % 64 == 63 {
                    io.submit_datasync(log).unwrap();
                }
                if number % 200 == 199 {
                    io.flush().unwrap();
                }
            }
            let completions = finish(&mut io);
            assert_eq!(completions.len(), 2_000 + 2_000 / 64);
            assert!(completions.iter().all(|it| it.result >= 0), "{completions:?}");
            assert!(fs::read(&path).unwrap() == expected, "{mode:?}, {sq_entries} entries");
            assert_eq!(io.tail(log), Ok(expected.len() as u64));
        }
    }
}

#[test]
fn scattered_writes_land_where_they_belong_and_overlapping_ones_in_order() {
    for mode in MODES {
        let uring = UringConfig { mode, sq_entries: 8, ..UringConfig::default() };
        let Some(mut io) = ring(&Config { uring, ..Config::default() }) else { continue };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let data = io.register_fd(create(&path)).unwrap();
        let mut expected = vec![0; 64 << 10];
        for number in 0..1_000_usize {
            let offset = number * 7_919 % (60 << 10);
            let bytes = record(number);
            io.submit_write(data, &bytes, offset as u64).unwrap();
            expected[offset..offset + bytes.len()].copy_from_slice(&bytes);
        }
        let completions = finish(&mut io);
        assert_eq!(completions.len(), 1_000);
        let found = fs::read(&path).unwrap();
        assert!(found == expected[..found.len()], "{mode:?}");
        assert!(expected[found.len()..].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn polling_alone_makes_progress_without_a_single_flush_or_wait() {
    for mode in MODES {
        let uring = UringConfig { mode, sq_entries: 2, ..UringConfig::default() };
        let Some(mut io) = ring(&Config { uring, ..Config::default() }) else { continue };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = io.register_fd(create(&path)).unwrap();
        let mut tokens = Vec::new();
        for number in 0..50 {
            tokens.push(io.submit_append(log, &record(number)).unwrap());
            tokens.push(io.submit_datasync(log).unwrap());
        }
        let begin = Instant::now();
        let mut completions: Vec<IoCompletion> = Vec::new();
        while io.pending_count() > 0 {
            io.poll_completions(&mut completions);
            assert!(begin.elapsed() < Duration::from_secs(20), "{mode:?}: {completions:?}");
            std::thread::yield_now();
        }
        let mut found: Vec<_> = completions.iter().map(|it| it.token).collect();
        found.sort_unstable();
        assert_eq!(found, tokens, "{mode:?}");
        assert!(completions.iter().all(|it| it.result >= 0), "{completions:?}");
    }
}

#[test]
fn a_write_of_many_blocks_leaves_as_few_vectored_requests() {
    for register_buffers in [false, true] {
        for mode in MODES {
            let uring = UringConfig { mode, register_buffers, ..UringConfig::default() };
            let Some(mut io) = ring(&Config { uring, ..Config::default() }) else { continue };
            for note in io.notes() {
                println!("{mode:?}: {note}");
            }
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            let log = io.register_fd(create(&path)).unwrap();
            let bytes: Vec<u8> = (0..io.max_write()).map(|at| (at / 251) as u8).collect();
            io.submit_append(log, &bytes).unwrap();
            let completions = finish(&mut io);
            assert_eq!(completions[0].result as usize, bytes.len());
            // And one that fits a block: by registered buffer, if they are.
            io.submit_append(log, b"the end").unwrap();
            assert_eq!(finish(&mut io)[0].result, 7);
            let found = fs::read(&path).unwrap();
            assert!(found[..bytes.len()] == bytes && found.ends_with(b"the end"), "{mode:?}");
            assert!(io.stats().write_requests < 10, "{:?}", io.stats());
        }
    }
}

#[test]
fn direct_writes_work_with_and_without_registered_buffers() {
    use std::os::unix::fs::OpenOptionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let mut options = File::options();
    options.create(true).truncate(true).write(true).custom_flags(libc::O_DIRECT);
    for register_buffers in [false, true] {
        let file = match options.open(&path) {
            Ok(file) => file,
            Err(error) => return println!("skipped, no O_DIRECT here: {error}"),
        };
        let uring = UringConfig { register_buffers, ..UringConfig::default() };
        let Some(mut io) = ring(&Config { uring, ..Config::default() }) else { return };
        let data = io.register_fd(file).unwrap();
        for page in 0..64_u8 {
            io.submit_write(data, &[page; 4_096], u64::from(page) * 4_096).unwrap();
        }
        let completions = finish(&mut io);
        assert!(completions.iter().all(|it| it.result == 4_096), "{completions:?}");
        let found = fs::read(&path).unwrap();
        assert!(found.chunks(4_096).zip(0_u8..).all(|(page, byte)| page == [byte; 4_096]));
        assert_eq!(found.len(), 64 * 4_096);
    }
}

#[test]
fn a_file_in_append_mode_is_written_where_the_caller_says() {
    let Some(mut io) = ring(&Config::default()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    fs::write(&path, b"0123456789").unwrap();
    let log = io.register_fd(File::options().append(true).open(&path).unwrap()).unwrap();
    io.submit_write(log, b"ab", 2).unwrap();
    io.submit_append(log, b"end").unwrap();
    assert!(finish(&mut io).iter().all(|it| it.result >= 0));
    assert_eq!(fs::read(&path).unwrap(), b"01ab456789end");
}

#[test]
fn a_file_put_in_append_mode_again_is_still_written_where_the_caller_says() {
    use std::os::fd::AsRawFd;

    let Some(mut io) = ring(&Config::default()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    fs::write(&path, b"0123456789").unwrap();
    let file = File::options().append(true).open(&path).unwrap();
    let other = file.try_clone().unwrap();
    let log = io.register_fd(file).unwrap();
    // SAFETY: the descriptor is open, and F_SETFL takes an int.
    assert_eq!(unsafe { libc::fcntl(other.as_raw_fd(), libc::F_SETFL, libc::O_APPEND) }, 0);
    io.submit_write(log, b"ab", 2).unwrap();
    assert_eq!(finish(&mut io)[0].result, 2);
    let piece = libc::iovec { iov_base: b"c".as_ptr().cast_mut().cast(), iov_len: 1 };
    let flag = libc::RWF_NOAPPEND;
    // SAFETY: the descriptor is open, and `piece` is one readable byte.
    let is_known = unsafe { libc::pwritev2(other.as_raw_fd(), &raw const piece, 1, 4, flag) } == 1;
    if is_known {
        assert_eq!(fs::read(&path).unwrap(), b"01abc56789");
    } else {
        println!("skipped, this kernel has no RWF_NOAPPEND");
    }
}

#[test]
fn a_device_takes_positional_writes_only() {
    let Some(mut io) = ring(&Config::default()) else { return };
    let null = io.register_fd(File::options().write(true).open("/dev/null").unwrap()).unwrap();
    io.submit_write(null, &[0; 64], 1 << 40).unwrap();
    assert_eq!(io.submit_append(null, b"x"), Err(StorageIoError::Io(Errno::INVAL)));
    assert_eq!(finish(&mut io)[0].result, 64);
}

#[test]
fn a_full_backend_says_so_and_goes_on() {
    for mode in MODES {
        let uring = UringConfig { mode, sq_entries: 4, ..UringConfig::default() };
        let limits = Limits { files: 1, ..SMALL };
        let Some(mut io) = ring(&Config { uring, limits, ..Config::default() }) else { continue };
        let folder = tempfile::tempdir().unwrap();
        let data = io.register_fd(create(&folder.path().join("data"))).unwrap();
        let (mut accepted, mut refused, mut delivered) = (0_u64, 0, 0);
        let mut completions = Vec::new();
        while accepted < 5_000 {
            match io.submit_write(data, &[7; 100], accepted * 200) {
                Ok(_) => accepted += 1,
                Err(StorageIoError::QueueFull | StorageIoError::BufferExhausted) => {
                    refused += 1;
                    io.wait(1, Some(Duration::from_secs(20))).unwrap();
                    completions.clear();
                    io.poll_completions(&mut completions);
                    assert!(completions.iter().all(|it| it.result == 100));
                    delivered += completions.len();
                }
                Err(error) => panic!("{mode:?}: {error}"),
            }
        }
        delivered += finish(&mut io).len();
        assert_eq!(delivered as u64, accepted);
        assert!(refused > 0);
        assert!(io.stats().in_flight_peak <= limits.request_count());
    }
}

#[test]
fn waiting_ends_at_once_where_nothing_can_come() {
    for mode in MODES {
        let Some(mut io) = ring(&config(mode)) else { continue };
        let begin = Instant::now();
        assert_eq!(io.wait(1, None), Ok(0), "nothing is pending");
        assert_eq!(io.wait(0, None), Ok(0));
        let folder = tempfile::tempdir().unwrap();
        let log = io.register_fd(create(&folder.path().join("log"))).unwrap();
        io.submit_append(log, b"a").unwrap();
        io.submit_datasync(log).unwrap();
        assert_eq!(io.wait(0, None), Ok(0), "enough is there");
        assert_eq!(io.wait(usize::MAX, None), Ok(2), "more than there are");
        assert_eq!(io.wait(2, Some(Duration::MAX)), Ok(2));
        assert!(begin.elapsed() < Duration::from_secs(10));
        assert_eq!(finish(&mut io).len(), 2);
    }
}

#[test]
fn everything_but_a_sink_waits_for_the_caller() {
    let Some(mut io) = ring(&Config::default()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let log = io.register_fd(create(&folder.path().join("log"))).unwrap();
    for _ in 0..3 {
        io.submit_append(log, b"record").unwrap();
    }
    assert_eq!(io.wait(3, None), Ok(3));
    let mut memory = [IoCompletion::default(); 2];
    let mut sink = ringzero::SliceSink::new(&mut memory);
    io.poll_completions(&mut sink);
    assert_eq!(sink.filled().len(), 2);
    // Full: the third stays. It also keeps new work where it is, until the caller flushes.
    io.submit_append(log, b"record").unwrap();
    io.poll_completions(&mut sink);
    assert_eq!(io.stats().write_requests, 1);
    assert_eq!(io.flush(), Ok(1));
    assert_eq!(finish(&mut io).len(), 2);
}

#[test]
fn a_new_group_waits_for_the_caller_of_a_batch_of_completions() {
    let Some(mut io) = ring(&Config::default()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let log = io.register_fd(create(&folder.path().join("log"))).unwrap();
    io.submit_append(log, b"first group").unwrap();
    assert_eq!(io.wait(1, None), Ok(1));
    io.submit_append(log, b"second group").unwrap();
    let mut completions: Vec<IoCompletion> = Vec::new();
    io.poll_completions(&mut completions);
    assert_eq!(completions.len(), 1);
    assert_eq!(io.stats().write_requests, 1, "a poll that delivers starts nothing");
    io.poll_completions(&mut completions);
    assert_eq!(io.stats().write_requests, 2, "one with nothing to deliver does");
    finish(&mut io);
}

#[test]
fn a_ring_on_this_kernel_has_everything_it_asked_for() {
    for mode in MODES {
        let Some(io) = ring(&config(mode)) else { continue };
        for note in io.notes() {
            println!("{mode:?}: {note}");
            assert!(!matches!(note, Note::EntriesHalved { .. }), "{note}");
        }
    }
}

#[test]
fn the_first_sync_of_a_file_is_a_full_one_and_the_rest_are_not() {
    let Some(volume) = uring_support::volume() else { return };
    let Some(mut io) = ring(&Config::default()) else { return };
    let file = create(&volume.path().join("data"));
    file.set_len(4_096).unwrap();
    file.sync_all().unwrap();
    let other = file.try_clone().unwrap();
    let data = io.register_fd(file).unwrap();
    let mut commits_of_a_sync_after_a_touch = |hour: u64| {
        // Metadata that fdatasync(2) leaves alone.
        other.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(hour * 3_600)).unwrap();
        let before = volume.journal_commits()?;
        io.submit_datasync(data).unwrap();
        assert_eq!(finish(&mut io)[0].result, 0);
        Some(volume.journal_commits()? - before)
    };
    match commits_of_a_sync_after_a_touch(1) {
        Some(commits) => assert_eq!(commits, 1, "the first"),
        None => return println!("skipped, the journal does not tell"),
    }
    // Now and then the journal commits by itself.
    let more: Vec<_> = (2..6).filter_map(commits_of_a_sync_after_a_touch).collect();
    assert!(more.iter().filter(|commits| **commits == 0).count() >= 3, "{more:?}");
}

#[test]
fn a_moved_backend_keeps_its_memory_where_the_kernel_knows_it() {
    let Some(mut io) = ring(&config(UringMode::Interrupt)) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = io.register_fd(create(&path)).unwrap();
    for number in 0..500 {
        io.submit_append(log, &record(number)).unwrap();
    }
    io.flush().unwrap();
    let boxed = Box::new(io);
    let mut several = vec![*boxed];
    several.reserve(100);
    let mut io = several.pop().unwrap();
    drop(several);
    assert_eq!(finish(&mut io).len(), 500);
    let expected: Vec<u8> = (0..500).flat_map(record).collect();
    assert!(fs::read(&path).unwrap() == expected);
}
