//! Every way set-up can fail has a typed reason, and what can be done without is noted. The
//! failures are real: each is produced in a child process with limits or a filter of its own.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail, and says what it skips"
)]

mod uring_support;

use std::{fs, io, time::Duration};

use ringzero::{
    BackendKind, Choice, Config, ConfigError, Downgrade, Errno, IoCompletion, Limits, Note, Opened,
    SetupError, StorageIo, StorageIoExt, UringBackend, UringConfig, UringMode, open,
};
use ringzero_tests::confine::{
    child::{self, answer, become_nobody, is_child, limit},
    filter,
};
use uring_support::{MODES, config, create, finish, ring};

/// Why set-up failed, or that it did not.
fn outcome(config: &Config) -> String {
    match UringBackend::new(config) {
        Ok(io) => format!("ok {:?}", io.notes()),
        Err(reason) => format!("{reason:?}"),
    }
}

/// What each mode answers, on one line.
fn outcomes() -> String {
    MODES.map(|mode| outcome(&config(mode))).join(" / ")
}

/// Checks that every mode answered `reason`.
fn assert_all(said: &str, reason: SetupError) {
    let expected = format!("{reason:?}");
    println!("{said}");
    assert!(said.split(" / ").all(|outcome| outcome == expected), "{said}, not {expected}");
}

/// Runs the test again in a child where io_uring_setup(2) fails with `errno`.
fn with_setup_failing(test: &str, errno: i32, reason: SetupError) {
    if is_child() {
        match filter::fail(libc::SYS_io_uring_setup, errno) {
            Ok(()) => answer(&outcomes()),
            Err(error) => answer(&format!("skipped: {error}")),
        }
    }
    let said = child::run(test);
    match said.strip_prefix("skipped: ") {
        Some(said) => ringzero_tests::skip::skip(said),
        None => assert_all(&said, reason),
    }
}

#[test]
fn a_kernel_without_it_is_unsupported() {
    let test = "a_kernel_without_it_is_unsupported";
    with_setup_failing(test, libc::ENOSYS, SetupError::Unsupported);
}

#[test]
fn a_sysctl_or_filter_that_forbids_it_is_told_apart() {
    let test = "a_sysctl_or_filter_that_forbids_it_is_told_apart";
    with_setup_failing(test, libc::EPERM, SetupError::Forbidden);
}

#[test]
fn a_security_module_that_refuses_it_is_told_apart() {
    let test = "a_security_module_that_refuses_it_is_told_apart";
    with_setup_failing(test, libc::EACCES, SetupError::AccessDenied);
}

#[test]
fn a_kernel_that_knows_none_of_the_flags_is_told_apart() {
    let test = "a_kernel_that_knows_none_of_the_flags_is_told_apart";
    with_setup_failing(test, libc::EINVAL, SetupError::FlagsRefused);
}

#[test]
fn a_kernel_without_memory_is_told_apart() {
    let test = "a_kernel_without_memory_is_told_apart";
    with_setup_failing(test, libc::ENOMEM, SetupError::MemoryLimit);
}

#[test]
fn a_process_without_descriptors_left_is_told_so() {
    if is_child() {
        limit(libc::RLIMIT_NOFILE, 3);
        answer(&outcomes());
    }
    let said = child::run("a_process_without_descriptors_left_is_told_so");
    assert_all(&said, SetupError::DescriptorsExhausted);
}

#[test]
fn a_small_memlock_limit_halves_the_queue_or_is_the_reason() {
    if is_child() {
        // 0 bytes of locked memory; and so many operations that the queues are of some size.
        limit(libc::RLIMIT_MEMLOCK, 0);
        if let Err(error) = become_nobody() {
            answer(&format!("skipped: {error}"));
        }
        answer(&outcomes());
    }
    let said = child::run("a_small_memlock_limit_halves_the_queue_or_is_the_reason");
    if said.starts_with("skipped") || said.starts_with("ok") {
        return println!("{said}: this kernel does not count rings against the limit");
    }
    assert_all(&said, SetupError::MemoryLimit);
}

#[test]
fn a_memlock_limit_that_lets_a_smaller_queue_through_is_noted() {
    if is_child() {
        // The completion queue of 8,192 entries takes 128 KiB, each submission entry 64 bytes.
        limit(libc::RLIMIT_MEMLOCK, 640 << 10);
        if let Err(error) = become_nobody() {
            answer(&format!("skipped: {error}"));
        }
        let uring = UringConfig { sq_entries: 8_192, ..UringConfig::default() };
        answer(&outcome(&Config { uring, ..Config::default() }));
    }
    let said = child::run("a_memlock_limit_that_lets_a_smaller_queue_through_is_noted");
    println!("{said}");
    if said.starts_with("skipped") || said == "ok []" {
        return println!("this kernel does not count rings against the limit");
    }
    assert!(said.contains("EntriesHalved { from: 8192, to: "), "{said}");
}

