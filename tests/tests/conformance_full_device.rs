//! Guarantees 5, 6 and 7 on a device that is really full, and on a file that may not grow.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]
#![allow(unsafe_code)]

use ringzero_core::{Errno, IoFd, Limits, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    conformance,
    fixture::{Fixture, Place, Setup},
    random::bytes,
    real::{Mode, Real, Sync, Uring, UringBound, UringFixed, UringSqPoll, Worker, WorkerFew},
    session::Session,
    tiny::Tiny,
};

const RECORD: usize = 4_096;
const CANCELED: i32 = -Errno::CANCELED.number();

fn setup() -> Setup {
    Setup::with(Limits { operations_common: 256, ..Limits::default() })
}

/// Appends records until some fail; everything about the failure is exact. Returns the handle, how
/// many succeeded, and what is in the file.
fn fill<M: Mode>(s: &mut Session<Real<M>>, errno: Errno) -> (IoFd, Vec<u8>) {
    let fd = s.open("log", &[]);
    let before = s.sync(fd).unwrap();
    s.drain();
    assert_eq!(s.result(before), 0);
    let record = |id: u64| bytes(id + 1, id * RECORD as u64, RECORD);
    let tokens: Vec<u64> = (0..40).map(|id| s.append(fd, &record(id)).unwrap()).collect();
    let covering = s.sync(fd).unwrap();
    s.drain();
    let results: Vec<i32> = tokens.iter().map(|&token| s.result(token)).collect();
    let good = results.iter().take_while(|&&result| result == RECORD as i32).count();
    assert!((1..39).contains(&good), "the device was filled: {results:?}");
    assert_eq!(results[good], -errno.number());
    assert!(results[good + 1..].iter().all(|&result| result == CANCELED), "a prefix: {results:?}");
    assert_eq!(s.result(covering), -errno.number(), "and the sync says so");
    let tail = (good * RECORD) as u64;
    assert_eq!(s.io.tail(fd), Ok(tail), "where the failed append began");
    let refused = StorageIoError::Io(errno);
    assert_eq!(s.append(fd, b"x"), Err(refused));
    assert_eq!(s.io.can_accept(fd, 1), Err(refused));
    let status = s.io.file_status(fd).unwrap();
    assert_eq!((status.failed, status.append_failed), (None, Some(errno)));
    let mut expected = Vec::new();
    (0..good as u64).for_each(|id| expected.extend(record(id)));
    assert!(s.fixture.read("log").starts_with(&expected), "what succeeded is there");
    (fd, expected)
}

/// The failure has been reported: the file goes on as if nothing had happened.
fn go_on<M: Mode>(s: &mut Session<Real<M>>, fd: IoFd, mut expected: Vec<u8>) {
    let tail = expected.len() as u64;
    let calls = s.io.stats().sync_requests;
    let sync = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(sync), 0, "an earlier sync reported the failure");
    assert_eq!(s.io.stats().sync_requests, calls + 1, "control: this one made a call");
    assert_eq!(s.io.resume_append(fd), Ok(tail));
    let data = bytes(99, tail, 1_000);
    let append = s.append(fd, &data).unwrap();
    let sync = s.sync(fd).unwrap();
    assert_eq!((s.wait_for(append), s.wait_for(sync)), (1_000, 0));
    expected.extend_from_slice(&data);
    assert!(s.fixture.read("log").starts_with(&expected));
    s.io.deregister_fd(fd).unwrap();
    assert!(s.fixture.read("log") == expected, "cut back to the tail");
}

