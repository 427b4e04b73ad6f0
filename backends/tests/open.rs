//! `open` picks what works, says why nothing better does, and what it picks works.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(unsafe_code, reason = "calls of libc that std has no form of")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail, and says what it skips"
)]

mod support;

use std::{fs, thread, time::Duration};

use ringzero::{
    BackendKind, Choice, Config, ConfigError, Downgrade, Limits, LimitsError, Note, Opened,
    SetupError, SyncBackend, UringBackend, UringConfig, UringMode, WorkerBackend, WorkerConfig,
    open,
};
use ringzero_tests::{confine::filter, skip::skip};
use support::{create, finish, in_child};

const MODES: [UringMode; 3] = [
    UringMode::Interrupt,
    UringMode::ThreadBound,
    UringMode::SqPoll { idle: Duration::from_millis(1) },
];

fn config(backend: Choice, mode: UringMode) -> Config {
    let uring = UringConfig { mode, ..UringConfig::default() };
    Config { backend, uring, ..Config::default() }
}

/// Appends and syncs with what was opened.
fn use_it(mut opened: Opened) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let fd = opened.io.register_fd(create(&path)).unwrap();
    opened.io.submit_append(fd, b"works").unwrap();
    opened.io.submit_datasync(fd).unwrap();
    let completions = finish(&mut opened.io);
    assert_eq!(completions.iter().map(|it| it.result).collect::<Vec<_>>(), [5, 0]);
    assert_eq!(fs::read(&path).unwrap(), b"works");
}

/// Runs `body` on a thread where the system calls `numbers` answer `errno`.
fn with_calls_answering(numbers: &[libc::c_long], errno: i32, body: impl FnOnce() + Send) {
    thread::scope(|scope| {
        scope.spawn(|| match numbers.iter().try_for_each(|&number| filter::fail(number, errno)) {
            Ok(()) => body(),
            Err(error) => skip(format!("no filter on system calls: {error}")),
        });
    });
}

#[test]
fn every_choice_gives_that_backend_or_the_reason_and_it_works() {
    for mode in MODES {
        for (choice, kind) in
            [(Choice::Sync, BackendKind::Sync), (Choice::Worker, BackendKind::Worker)]
        {
            let opened = open(&config(choice, mode)).unwrap();
            assert_eq!(opened.report.backend, kind);
            assert_eq!((opened.report.downgrades.len(), opened.report.notes.len()), (0, 0));
            use_it(opened);
        }

        let from = BackendKind::Uring(mode);
        let auto = open(&config(Choice::Auto, mode)).unwrap();
        match open(&config(Choice::Uring, mode)) {
            Ok(opened) => {
                assert_eq!(opened.report.backend, from);
                assert_eq!(auto.report, opened.report);
                use_it(opened);
            }
            Err(reason) => assert_eq!(auto.report.downgrades, [Downgrade { from, reason }]),
        }
        use_it(auto);
    }
}

#[test]
fn what_was_tried_out_leaves_no_trace_in_what_the_caller_gets() {
    for mode in MODES {
        let mut opened = open(&config(Choice::Auto, mode)).unwrap();
        assert_eq!(opened.io.stats(), ringzero::Stats::default());
        assert_eq!(opened.io.pending_count(), 0);
        // Opened here, used there: not even the thread-bound mode is bound by the trial.
        thread::spawn(move || {
            let folder = tempfile::tempdir().unwrap();
            let fd = opened.io.register_fd(create(&folder.path().join("file"))).unwrap();
            opened.io.submit_append(fd, b"x").unwrap();
            assert_eq!(finish(&mut opened.io).len(), 1);
        })
        .join()
        .unwrap();
    }
}

