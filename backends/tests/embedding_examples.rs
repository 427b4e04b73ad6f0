//! The examples `busy_loop` and `thread_per_core`, run as a user runs them. They check their logs
//! themselves; here is what they say of it, and that they leave nothing behind.
//!
//! # Mutations
//! | changed | red |
//! |---|---|
//! | busy_loop: an event whose change is refused counts as processed | `the_busy_loop_..` |
//! | busy_loop: the state is changed before the change is accepted | `the_busy_loop_..` |
//! | busy_loop: it ends when all is accepted, not when all is durable | `the_busy_loop_..` |
//! | busy_loop: a checkpoint in every turn | `the_busy_loop_..` |
//! | thread_per_core: more is taken out of a queue than can be appended | `more_threads_..` |
//! | thread_per_core: a record that is refused counts as sent | `cores_hand_over_..`, `more_..` |
//! | thread_per_core: two records of a queue change places | `cores_hand_over_..`, `more_..` |
//! | thread_per_core: the folder with the logs is kept | all of it |
//! | thread_per_core: it does not wait for closed queues | nothing: the last commit does |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// An example, which `cargo test` builds beside the tests: `target/PROFILE/examples/`.
fn program(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    profile.join("examples").join(name).with_extension(env::consts::EXE_EXTENSION)
}

/// What the example prints when it ends well. Its temporary files are gone.
fn output_of(name: &str, args: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(program(name));
    for variable in ["TMPDIR", "TEMP", "TMP"] {
        command.env(variable, folder.path());
    }
    let output = command.args(args).output().expect("`cargo test -p ringzero` builds the example");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {args:?}: {stdout}{stderr}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{name} {args:?} leaves files");
    stdout
}

/// The numbers in the line that begins so.
fn numbers(stdout: &str, line: &str) -> Vec<u64> {
    let found = stdout.lines().find_map(|it| it.strip_prefix(line));
    let words = found.unwrap_or_else(|| panic!("no line `{line}`: {stdout}")).split_whitespace();
    words.filter_map(|word| word.trim_end_matches(',').parse().ok()).collect()
}

#[test]
fn the_busy_loop_makes_every_event_durable() {
    for events in [0, 1, 4_096, 100_000] {
        let stdout = output_of("busy_loop", &[&events.to_string()]);
        assert_eq!(numbers(&stdout, "events")[0], events, "{stdout}");
        let appends = numbers(&stdout, "appends");
        let (appended, merged) = (appends[0], appends[1]);
        assert_eq!(appended, events, "{stdout}");
        let checkpoints = numbers(&stdout, "checkpoints")[0];
        assert!(events == 0 || checkpoints > 0, "{stdout}");
        assert!(checkpoints <= events.div_ceil(4_096), "{stdout}");
        let requests = numbers(&stdout, "kernel requests");
        // The sync backend executes each append alone, and a group may carry its data-sync.
        assert!(requests[0] > 0 || events == 0, "{stdout}");
        assert!(requests[0] + merged >= appended && requests[1] <= checkpoints, "{stdout}");
        assert!(stdout.ends_with("the changelog was replayed: same totals\n"), "{stdout}");
    }
}

/// One line per core, and what it produced, handed over and appended.
#[track_caller]
fn cores_work(cores: usize) {
    let count = cores.to_string();
    let stdout = output_of("thread_per_core", &["--seconds", "0.3", "--cores", &count]);
    let (mut produced, mut appended) = (0, 0);
    for core in 0..cores {
        let place = stdout.lines().find(|line| line.starts_with(&format!("core {core}: on ")));
        let is_unpinned = stdout.contains(&format!("core {core}: unpinned"));
        assert!(place.is_some() || is_unpinned, "{stdout}");
        let line = stdout.lines().find(|line| {
            line.starts_with(&format!("core {core}: ")) && line.contains("records/ms durable")
        });
        let line = line.unwrap_or_else(|| panic!("nothing of core {core}: {stdout}"));
        let numbers: Vec<u64> =
            line.split([' ', ';', ',']).filter_map(|word| word.parse().ok()).collect();
        let [_, made, handed_over, into_log, _, syncs] = numbers[..] else { panic!("{line}") };
        assert!(made > 0 && into_log > 0 && syncs > 0, "{line}");
        assert_eq!(handed_over > 0, cores > 1, "{line}");
        produced += made;
        appended += into_log;
    }
    assert_eq!(produced, appended, "{stdout}");
    let read_back = format!("all logs read back: {produced} records, each once and in order\n");
    assert!(stdout.ends_with(&read_back), "{stdout}");
}

#[test]
fn one_core_works_alone() {
    cores_work(1);
}

#[test]
fn cores_hand_over_to_each_other() {
    cores_work(2);
}

#[test]
fn more_threads_than_cores_hand_over_too() {
    cores_work(7);
}

#[test]
fn what_makes_no_sense_is_refused() {
    for args in [["--cores", "0"], ["--seconds", "-1"], ["--dir", "no-such-folder"]] {
        let output = Command::new(program("thread_per_core")).args(args).output().unwrap();
        assert!(!output.status.success() && !output.stderr.is_empty(), "{args:?}");
    }
}