#[test]
fn buffers_that_cannot_be_locked_are_done_without() {
    if is_child() {
        // Enough for the rings, not for 6 MiB of blocks.
        limit(libc::RLIMIT_MEMLOCK, 1 << 20);
        if let Err(error) = become_nobody() {
            answer(&format!("skipped: {error}"));
        }
        let uring = UringConfig { register_buffers: true, ..UringConfig::default() };
        let Some(mut io) = ring(&Config { uring, ..Config::default() }) else {
            answer("skipped: no ring")
        };
        answer(&format!("{:?} {}", io.notes().to_vec(), writes_work(&mut io)));
    }
    let said = child::run("buffers_that_cannot_be_locked_are_done_without");
    println!("{said}");
    let expected = Note::BuffersNotRegistered(Errno::new(libc::ENOMEM));
    assert!(said.starts_with("skipped") || said == format!("[{expected:?}] true"), "{said}");
}

/// Whether a write and a sync succeed.
fn writes_work(io: &mut UringBackend) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = io.register_fd(create(&path)).unwrap();
    io.submit_append(log, b"a record").unwrap();
    io.submit_datasync(log).unwrap();
    let is_success = finish(io).iter().all(|it| it.result >= 0);
    is_success && io.deregister_fd(log).is_ok() && fs::read(&path).unwrap() == b"a record"
}

/// Whether a file is altered as it should be, and closed.
fn alterations_work(io: &mut UringBackend) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = io.register_fd(create(&path)).unwrap();
    io.submit_append(log, &[7; 9_000]).unwrap();
    io.submit_allocate(log, 0, 100_000).unwrap();
    let mut is_success = finish(io).iter().all(|it| it.result >= 0);
    io.submit_punch(log, 0, 4_096).unwrap();
    is_success &= finish(io).iter().all(|it| it.result == 0);
    io.submit_truncate(log, 5_000).unwrap();
    is_success &= finish(io).iter().all(|it| it.result == 0);
    io.submit_close(log).unwrap();
    is_success &= finish(io).iter().all(|it| it.result == 0);
    let host = create(&folder.path().join("host"));
    let again = fs::OpenOptions::new().write(true).open(&path).unwrap();
    is_success &= again.metadata().unwrap().len() == 5_000 && io.register_fd(again).is_ok();
    is_success && host.metadata().is_ok()
}

#[test]
fn without_registered_files_everything_goes_by_descriptor_and_alterations_by_system_calls() {
    if is_child() {
        // Only registration fails; in the thread-bound mode it also enables the ring.
        if let Err(error) = filter::fail(libc::SYS_io_uring_register, libc::EINVAL) {
            answer(&format!("skipped: {error}"));
        }
        let Some(mut io) = ring(&Config::default()) else { answer("skipped: no ring") };
        let works = writes_work(&mut io) && alterations_work(&mut io);
        answer(&format!("{:?} {works}", io.notes().to_vec()));
    }
    let said = child::run(
        "without_registered_files_everything_goes_by_descriptor_and_alterations_by_system_calls",
    );
    println!("{said}");
    // Nor does the kernel say which operations it has.
    let expected = [
        Note::OperationMissing("IORING_OP_FALLOCATE"),
        Note::OperationMissing("IORING_OP_FTRUNCATE"),
        Note::OperationMissing("IORING_OP_CLOSE"),
        Note::FilesNotRegistered(Errno::INVAL),
    ];
    assert!(said.starts_with("skipped") || said == format!("{expected:?} true"), "{said}");
}

#[test]
fn more_files_than_descriptors_are_allowed_go_by_descriptor() {
    if is_child() {
        limit(libc::RLIMIT_NOFILE, 32);
        let limits = Limits { files: 64, ..Limits::default() };
        let Some(mut io) = ring(&Config { limits, ..Config::default() }) else {
            answer("skipped: no ring")
        };
        answer(&format!("{:?} {}", io.notes().to_vec(), writes_work(&mut io)));
    }
    let said = child::run("more_files_than_descriptors_are_allowed_go_by_descriptor");
    println!("{said}");
    let expected = Note::FilesNotRegistered(Errno::new(libc::EMFILE));
    assert!(said.starts_with("skipped") || said == format!("[{expected:?}] true"), "{said}");
}

#[test]
fn a_ring_whose_workers_cannot_start_is_found_out_and_replaced() {
    if is_child() {
        if let Err(error) = become_nobody() {
            answer(&format!("skipped: {error}"));
        }
        // Not one more process or thread for this user. The first takes effect for workers too.
        limit(libc::RLIMIT_NPROC, 0);
        let uring = open(&Config { backend: Choice::Uring, ..Config::default() });
        let auto = open(&Config::default()).unwrap().report;
        answer(&format!("{:?} / {:?}", uring.map(|it| it.report), auto));
    }
    let said = child::run("a_ring_whose_workers_cannot_start_is_found_out_and_replaced");
    println!("{said}");
    if said.starts_with("skipped") {
        return;
    }
    assert!(said.starts_with("Err(NoWorkers)"), "{said}");
    assert!(said.contains("backend: Sync"), "{said}");
    assert!(said.contains("reason: NoWorkers"), "{said}");
}