#[test]
fn every_refusal_of_the_kernel_is_a_typed_reason_and_worker_threads_do_it_instead() {
    let reasons = [
        (libc::ENOSYS, SetupError::Unsupported),
        (libc::EPERM, SetupError::Forbidden),
        (libc::EACCES, SetupError::AccessDenied),
        (libc::EMFILE, SetupError::DescriptorsExhausted),
        (libc::ENFILE, SetupError::DescriptorsExhausted),
        (libc::ENOMEM, SetupError::MemoryLimit),
        (libc::EINVAL, SetupError::FlagsRefused),
        (libc::EIO, SetupError::Other(ringzero::Errno::IO)),
    ];
    for (errno, reason) in reasons {
        for mode in MODES {
            with_calls_answering(&[libc::SYS_io_uring_setup], errno, || {
                assert_eq!(open(&config(Choice::Uring, mode)).unwrap_err(), reason);
                assert_eq!(UringBackend::new(&config(Choice::Auto, mode)).unwrap_err(), reason);
                let opened = open(&config(Choice::Auto, mode)).unwrap();
                assert_eq!(opened.report.backend, BackendKind::Worker);
                let from = BackendKind::Uring(mode);
                assert_eq!(opened.report.downgrades, [Downgrade { from, reason }]);
                assert!(opened.report.to_string().contains(&reason.to_string()));
                use_it(opened);
            });
        }
    }
}

#[test]
fn where_no_thread_starts_sync_works_and_both_reasons_are_told() {
    let numbers = [libc::SYS_io_uring_setup, libc::SYS_clone3, libc::SYS_clone];
    with_calls_answering(&numbers, libc::EAGAIN, || {
        let config = Config::default();
        assert_eq!(WorkerBackend::new(&config).unwrap_err(), SetupError::NoThread);
        let only = Config { backend: Choice::Worker, ..config };
        assert_eq!(open(&only).unwrap_err(), SetupError::NoThread);
        let opened = open(&config).unwrap();
        assert_eq!(opened.report.backend, BackendKind::Sync);
        let expected = [
            Downgrade {
                from: BackendKind::Uring(UringMode::Interrupt),
                reason: SetupError::Other(ringzero::Errno::AGAIN),
            },
            Downgrade { from: BackendKind::Worker, reason: SetupError::NoThread },
        ];
        assert_eq!(opened.report.downgrades, expected);
        let text = opened.report.to_string();
        assert!(text.starts_with("sync; not io_uring: ") && text.contains("; not worker: no "));
        use_it(opened);
    });
}

#[test]
fn a_ring_and_threads_that_cannot_start_are_found_out() {
    // SAFETY: asks only.
    if unsafe { libc::geteuid() } != 0 || open(&config(Choice::Uring, MODES[0])).is_err() {
        skip("needs root, to become a user without privileges, and io_uring");
        return;
    }
    let code = in_child(|| {
        // SAFETY: the child has one thread.
        let result = unsafe { libc::setuid(65_534) };
        (result == 0).then_some(()).ok_or(1)?;
        let limit = libc::rlimit { rlim_cur: 1, rlim_max: 1 };
        // SAFETY: `limit` is an rlimit to read.
        let result = unsafe { libc::setrlimit(libc::RLIMIT_NPROC, &raw const limit) };
        (result == 0).then_some(()).ok_or(2)?;
        let opened = open(&Config::default()).map_err(|_| 3)?;
        let from = BackendKind::Uring(UringMode::Interrupt);
        let expected = [
            Downgrade { from, reason: SetupError::NoWorkers },
            Downgrade { from: BackendKind::Worker, reason: SetupError::NoThread },
        ];
        (opened.report.downgrades == expected).then_some(()).ok_or(4)?;
        use_it(opened);
        Ok(())
    });
    assert_eq!(code, 0, "the number of the check that failed");
}

