//! Guarantee 7, its last sentence: where no kernel worker can start, the kernel cancels what it
//! cannot do inside the call (ECANCELED). A write is sent again, a bounded number of times, and
//! then is EIO; a sync fails the file; ECANCELED of the kernel is never passed on.
//!
//! In child processes of a user without privileges who may have no more threads (RLIMIT_NPROC), and
//! on ext4, whose buffered writes are a worker's. A mode with a thread of its own says at set-up
//! that there is none, and is then set up before the limit. Backends that are not the kernel's
//! workers' business do as ever. (What `open` does then: `uring_setup` of the package `ringzero`.)
//!
//! # Mutations
//! | removed or changed | red, in every mode of io_uring |
//! |---|---|
//! | a cancelled write is sent again | both tests |
//! | a cancelled write ends in EIO; a cancelled sync does | the first |
//! | the bound on sending again: 40 | the first |
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Instant,
};

use ringzero::SetupError;
use ringzero_core::{Errno, IoCompletion, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    confine::{
        child,
        volume::{FileSystem, Volume},
    },
    conformance,
    fixture::{Fixture, Place, Setup},
    real::{self, Mode, OfMode},
    session::PATIENCE,
    skip::skip,
};

const DATA: &[u8] = b"nobody carries this out";
/// Sent once, and then sent again.
const MOST_REQUESTS: u64 = 1 + 16;

/// A backend, files and readers of them, in a process that has become nobody and may have no more
/// threads for now. Root opened the files; `None` without root.
fn confined<M: Mode>(
    folder: &Path,
    names: [&str; 2],
) -> Option<(M::Backend, [File; 2], [File; 2])> {
    let open = |name: &str| {
        File::options().read(true).write(true).create(true).truncate(true).open(folder.join(name))
    };
    let files = names.map(|name| open(name).unwrap());
    let readers = names.map(|name| File::open(folder.join(name)).unwrap());
    if let Err(reason) = child::become_nobody() {
        skip(format!("{}: not root: {reason}", M::NAME));
        return None;
    }
    child::limit_for_now(libc::RLIMIT_NPROC, 0);
    let config = real::config(&Setup::default());
    let io = M::build(&config).unwrap_or_else(|reason| {
        let is_known = match reason {
            SetupError::NoWorkers => M::NAME == "uring, sqpoll",
            SetupError::NoThread => M::NAME.starts_with("worker"),
            _ => false,
        };
        assert!(is_known, "{}: {reason}", M::NAME);
        child::lift(libc::RLIMIT_NPROC);
        let io = M::build(&config).unwrap();
        child::limit_for_now(libc::RLIMIT_NPROC, 0);
        io
    });
    Some((io, files, readers))
}

/// Whether workers of the kernel carry out what a backend is given.
fn needs_workers<F: Fixture>() -> bool {
    F::NAME.starts_with("uring")
}

fn read(mut file: &File) -> Vec<u8> {
    let mut found = Vec::new();
    std::io::Read::read_to_end(&mut file, &mut found).unwrap();
    found
}

/// The results of everything owed, in order.
fn finish(io: &mut impl StorageIo) -> Vec<i32> {
    let mut completions: Vec<IoCompletion> = Vec::new();
    let begin = Instant::now();
    while io.pending_count() > 0 {
        assert!(begin.elapsed() < PATIENCE, "{} owed", io.pending_count());
        io.poll_completions(&mut completions);
    }
    completions.sort_by_key(|completion| completion.token);
    completions.iter().map(|completion| completion.result).collect()
}

/// Runs `body` in a child over an ext4 of its own.
fn in_child<F: OfMode>(body: impl FnOnce(PathBuf)) {
    if let Some(folder) = child::folder() {
        return body(folder);
    }
    if let Err(reason) = F::at(Place::Disk) {
        return skip(format!("{}: {reason}", F::NAME));
    }
    match Volume::mount(FileSystem::Ext4) {
        Ok(volume) => child::passes_in(&volume.path()),
        Err(reason) => skip(format!("no loop-mounted ext4: {reason}")),
    }
}

fn without_workers_writes_end_in_eio_and_syncs_fail_the_file<F: OfMode>() {
    in_child::<F>(|folder| {
        let confined = confined::<F::Mode>(&folder, ["written", "synced"]);
        let Some((mut io, [written, synced], readers)) = confined else { return };
        let eio = -Errno::IO.number();
        let works = !needs_workers::<F>();
        let written = io.register_fd(written).unwrap();
        io.submit_append(written, DATA).unwrap();
        io.submit_datasync(written).unwrap();
        let results = finish(&mut io);
        assert_eq!(results, if works { [DATA.len() as i32, 0] } else { [eio, eio] });
        let requests = io.stats().write_requests;
        println!("{}: {requests} requests, {} again", F::NAME, io.stats().retries);
        assert_eq!(requests, if works { 1 } else { MOST_REQUESTS }, "{}", F::NAME);

        let synced = io.register_fd(synced).unwrap();
        let calls = io.stats().sync_requests;
        io.submit_datasync(synced).unwrap();
        assert_eq!(finish(&mut io), [if works { 0 } else { eio }]);
        assert_eq!(io.stats().sync_requests, calls + 1, "{}: sent once", F::NAME);
        for fd in [written, synced] {
            let failed = io.file_status(fd).unwrap().failed;
            assert_eq!(failed, (!works).then_some(Errno::IO), "{}", F::NAME);
            let refused = io.submit_append(fd, DATA).err();
            assert_eq!(refused, (!works).then_some(StorageIoError::Io(Errno::IO)));
            finish(&mut io);
            io.deregister_fd(fd).unwrap();
        }
        let expected = if works { [DATA.repeat(2), DATA.to_vec()] } else { [vec![], vec![]] };
        assert_eq!(readers.each_ref().map(read), expected, "{}", F::NAME);
    });
}

fn a_write_succeeds_if_workers_come_back_in_time<F: OfMode>() {
    in_child::<F>(|folder| {
        let confined = confined::<F::Mode>(&folder, ["log", "other"]);
        let Some((mut io, [log, _], [reader, _])) = confined else { return };
        let log = io.register_fd(log).unwrap();
        io.submit_append(log, DATA).unwrap();
        let mut completions: Vec<IoCompletion> = Vec::new();
        let begin = Instant::now();
        while needs_workers::<F>() && io.stats().retries < 2 {
            assert!(begin.elapsed() < PATIENCE, "control: {:?}", io.stats());
            io.poll_completions(&mut completions);
        }
        assert_eq!(completions, []);
        child::lift(libc::RLIMIT_NPROC);
        io.submit_datasync(log).unwrap();
        assert_eq!(finish(&mut io), [DATA.len() as i32, 0], "{}", F::NAME);
        io.deregister_fd(log).unwrap();
        assert_eq!(read(&reader), DATA);
    });
}

conformance!(
    @real
    without_workers_writes_end_in_eio_and_syncs_fail_the_file,
    a_write_succeeds_if_workers_come_back_in_time,
);
