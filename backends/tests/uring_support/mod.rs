//! What the io_uring tests share: rings of every mode, and files for them.
//!
//! Everything that cannot run on a machine says why and is skipped.
#![allow(dead_code, reason = "not every test binary uses all of this")]
#![allow(unsafe_code, reason = "calls of libc that std has no form of")]

#[path = "../support/queued.rs"]
mod queued;

use std::{fs::File, path::Path, time::Duration};

use ringzero::{Config, Limits, SetupError, UringBackend, UringConfig, UringMode};
use ringzero_tests::skip::skip;

#[allow(unused_imports, reason = "not every test binary uses all of this")]
pub(crate) use queued::{create, finish, volume};

pub(crate) const MODES: [UringMode; 3] = [
    UringMode::Interrupt,
    UringMode::ThreadBound,
    UringMode::SqPoll { idle: Duration::from_millis(5) },
];

/// The default configuration in `mode`.
pub(crate) fn config(mode: UringMode) -> Config {
    Config { uring: UringConfig { mode, ..UringConfig::default() }, ..Config::default() }
}

/// Small limits, for tests that exhaust them.
pub(crate) const SMALL: Limits = Limits {
    files: 2,
    operations_per_file: 64,
    operations_common: 0,
    blocks_per_file: 16,
    blocks_common: 0,
    block_bytes: 4_096,
};

/// A ring, or the reason why there is none on this machine. Only reasons that are the machine's
/// are taken for an answer.
pub(crate) fn ring(config: &Config) -> Option<UringBackend> {
    match UringBackend::new(config) {
        Ok(backend) => Some(backend),
        Err(
            reason @ (SetupError::Unsupported
            | SetupError::Forbidden
            | SetupError::AccessDenied
            | SetupError::MemoryLimit),
        ) => {
            skip(format!("{:?}: {reason}", config.uring.mode));
            None
        }
        Err(reason) => panic!("{:?}: {reason}", config.uring.mode),
    }
}

/// Whether anybody has the file at `path` open for writing: this process, or a ring in its table of
/// registered files. Asked with a lease, which is refused while that is so (fcntl(2), F_SETLEASE).
pub(crate) fn is_open(path: &Path) -> bool {
    let file = File::open(path).unwrap();
    // SAFETY: the descriptor is open; the call takes a number.
    let result = unsafe {
        libc::fcntl(std::os::fd::AsRawFd::as_raw_fd(&file), libc::F_SETLEASE, libc::F_RDLCK)
    };
    result != 0
}

/// Whether the file is closed, or will be in a moment: the kernel gives up a ring's files on its
/// own time.
pub(crate) fn is_closed_soon(path: &Path) -> bool {
    let begin = std::time::Instant::now();
    while is_open(path) {
        if begin.elapsed() > Duration::from_secs(2) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}
