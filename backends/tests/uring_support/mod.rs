//! What the io_uring tests share: rings of every mode, and files for them.
//!
//! Everything that cannot run on a machine says why and is skipped.
#![allow(dead_code, reason = "not every test binary uses all of this")]
#![allow(unsafe_code, reason = "calls of libc that std has no form of")]

use std::{fs::File, path::Path, time::Duration};

use ringzero::{
    Config, IoCompletion, Limits, SetupError, StorageIo, StorageIoExt, UringBackend, UringConfig,
    UringMode,
};
use ringzero_tests::{
    confine::volume::{FileSystem, Volume},
    skip::skip,
};

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

/// A file system whose writes can be made to stall.
pub(crate) fn volume() -> Option<Volume> {
    let volume = Volume::mount(FileSystem::Ext4);
    volume.map_err(|reason| skip(format!("needs a loop-mounted ext4: {reason}"))).ok()
}

/// A new file for reading and writing.
pub(crate) fn create(path: &Path) -> File {
    File::options().read(true).write(true).create_new(true).open(path).unwrap()
}

/// Waits for everything that is owed. A backend that never answers fails the test.
pub(crate) fn finish(io: &mut UringBackend) -> Vec<IoCompletion> {
    let mut completions = Vec::new();
    while io.pending_count() > 0 {
        let count = io.wait(1, Some(Duration::from_secs(20))).unwrap();
        assert_ne!(count, 0, "{} operations are not answered", io.pending_count());
        io.poll_completions(&mut completions);
    }
    completions
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
