//! Tests that change limits of the process: they run themselves again in a child process.
#![allow(unsafe_code, reason = "calls of libc that std has no form of")]

use std::{env, io, process::Command};

const MARK: &str = "RINGZERO_TEST_CHILD";
const ANSWER: &str = "child says: ";

/// Whether this process is the child.
pub(crate) fn is_child() -> bool {
    env::var_os(MARK).is_some()
}

/// Runs the test named `test` of this binary again, as a child, and returns what it said.
pub(crate) fn run(test: &str) -> String {
    let program = env::current_exe().unwrap();
    let output = Command::new(program)
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let answer = text.split_once(ANSWER).and_then(|(_, rest)| rest.lines().next());
    let errors = String::from_utf8_lossy(&output.stderr);
    let status = output.status;
    answer.unwrap_or_else(|| panic!("no answer: {status} {text} {errors}")).to_owned()
}

/// Says `answer` to the parent and ends the child, without running anything else.
pub(crate) fn answer(answer: &str) -> ! {
    println!("{ANSWER}{answer}");
    std::process::exit(0)
}

/// Lowers a limit of this process: setrlimit(2).
pub(crate) fn limit(resource: libc::__rlimit_resource_t, value: u64) {
    let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: `limit` is a readable rlimit.
    let result = unsafe { libc::setrlimit(resource, &raw const limit) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Gives up root and every capability: the user "nobody".
///
/// # Errors
/// This process is not root.
pub(crate) fn become_nobody() -> io::Result<()> {
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