#[test]
fn a_folder_for_temporary_files_that_is_of_no_use_is_no_reason() {
    for folder in ["/nonexistent", "/proc", "/dev/full"] {
        let code = in_child(|| {
            // SAFETY: the child has one thread.
            unsafe { std::env::set_var("TMPDIR", folder) };
            for backend in [Choice::Sync, Choice::Worker, Choice::Auto] {
                let opened = open(&Config { backend, ..Config::default() }).map_err(|_| 1)?;
                let is_tried = |note: &Note| !matches!(note, Note::NotExercised(_));
                opened.report.notes.iter().all(is_tried).then_some(()).ok_or(2)?;
                let is_tried = |it: &Downgrade| !matches!(it.reason, SetupError::ProbeFailed(_));
                opened.report.downgrades.iter().all(is_tried).then_some(()).ok_or(3)?;
            }
            Ok(())
        });
        assert_eq!(code, 0, "the number of the check that failed");
    }
}

#[test]
fn zero_and_absurd_sizes_are_typed_errors_of_every_constructor() {
    let ok = Limits::default();
    let limits = |limits| Config { limits, ..Config::default() };
    let uring = |uring| Config { uring, ..Config::default() };
    let worker = |threads| Config { worker: WorkerConfig { threads }, ..Config::default() };
    let default = UringConfig::default();
    let of_limits = ConfigError::Limits;
    let huge = Limits { block_bytes: 1 << 20, blocks_common: 1_000_000, ..ok };
    let cases = [
        (limits(Limits { files: 0, ..ok }), Some(of_limits(LimitsError::Files))),
        (limits(Limits { files: u32::MAX, ..ok }), Some(of_limits(LimitsError::Files))),
        (
            limits(Limits { operations_per_file: 0, ..ok }),
            Some(of_limits(LimitsError::OperationsPerFile)),
        ),
        (
            limits(Limits { operations_common: u32::MAX, ..ok }),
            Some(of_limits(LimitsError::Operations)),
        ),
        (limits(Limits { blocks_per_file: 0, ..ok }), Some(of_limits(LimitsError::BlocksPerFile))),
        (limits(Limits { blocks_common: u32::MAX, ..ok }), Some(of_limits(LimitsError::Memory))),
        (limits(Limits { block_bytes: 0, ..ok }), Some(of_limits(LimitsError::BlockBytes))),
        (limits(huge), None),
        (uring(UringConfig { sq_entries: 0, ..default }), Some(ConfigError::SqEntries)),
        (uring(UringConfig { sq_entries: u32::MAX, ..default }), Some(ConfigError::SqEntries)),
        (
            uring(UringConfig { mode: UringMode::SqPoll { idle: Duration::ZERO }, ..default }),
            Some(ConfigError::SqPollIdle),
        ),
        (worker(0), Some(ConfigError::WorkerThreads)),
        (worker(u32::MAX), Some(ConfigError::WorkerThreads)),
    ];
    for (config, error) in cases {
        let Err(found) = config.check() else {
            assert_eq!(error, None);
            println!("skipped: this machine has a TiB of memory");
            continue;
        };
        match error {
            Some(error) => assert_eq!(found, error),
            None => assert!(matches!(found, ConfigError::Memory { .. }), "{found}"),
        }
        let expected = SetupError::Config(found);
        assert_eq!(open(&config).unwrap_err(), expected);
        assert_eq!(SyncBackend::new(&config).unwrap_err(), expected);
        assert_eq!(UringBackend::new(&config).unwrap_err(), expected);
        assert_eq!(WorkerBackend::new(&config).unwrap_err(), expected);
    }
}

#[test]
fn the_smallest_limits_are_enough() {
    let limits = Limits {
        files: 1,
        operations_per_file: 2,
        operations_common: 0,
        blocks_per_file: 1,
        blocks_common: 0,
        block_bytes: 512,
    };
    let uring = UringConfig { sq_entries: 1, ..UringConfig::default() };
    for backend in [Choice::Sync, Choice::Worker, Choice::Auto] {
        use_it(open(&Config { limits, uring, backend, ..Config::default() }).unwrap());
    }
}
