//! The examples that embed a backend in a loop are run to their end. Each checks its own result,
//! and says in one line what it did. Once as the machine is, and once without io_uring.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail, and prints")]

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
    thread,
};

use ringzero_tests::{confine::filter, skip::skip};

/// Runs an example, which `cargo test` builds beside the tests: `target/PROFILE/examples/NAME`.
/// Returns the line that it prints.
fn line_of(name: &str) -> String {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let program = profile.join("examples").join(name);
    assert!(
        program.exists(),
        "{} is missing: `cargo test -p ringzero` builds it, or `cargo build --example {name}`",
        program.display()
    );
    let output = Command::new(program).stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {}: {stderr}", output.status);
    let line = String::from_utf8(output.stdout).unwrap();
    print!("{line}");
    assert!(line.starts_with(name) && line.lines().count() == 1, "{name} says {line:?}");
    line
}

/// Runs an example, and again where io_uring_setup(2) is not implemented.
fn runs(name: &'static str, what: &str) {
    assert!(line_of(name).contains(what));
    // The filter is inherited by what this thread starts, and ends with it.
    let without_ring = || match filter::fail(libc::SYS_io_uring_setup, libc::ENOSYS) {
        Ok(()) => Some(line_of(name)),
        Err(reason) => {
            skip(format!("no filter on system calls: {reason}"));
            None
        }
    };
    if let Some(line) = thread::spawn(without_ring).join().unwrap() {
        assert!(line.contains(what) && line.contains("worker"), "{line}");
    }
}

#[test]
fn an_epoll_loop_commits_what_a_timer_gives() {
    runs("epoll_loop", "100 ticks committed");
}

#[test]
fn tasks_of_tokio_commit() {
    runs("tokio_loop", "1600 commits of 32 tasks");
}

#[test]
fn tasks_of_an_executor_of_ones_own_commit() {
    runs("own_executor", "3200 commits of 64 tasks");
}
