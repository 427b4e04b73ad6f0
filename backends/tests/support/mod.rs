//! What the tests of this folder share: a backend of each kind, and what came of its operations.
//!
//! # Safety
//! A forked child runs one closure that makes no thread, then exits without unwinding.
#![allow(unsafe_code)]
#![allow(dead_code, reason = "not every test binary uses all of this")]

use std::{fs::File, path::Path};

use ringzero::{Backend, Choice, Config, IoCompletion, StorageIo, open};

/// Runs `test` on a fresh backend of each kind that works here; says so where one does not.
pub(crate) fn on_each_backend(config: &Config, mut test: impl FnMut(&mut Box<dyn Backend>)) {
    for backend in [Choice::Sync, Choice::Worker, Choice::Uring] {
        match open(&Config { backend, ..*config }) {
            Ok(mut opened) => {
                println!("on {}", opened.report);
                test(&mut opened.io);
            }
            Err(reason) => {
                assert_eq!(backend, Choice::Uring, "{reason}");
                println!("skipped on {backend:?}: {reason}");
                let must_run = std::env::var_os("RINGZERO_REQUIRE_ALL").is_some();
                assert!(!must_run, "{backend:?}: {reason}");
            }
        }
    }
}

/// Waits for everything that is owed.
pub(crate) fn finish(io: &mut Box<dyn Backend>) -> Vec<IoCompletion> {
    let mut completions = Vec::new();
    while io.pending_count() > 0 {
        io.wait(1, None).unwrap();
        io.poll_completions(&mut completions);
    }
    completions
}

/// A new file for reading and writing.
pub(crate) fn create(path: &Path) -> File {
    File::options().read(true).write(true).create_new(true).open(path).unwrap()
}

/// How many descriptors of this process are open on the file at `path`.
pub(crate) fn descriptors_of(path: &Path) -> usize {
    let path = path.canonicalize().unwrap();
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| *target == path).count()
}

/// Runs `child` in a forked child, and returns the number of the first check that failed there.
#[cfg(unix)]
pub(crate) fn in_child(child: impl FnOnce() -> Result<(), i32>) -> i32 {
    // SAFETY: the child calls only what does not depend on other threads, and leaves with _exit.
    match unsafe { libc::fork() } {
        0 => {
            let code = child().err().unwrap_or(0);
            // SAFETY: ends the child, without running what belongs to the parent.
            unsafe { libc::_exit(code) }
        }
        pid => {
            let mut status = -1;
            // SAFETY: the child exists, and `status` is an int to write to.
            assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
            assert!(libc::WIFEXITED(status), "the child was killed: {status:x}");
            libc::WEXITSTATUS(status)
        }
    }
}
