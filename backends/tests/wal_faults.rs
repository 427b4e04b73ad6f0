//! The example `wal` when things go wrong under way: what was committed is there, and the log is a
//! whole prefix of the input.
#![allow(clippy::unwrap_used, reason = "what the tests share is test code too")]
#![cfg(target_os = "linux")]

#[path = "../examples/wal/format/mod.rs"]
#[allow(dead_code, reason = "the program uses the rest")]
mod format;
mod wal_support;

use std::{
    ffi::OsStr,
    fs,
    io::Write,
    path::Path,
    process::{Command, Output},
    thread::{self, sleep},
    time::{Duration, Instant},
};

use format::Tail;
use wal_support::{Scene, assert_prefix, backends, failed, in_own_mounts, piped, program};

/// The two numbers of "{} lines were committed before; .. holds the first {} lines now".
fn lines_kept(stderr: &str) -> (usize, usize) {
    let number = |text: &str| text.split(' ').next_back().unwrap().parse().unwrap();
    let (committed, rest) = stderr.split_once(" lines were committed before").unwrap();
    let (kept, _) = rest.split_once(" lines now").unwrap();
    (number(committed), number(kept))
}

/// Checks that the program failed, and left so many of the input's lines and nothing else.
fn failed_with_prefix(output: &Output, what: &str, log: &Path, input: &[u8]) -> usize {
    let (committed, kept) = lines_kept(&failed(output, what));
    assert!(committed <= kept, "{committed} committed, {kept} kept");
    assert_eq!(assert_prefix(log, input, Tail::Clean), kept);
    kept
}

/// Runs the program with its log on a file system of 1 MiB, and copies the log to `in.wal`.
fn on_a_small_device(scene: &Scene, args: &str) -> Option<Output> {
    let script = format!(
        "mount -t tmpfs -o size=1m none /mnt && cd \"$SCENE\" && \"$WAL\" in --dir /mnt {args}
        code=$?
        test ! -e /mnt/in.wal || cp /mnt/in.wal . || exit 99
        exit $code"
    );
    let wal = program();
    let envs = [("SCENE", scene.folder.path().as_os_str()), ("WAL", wal.as_os_str())];
    in_own_mounts(&script, &envs)
}

#[test]
fn a_full_device_leaves_what_was_committed() {
    let text: String = (0..100_000).map(|number| format!("line number {number}\n")).collect();
    for backend in backends() {
        for sync_every in [1, 16, 1_000_000] {
            let scene = Scene::new(text.as_bytes());
            let args = format!("--backend {backend} --sync-every {sync_every}");
            let Some(output) = on_a_small_device(&scene, &args) else { return };
            let log = scene.path("in.wal");
            let kept = failed_with_prefix(&output, "is full", &log, text.as_bytes());
            // The device has room for 1,048,576 bytes. Most of them are used.
            assert!(fs::metadata(&log).unwrap().len() > 900_000, "{kept} lines");
        }
    }
}

#[test]
fn a_line_that_does_not_fit_is_not_left_in_part() {
    let text = ["short\n".repeat(100), "x".repeat(3_000_000), "\nshort\n".to_owned()].concat();
    for backend in backends() {
        let scene = Scene::new(text.as_bytes());
        let Some(output) = on_a_small_device(&scene, &format!("--backend {backend}")) else {
            return;
        };
        let kept = failed_with_prefix(&output, "is full", &scene.path("in.wal"), text.as_bytes());
        assert_eq!(kept, 100);
    }
}

#[test]
fn a_device_without_room_for_one_line_leaves_no_log() {
    let scene = Scene::new("x".repeat(3_000_000).as_bytes());
    for backend in backends() {
        let args = format!("--backend {backend}");
        let Some(output) = on_a_small_device(&scene, &args) else { return };
        failed(&output, "no line was committed");
        assert!(!scene.path("in.wal").exists());
    }
}

#[test]
fn a_limit_on_the_size_of_files_leaves_what_was_committed() {
    let text: String = (0..50_000).map(|number| format!("line number {number}\n")).collect();
    for backend in backends() {
        let scene = Scene::new(text.as_bytes());
        let output = Command::new("sh")
            .current_dir(&scene.folder)
            // In units of 512 bytes, or of 1,024.
            .args(["-c", "ulimit -f 400 && exec \"$0\" in --backend \"$1\""])
            .args([program().as_os_str(), OsStr::new(backend)])
            .output()
            .unwrap();
        let log = scene.path("in.wal");
        let kept = failed_with_prefix(&output, "EFBIG", &log, text.as_bytes());
        assert!(kept > 1_000, "{kept} lines");
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_is_an_error() {
    let scene = Scene::new(b"a line\n");
    let script = "mount -t tmpfs -o ro none /mnt && cd \"$SCENE\" &&
        exec \"$WAL\" in --dir /mnt";
    let wal = program();
    let envs = [("SCENE", scene.folder.path().as_os_str()), ("WAL", wal.as_os_str())];
    let Some(output) = in_own_mounts(script, &envs) else { return };
    let stderr = failed(&output, "cannot create the log");
    assert!(stderr.contains("--dir"), "{stderr}");
}

#[test]
fn a_killed_run_leaves_a_whole_prefix() {
    for backend in backends() {
        for round in 0..4_u64 {
            let scene = Scene::new(b"");
            let mut command = Command::new(program());
            command.current_dir(&scene.folder).args(["-", "--backend", backend]);
            let mut child = piped(&mut command);
            let mut stdin = child.stdin.take().unwrap();
            // An endless input, of which some lines are longer than a fragment.
            let feeder = thread::spawn(move || {
                let mut input = Vec::new();
                for number in 0_usize.. {
                    let length = if number % 500 == 499 { 150_000 } else { number % 200 };
                    let line = format!("{number} {}\n", "x".repeat(length));
                    input.extend_from_slice(line.as_bytes());
                    if stdin.write_all(line.as_bytes()).is_err() {
                        break;
                    }
                }
                input
            });
            let log = scene.path("stdin.wal");
            let end = Instant::now() + Duration::from_secs(60);
            while fs::metadata(&log).map_or(0, |log| log.len()) < (round + 1) * 300_000 {
                assert!(Instant::now() < end, "the log does not grow");
                sleep(Duration::from_millis(1));
            }
            child.kill().unwrap();
            assert!(!child.wait().unwrap().success());
            let input = feeder.join().unwrap();
            let bytes = fs::read(&log).unwrap();
            let found = format::recover(&bytes);
            assert!(matches!(found.tail, Tail::Clean | Tail::CutOff), "{found:?}");
            let kept = assert_prefix(&log, &input, found.tail);
            assert!(kept > 500, "{kept} lines");
        }
    }
}
