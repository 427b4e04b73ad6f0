//! Trying a backend out: [`exercise`], with a real write and a real sync.
//!
//! Needed because a ring can be set up where no kernel worker can start, and then every buffered
//! write and every sync is cancelled (ECANCELED). Called by `open`, on a small twin of the backend
//! that the caller gets: the caller's own has no tokens used, no counters moved, and is not bound
//! to a thread.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use ringzero_core::{Errno, IoCompletion, IoFd, Limits, StorageIoError};

use crate::{Backend, config::Config, error::errno_of, platform, setup_error::SetupError};

const DATA: &[u8] = b"ringzero tries out whether writes and syncs work here";
const DEADLINE: Duration = Duration::from_secs(5);

/// The configuration of a small twin of a backend with `config`: the same in all that decides
/// whether requests are carried out, and quick to give up.
pub(crate) fn twin_of(config: &Config) -> Config {
    let limits = Limits {
        files: 2,
        operations_per_file: 8,
        operations_common: 0,
        blocks_per_file: 2,
        blocks_common: 0,
        block_bytes: 4_096,
    };
    Config { limits, close_deadline: Duration::ZERO, drop_deadline: Duration::ZERO, ..*config }
}

/// Writes and syncs an unnamed file in the folder for temporary files; where that fails, which may
/// be the folder's fault (full, read-only), a file in memory.
///
/// # Errors
/// `NoWorkers`, `ProbeFailed`.
pub(crate) fn exercise<B: Backend + ?Sized>(backend: &mut B) -> Result<(), SetupError> {
    let on_disk = temporary_file(&env::temp_dir()).map_err(|error| errno_of(&error));
    let found = match on_disk.and_then(|file| write_and_sync(backend, file)) {
        Ok(found) => found,
        Err(errno) => match platform::memory_file() {
            Ok(file) => write_and_sync(backend, file).map_err(reason_on_memory_file)?,
            Err(_) => return Err(SetupError::ProbeFailed(errno)),
        },
    };
    if found == DATA { Ok(()) } else { Err(SetupError::ProbeFailed(Errno::IO)) }
}

/// What it means that a file in memory cannot be written or synced. It has no device that could
/// fail or fill up, so EIO stands for requests that were cancelled again and again: the engine
/// never passes ECANCELED on.
fn reason_on_memory_file(errno: Errno) -> SetupError {
    match errno {
        Errno::IO | Errno::CANCELED | Errno::AGAIN => SetupError::NoWorkers,
        _ => SetupError::ProbeFailed(errno),
    }
}

/// A file for reading and writing that has no name, or no longer.
fn temporary_file(folder: &Path) -> io::Result<File> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    platform::unnamed_file(folder).or_else(|_| {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".ringzero-probe-{}-{number}", process::id()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        fs::remove_file(&path)?;
        Ok(file)
    })
}

/// What is in the file after `DATA` was written to it and synced.
fn write_and_sync<B: Backend + ?Sized>(backend: &mut B, file: File) -> Result<Vec<u8>, Errno> {
    let mut reader = file.try_clone().map_err(|error| errno_of(&error))?;
    let fd = backend.register_fd(file).map_err(errno_of_refusal)?;
    let outcome = run(backend, fd);
    let closed = backend.deregister_fd(fd).map_err(errno_of_refusal);
    outcome.and(closed)?;
    read(&mut reader).map_err(|error| errno_of(&error))
}

/// Submits a write and a sync, and waits for both.
fn run<B: Backend + ?Sized>(backend: &mut B, fd: IoFd) -> Result<(), Errno> {
    let write = backend.submit_write(fd, DATA, 0).map_err(errno_of_refusal)?;
    let sync = backend.submit_datasync(fd).map_err(errno_of_refusal)?;
    let mut owed = vec![write, sync];
    let end = Instant::now() + DEADLINE;
    while !owed.is_empty() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Errno::TIMEDOUT);
        }
        backend.wait(1, Some(left)).map_err(errno_of_refusal)?;
        let mut completions = Vec::<IoCompletion>::new();
        backend.poll_completions(&mut completions);
        // There may be late ones of the first file.
        for completion in completions {
            if owed.contains(&completion.token) {
                completion.outcome()?;
            }
            owed.retain(|token| *token != completion.token);
        }
    }
    Ok(())
}

fn read(file: &mut File) -> io::Result<Vec<u8>> {
    let mut found = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut found)?;
    Ok(found)
}

fn errno_of_refusal(error: StorageIoError) -> Errno {
    match error {
        StorageIoError::Io(errno) => errno,
        StorageIoError::QueueFull | StorageIoError::BufferExhausted => Errno::BUSY,
        StorageIoError::BadFd | StorageIoError::Closed => Errno::BADF,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SyncBackend, storage_io::StorageIo};

    #[test]
    fn a_backend_that_works_passes_and_its_file_is_closed_again() {
        let mut backend = SyncBackend::new(&twin_of(&Config::default())).unwrap();
        for _ in 0..3 {
            assert_eq!(exercise(&mut backend), Ok(()));
            assert_eq!(backend.pending_count(), 0);
        }
    }

    #[test]
    fn a_backend_that_refuses_does_not_pass() {
        let mut backend = SyncBackend::new(&twin_of(&Config::default())).unwrap();
        ringzero_core::StorageIoExt::shutdown(&mut backend, Duration::ZERO).unwrap();
        assert_eq!(exercise(&mut backend), Err(SetupError::ProbeFailed(Errno::BADF)));
    }

    #[test]
    fn a_temporary_file_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let _file = temporary_file(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(temporary_file(&folder.path().join("missing")).is_err());
    }

    #[test]
    fn cancelled_requests_mean_that_no_worker_starts() {
        assert_eq!(reason_on_memory_file(Errno::IO), SetupError::NoWorkers);
        let other = Errno::new(platform::number::NOSYS);
        assert_eq!(reason_on_memory_file(other), SetupError::ProbeFailed(other));
    }
}
