//! The example `no_std_engine`, run as a user runs it. (`proofs/run` runs its device folder without
//! std, `proofs/targets` compiles it for bare metal.)
//!
//! # Mutations
//! | changed | red |
//! |---|---|
//! | the chip programs a page's last byte wrong | the program: `Lost` |
//! | the chip answers a cut request in full | the program: `Lost` |
//! | the recorder drops a sample that is refused | the program: `Lost` |
//! | the recorder does not call `proceed` | nothing: the next `start` does the same |
//! | the chip answers inside the call | `64 bytes per tick` |
//! | the recorder keeps the chip's answers to itself | the program: `Stuck` |

#![allow(clippy::unwrap_used, reason = "test code")]

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// The example, which `cargo test` builds beside the tests: `target/PROFILE/examples/`.
fn program() -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    profile.join("examples").join("no_std_engine").with_extension(env::consts::EXE_EXTENSION)
}

#[test]
fn a_flash_is_filled_and_read_back() {
    let output = Command::new(program()).output().expect("`cargo test` builds the example");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<u64> = stdout
        .split(|character: char| !character.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect();
    let [samples, ticks, writes, cut, syncs, deferred] = numbers[..] else { panic!("{stdout}") };
    assert_eq!(samples, 1_024, "16 KiB of 16 bytes each: {stdout}");
    assert!(ticks >= 256, "64 bytes per tick: {stdout}");
    assert!(writes >= 64, "a page per write at most: {stdout}");
    assert!(cut > 0, "a request ran into the end of a page: {stdout}");
    assert!((1..=16).contains(&syncs), "one per 64 samples at most: {stdout}");
    assert!(deferred > 0, "nothing is deferred: {stdout}");
}
