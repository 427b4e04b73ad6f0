//! The binary `alloc-audit` as CI runs it: every backend is clean, and the control fails.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::process::Command;

/// Exit code and output.
fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_alloc-audit")).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text.into_owned())
}

#[test]
fn every_backend_is_clean() {
    let (code, text) = run(&[]);
    println!("{text}");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(" 0 not clean"), "{text}");
}

#[test]
fn the_control_fails_and_names_size_and_place() {
    let (code, text) = run(&["--control"]);
    assert_eq!(code, Some(1), "{text}");
    let offence = text.lines().find(|line| line.starts_with("offence: control on sync: ")).unwrap();
    assert!(offence.contains("allocation of 48 bytes"), "{offence}");
    assert!(offence.contains("workload/control.rs:"), "{offence}");
    assert!(text.contains("stack of the first offence"), "{text}");
}

#[test]
fn what_it_does_not_know_is_wrong_usage() {
    for arguments in [&["--contrl"][..], &["--control", "more"]] {
        let (code, text) = run(arguments);
        assert_eq!(code, Some(2));
        assert!(text.contains("usage: "), "{text}");
    }
}