fn a_full_device<M: Mode>() {
    let tiny = match Tiny::mount(24 * RECORD) {
        Ok(tiny) => tiny,
        Err(reason) => {
            return println!("skipped on {}: no tmpfs can be mounted: {reason}", M::NAME);
        }
    };
    if let Err(reason) = Real::<M>::at(Place::Memory) {
        return println!("skipped on {}: {reason}", M::NAME);
    }
    let mut s = Session::over(Real::<M>::in_directory(tiny.directory()), &setup());
    drop(s.fixture.create("filler", &[1; 6 * RECORD]));
    let (fd, expected) = fill(&mut s, Errno::NOSPC);

    // A positional write without room fails by itself; the first sync after it says so without a
    // call, later ones speak for everything else.
    let far = 100 * RECORD as u64;
    let failed = s.write(fd, &[7; 10 * RECORD], 0).unwrap();
    assert_eq!(s.wait_for(failed), 10 * RECORD as i32, "bytes that are there can be overwritten");
    let restored = s.write(fd, &expected[..10 * RECORD], 0).unwrap();
    assert_eq!(s.wait_for(restored), 10 * RECORD as i32);
    let other = s.open("other", &[]);
    let failed = s.write(other, &[7; 10 * RECORD], far).unwrap();
    assert_eq!(s.wait_for(failed), -Errno::NOSPC.number());
    let calls = s.io.stats().sync_requests;
    let reports = s.sync(other).unwrap();
    assert_eq!(s.wait_for(reports), -Errno::NOSPC.number());
    assert_eq!(s.io.stats().sync_requests, calls, "without a call of the operating system");
    let later = s.sync(other).unwrap();
    assert_eq!(s.wait_for(later), 0);
    s.io.deregister_fd(other).unwrap();

    std::fs::remove_file(s.fixture.path("other")).unwrap();
    std::fs::remove_file(s.fixture.path("filler")).unwrap();
    go_on(&mut s, fd, expected);
    drop(s);
}

fn a_device_that_is_full_leaves_exact_bookkeeping<F: InChild>() {
    a_full_device::<F::Mode>();
}

/// In a child process, which may not grow files beyond 50,000 bytes and ignores SIGXFSZ.
fn a_file_that_may_not_grow_leaves_exact_bookkeeping<F: InChild>() {
    const VARIABLE: &str = "RINGZERO_CHILD_MAY_NOT_GROW_FILES";
    if std::env::var_os(VARIABLE).is_none() {
        let name = std::thread::current().name().expect("a test has a name").to_owned();
        let output = std::process::Command::new(std::env::current_exe().expect("a path"))
            .args([&name, "--exact", "--nocapture", "--test-threads=1"])
            .env(VARIABLE, "1")
            .output()
            .expect("started");
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {}\n{text}\n{errors}", output.status);
        assert!(text.contains("1 passed"), "control: the child ran the test: {text}");
        return;
    }
    if let Err(reason) = F::at(Place::Disk) {
        return println!("skipped on {}: {reason}", F::NAME);
    }
    // SAFETY: SIG_IGN is a valid disposition.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let limit = libc::rlimit { rlim_cur: 50_000, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the pointer is to a value that lives until the call returns.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
    let mut s = Session::<Real<F::Mode>>::at(Place::Disk, &setup()).expect("a moment ago");
    let (fd, expected) = fill(&mut s, Errno::FBIG);
    assert_eq!(expected.len(), 50_000 / RECORD * RECORD);
    let no_limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the pointer is to a value that lives until the call returns.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const no_limit) }, 0);
    go_on(&mut s, fd, expected);
}

/// A fixture that names its mode, so that a test can build it over a directory of its own.
trait InChild: Fixture {
    type Mode: Mode;
}

impl InChild for Real<Sync> {
    type Mode = Sync;
}
impl InChild for Real<Worker> {
    type Mode = Worker;
}
impl InChild for Real<WorkerFew> {
    type Mode = WorkerFew;
}
impl InChild for Real<Uring> {
    type Mode = Uring;
}
impl InChild for Real<UringBound> {
    type Mode = UringBound;
}
impl InChild for Real<UringSqPoll> {
    type Mode = UringSqPoll;
}
impl InChild for Real<UringFixed> {
    type Mode = UringFixed;
}

conformance!(
    @real
    a_device_that_is_full_leaves_exact_bookkeeping,
    a_file_that_may_not_grow_leaves_exact_bookkeeping,
);
