//! A client written against the eight methods of the seed only compiles and runs on every backend.
//!
//! In all three forms: a trait object, a generic parameter, and calls on the concrete type; with a
//! std `Vec` of completions and a std `File` opened in append mode. Only the `use` lines and the
//! constructors are ours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use std::fs::{File, OpenOptions};

use ringzero::{
    Config, SyncBackend, UringBackend, UringConfig, UringMode, WorkerBackend, WorkerConfig, open,
};
use ringzero::{IoCompletion, IoFd, StorageIo, StorageIoError};

fn file(directory: &tempfile::TempDir) -> File {
    let path = directory.path().join("wal");
    OpenOptions::new().create(true).append(true).open(path).expect("opened")
}

fn check(directory: &tempfile::TempDir, completions: &[IoCompletion], tokens: [u64; 3]) {
    let result = |token| completions.iter().find(|c| c.token == token).map(|c| c.result);
    assert_eq!(tokens.map(result), [Some(6), Some(5), Some(0)]);
    let content = std::fs::read(directory.path().join("wal")).expect("read");
    assert_eq!(content, b"WRITEd");
}

fn by_trait_object(sio: &mut dyn StorageIo, file: File) -> (Vec<IoCompletion>, [u64; 3]) {
    let fd: IoFd = sio.register_fd(file).expect("registered");
    let mut out: Vec<IoCompletion> = Vec::with_capacity(8);
    let append: u64 = sio.submit_append(fd, b"append").expect("accepted");
    let write: u64 = sio.submit_write(fd, b"WRITE", 0).expect("accepted");
    let sync: u64 = sio.submit_datasync(fd).expect("accepted");
    let _submitted: usize = sio.flush().expect("flushed");
    while sio.pending_count() > 0 {
        sio.poll_completions(&mut out);
    }
    let closed: Result<(), StorageIoError> = sio.deregister_fd(fd);
    assert_eq!(closed, Ok(()));
    assert_eq!(sio.submit_append(fd, b"x"), Err(StorageIoError::BadFd));
    (out, [append, write, sync])
}

fn by_generic<S: StorageIo>(sio: &mut S, file: File) -> (Vec<IoCompletion>, [u64; 3]) {
    let fd: IoFd = sio.register_fd(file).expect("registered");
    let mut out: Vec<IoCompletion> = Vec::with_capacity(8);
    let append: u64 = sio.submit_append(fd, b"append").expect("accepted");
    let write: u64 = sio.submit_write(fd, b"WRITE", 0).expect("accepted");
    let sync: u64 = sio.submit_datasync(fd).expect("accepted");
    let _submitted: usize = sio.flush().expect("flushed");
    while sio.pending_count() > 0 {
        sio.poll_completions(&mut out);
    }
    sio.deregister_fd(fd).expect("deregistered");
    (out, [append, write, sync])
}

/// The same calls on a concrete type: method resolution finds them with only the trait imported.
macro_rules! by_concrete_type {
    ($sio:expr, $file:expr) => {{
        let sio = &mut $sio;
        let fd: IoFd = sio.register_fd($file).expect("registered");
        let mut out: Vec<IoCompletion> = Vec::with_capacity(8);
        let append: u64 = sio.submit_append(fd, b"append").expect("accepted");
        let write: u64 = sio.submit_write(fd, b"WRITE", 0).expect("accepted");
        let sync: u64 = sio.submit_datasync(fd).expect("accepted");
        let _submitted: usize = sio.flush().expect("flushed");
        while sio.pending_count() > 0 {
            sio.poll_completions(&mut out);
        }
        sio.deregister_fd(fd).expect("deregistered");
        (out, [append, write, sync])
    }};
}

macro_rules! in_all_forms {
    ($make:expr) => {{
        let directory = tempfile::tempdir().expect("a directory");
        let (out, tokens) = by_trait_object(&mut $make, file(&directory));
        check(&directory, &out, tokens);
        let directory = tempfile::tempdir().expect("a directory");
        let (out, tokens) = by_generic(&mut $make, file(&directory));
        check(&directory, &out, tokens);
        let directory = tempfile::tempdir().expect("a directory");
        let (out, tokens) = by_concrete_type!($make, file(&directory));
        check(&directory, &out, tokens);
    }};
}

/// What the seed says of the whole: object-safe and `Send`.
const fn is_send<T: Send + ?Sized>() {}
const _: () = is_send::<dyn StorageIo>();
const _: () = is_send::<Box<dyn StorageIo>>();

#[test]
fn the_seeds_client_runs_on_the_sync_backend() {
    in_all_forms!(SyncBackend::new(&Config::default()).expect("always there"));
}

#[test]
fn the_seeds_client_runs_on_the_worker_backend() {
    for threads in [1, 3] {
        let config = Config { worker: WorkerConfig { threads }, ..Config::default() };
        in_all_forms!(WorkerBackend::new(&config).expect("threads can be started"));
    }
}

#[test]
fn the_seeds_client_runs_on_every_mode_of_the_uring_backend() {
    let idle = std::time::Duration::from_millis(10);
    for mode in [UringMode::Interrupt, UringMode::ThreadBound, UringMode::SqPoll { idle }] {
        let uring = UringConfig { mode, ..UringConfig::default() };
        let config = Config { uring, ..Config::default() };
        if let Err(reason) = UringBackend::new(&config) {
            ringzero_tests::skip::skip(format!("{mode:?}: {reason}"));
            continue;
        }
        in_all_forms!(UringBackend::new(&config).expect("a moment ago it could be built"));
    }
}

#[test]
fn the_seeds_client_runs_on_what_open_returns() {
    in_all_forms!(open(&Config::default()).expect("something always works").io);
    let mut boxed: Box<dyn StorageIo> =
        Box::new(SyncBackend::new(&Config::default()).expect("always there"));
    let directory = tempfile::tempdir().expect("a directory");
    let (out, tokens) = by_trait_object(&mut *boxed, file(&directory));
    check(&directory, &out, tokens);
}
