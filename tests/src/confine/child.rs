//! Tests that change limits of the process: they run themselves again in a child process.
//!
//! Two ways: [`run`] gives back one line that the child says; [`passes_in`] makes the child's
//! verdict that of the test. The child is a fresh process of the same binary, not a fork: it
//! inherits no threads and no locks.
//!
//! # Safety
//! Calls of libc that take numbers, or a structure that lives until the call returns.
#![allow(unsafe_code)]

use std::{
    env, io,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

const MARK: &str = "RINGZERO_TEST_CHILD";
const FOLDER: &str = "RINGZERO_TEST_FOLDER";
const ANSWER: &str = "child says: ";

/// Whether this process is the child.
pub fn is_child() -> bool {
    env::var_os(MARK).is_some()
}

/// Where the child makes its files; `None` in the parent. See [`passes_in`].
pub fn folder() -> Option<PathBuf> {
    is_child().then(|| env::var_os(FOLDER).expect("of the parent").into())
}

/// This binary again, with the test named `test` only.
fn command(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("a path"));
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(MARK, "1");
    command
}

/// Runs the test named `test` of this binary again, as a child, and returns what it said.
///
/// # Panics
/// If it said nothing.
pub fn run(test: &str) -> String {
    let output = command(test).output().expect("started");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let answer = text.split_once(ANSWER).and_then(|(_, rest)| rest.lines().next());
    let errors = String::from_utf8_lossy(&output.stderr);
    let status = output.status;
    answer.unwrap_or_else(|| panic!("no answer: {status} {text} {errors}")).to_owned()
}

/// Says `answer` to the parent and ends the child, without running anything else.
pub fn answer(answer: &str) -> ! {
    println!("{ANSWER}{answer}");
    std::process::exit(0)
}

/// Runs the calling test again, as a child that finds `at` in [`folder`], and prints what it
/// printed.
///
/// # Panics
/// If it did not pass. If the calling thread has no test's name: tests run on threads of their own
/// unless only one may run at a time.
pub fn passes_in(at: &Path) {
    let thread = thread::current();
    let test = thread.name().filter(|name| *name != "main").expect("more than one test thread");
    let output = command(test).env(FOLDER, at).output().expect("started");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    println!("{text}");
    assert!(output.status.success(), "{test}: {}\n{text}\n{errors}", output.status);
    assert!(text.contains("1 passed"), "control: the child ran the test: {text}");
}

/// Sets a limit of this process for good: setrlimit(2).
pub fn limit(resource: libc::__rlimit_resource_t, value: u64) {
    set(resource, libc::rlimit { rlim_cur: value, rlim_max: value });
}

/// Sets a limit of this process that [`lift`] raises again.
pub fn limit_for_now(resource: libc::__rlimit_resource_t, value: u64) {
    let limit = get(resource);
    set(resource, libc::rlimit { rlim_cur: value, ..limit });
}

/// Raises a limit of this process as far as it may.
pub fn lift(resource: libc::__rlimit_resource_t) {
    let limit = get(resource);
    set(resource, libc::rlimit { rlim_cur: limit.rlim_max, ..limit });
}

fn get(resource: libc::__rlimit_resource_t) -> libc::rlimit {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a writable rlimit.
    let result = unsafe { libc::getrlimit(resource, &raw mut limit) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    limit
}

fn set(resource: libc::__rlimit_resource_t, limit: libc::rlimit) {
    // SAFETY: `limit` is a readable rlimit.
    let result = unsafe { libc::setrlimit(resource, &raw const limit) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// No file of this process may grow beyond `byte_count` until [`lift`], and no signal says so.
pub fn limit_file_size(byte_count: u64) {
    // SAFETY: SIG_IGN is a valid disposition.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    limit_for_now(libc::RLIMIT_FSIZE, byte_count);
}

/// Gives up root and every capability: the user "nobody".
///
/// # Errors
/// This process is not root.
pub fn become_nobody() -> io::Result<()> {
    const NOBODY: u32 = 65_534;
    // SAFETY: takes numbers only.
    if unsafe { libc::setgid(NOBODY) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: takes numbers only.
    if unsafe { libc::setuid(NOBODY) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
