//! The examples that embed a backend in a loop are run to their end. Each checks its own result,
//! and says in one line what it did.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail, and prints")]

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

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

#[test]
fn an_epoll_loop_commits_what_a_timer_gives() {
    assert!(line_of("epoll_loop").contains("100 ticks committed"));
}

#[test]
fn tasks_of_tokio_commit() {
    assert!(line_of("tokio_loop").contains("1600 commits of 32 tasks"));
}

#[test]
fn tasks_of_an_executor_of_ones_own_commit() {
    assert!(line_of("own_executor").contains("3200 commits of 64 tasks"));
}