#[test]
fn a_polling_thread_that_cannot_start_is_told_so() {
    if is_child() {
        if let Err(error) = become_nobody() {
            answer(&format!("skipped: {error}"));
        }
        limit(libc::RLIMIT_NPROC, 0);
        answer(&outcome(&config(UringMode::SqPoll { idle: Duration::from_millis(1) })));
    }
    let said = child::run("a_polling_thread_that_cannot_start_is_told_so");
    println!("{said}");
    assert!(said.starts_with("skipped") || said == "NoWorkers", "{said}");
}

/// Under `limit`, `open` falls back for `reason` in every mode, and what it falls back to works.
fn assert_falls_back(test: &str, limit: impl Fn() -> io::Result<()>, reason: SetupError) {
    if is_child() {
        let files = MODES.map(|_| tempfile::tempfile().unwrap());
        if let Err(error) = limit() {
            answer(&format!("skipped: {error}"));
        }
        for (mode, file) in MODES.into_iter().zip(files) {
            let Opened { mut io, report } = open(&config(mode)).unwrap();
            println!("{report}");
            let from = BackendKind::Uring(mode);
            let Some(first) = report.downgrades.first() else { answer("skipped: not counted") };
            assert_eq!(*first, Downgrade { from, reason });
            let fd = io.register_fd(file).unwrap();
            io.submit_append(fd, b"works").unwrap();
            io.submit_datasync(fd).unwrap();
            let mut completions: Vec<IoCompletion> = Vec::new();
            while io.pending_count() > 0 {
                io.wait(1, None).unwrap();
                io.poll_completions(&mut completions);
            }
            assert_eq!(completions.iter().map(|it| it.result).collect::<Vec<_>>(), [5, 0]);
        }
        answer("fell back");
    }
    let said = child::run(test);
    println!("{said}");
    let may_skip = reason == SetupError::MemoryLimit;
    assert!(said == "fell back" || may_skip && said.starts_with("skipped"), "{said}");
}

#[test]
fn without_descriptors_open_falls_back() {
    let test = "without_descriptors_open_falls_back";
    let limit = || {
        limit(libc::RLIMIT_NOFILE, 3);
        Ok(())
    };
    assert_falls_back(test, limit, SetupError::DescriptorsExhausted);
}

#[test]
fn without_locked_memory_open_falls_back() {
    let test = "without_locked_memory_open_falls_back";
    let limit = || {
        limit(libc::RLIMIT_MEMLOCK, 0);
        become_nobody()
    };
    assert_falls_back(test, limit, SetupError::MemoryLimit);
}

#[test]
fn a_configuration_out_of_range_is_refused_before_the_kernel_is_asked() {
    for (config, error) in [
        (
            Config {
                uring: UringConfig { sq_entries: 0, ..UringConfig::default() },
                ..Config::default()
            },
            ConfigError::SqEntries,
        ),
        (config(UringMode::SqPoll { idle: Duration::ZERO }), ConfigError::SqPollIdle),
    ] {
        assert_eq!(UringBackend::new(&config).err(), Some(SetupError::Config(error)));
    }
}

#[test]
fn the_largest_limits_get_a_completion_queue_that_holds_them_all() {
    let limits = Limits { files: 1, operations_common: 32_703, ..Limits::default() };
    assert_eq!(limits.operation_count(), ringzero_core::limits::MAX_OPERATIONS);
    for mode in MODES {
        let Some(mut io) = ring(&Config { limits, ..config(mode) }) else { continue };
        let null = fs::File::options().write(true).open("/dev/null").unwrap();
        let null = io.register_fd(null).unwrap();
        for at in 0..u64::from(limits.operation_count()) {
            io.submit_write(null, &[0; 8], at * 16).unwrap();
        }
        // All in flight at once, none lost.
        io.flush().unwrap();
        assert_eq!(finish(&mut io).len(), limits.operation_count() as usize, "{mode:?}");
    }
}

#[test]
fn open_takes_the_ring_where_it_works_and_names_the_mode() {
    for mode in MODES {
        let opened = open(&config(mode)).unwrap();
        println!("{}", opened.report);
        if opened.report.downgrades.is_empty() {
            assert_eq!(opened.report.backend, BackendKind::Uring(mode));
        }
        let mut io = opened.io;
        assert_eq!(io.stats().submitted, 0, "the probe is not in the caller's numbers");
        let folder = tempfile::tempdir().unwrap();
        let log = io.register_fd(create(&folder.path().join("log"))).unwrap();
        io.submit_append(log, b"x").unwrap();
        io.wait(1, None).unwrap();
        let mut completions: Vec<IoCompletion> = Vec::new();
        io.poll_completions(&mut completions);
        assert_eq!(completions.len(), 1);
    }
}
