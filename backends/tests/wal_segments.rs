//! The example `wal` with segments, from end to end: written, verified, killed, without room.
//!
//! The segments are read with the format module but checked against plain splitting of the input,
//! with nothing else of the example in between.
//!
//! # Mutations
//! Red without the removal of the segment that is ready at the end. Not seen from outside, because
//! nothing is lost without a power cut: a segment that is not synced before the next. `wal_writer`
//! sees that.
#![allow(clippy::unwrap_used, reason = "what the tests share is test code too")]
#![cfg(target_os = "linux")]

#[path = "../examples/wal/format/mod.rs"]
#[allow(dead_code, reason = "the program uses the rest")]
mod format;
mod wal_support;

use std::{
    fs,
    io::Write,
    path::Path,
    process::Command,
    thread::{self, sleep},
    time::{Duration, Instant},
};

use format::{HEADER_BYTES, Scanner, Step};
use wal_support::{Scene, backends, failed, fed, in_own_mounts, lines, piped, program, succeeded};

const SEGMENT_BYTES: u64 = 128 << 10;
const ARGS: [&str; 2] = ["--segment-size", "128K"];

/// The segments in a folder by number, and what else is there.
fn segments(folder: &Path) -> (Vec<(u32, Vec<u8>)>, Vec<String>) {
    let (mut segments, mut others) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        match name.strip_suffix(".seg").and_then(|number| number.parse().ok()) {
            Some(number) => segments.push((number, fs::read(entry.path()).unwrap())),
            None => others.push(name),
        }
    }
    segments.sort();
    (segments, others)
}

/// Checks that the log is a prefix of the lines of `input`, and counts them and the segments that
/// hold some.
fn assert_prefix(folder: &Path, input: &[u8]) -> (usize, usize) {
    let (mut scanner, mut record, mut segment_count) = (Scanner::new(), Vec::new(), 0);
    let mut lines = lines(input).into_iter();
    for (number, content) in segments(folder).0 {
        assert_eq!(content.len() as u64, SEGMENT_BYTES, "never cut");
        if !scanner.enter(number, &content) {
            continue;
        }
        segment_count += 1;
        let mut rest = content.get(HEADER_BYTES..).unwrap();
        while let Step::Fragment { part, payload, byte_count } = scanner.step(rest) {
            rest = rest.get(byte_count..).unwrap();
            record.extend_from_slice(payload);
            if part.ends_record() {
                let number = scanner.record_count();
                assert!(lines.next() == Some(&*record), "record {number} is not line {number}");
                record.clear();
            }
        }
    }
    (scanner.record_count() as usize, segment_count)
}

/// Runs the program with every backend, and verifies. Says how many segments there were.
fn verified_everywhere(input: &[u8], args: &[&str]) -> usize {
    let mut least = usize::MAX;
    for backend in backends() {
        let scene = Scene::new(input);
        let args = [&["--backend", backend], &ARGS[..], args].concat();
        succeeded(&scene.wal(&args), input);
        let folder = scene.path("in.wal");
        let (count, segment_count) = assert_prefix(&folder, input);
        assert_eq!(count, lines(input).len());
        let (all, others) = segments(&folder);
        assert_eq!((all.len(), others), (segment_count, Vec::new()), "nothing else is left");
        least = least.min(segment_count);
    }
    least
}

#[test]
fn a_text_is_written_to_segments_and_verified() {
    let text: String = (0..30_000).map(|number| format!("line {number} of a text\n")).collect();
    assert!(verified_everywhere(text.as_bytes(), &["--sync-every", "64"]) >= 7);
    assert!(
        verified_everywhere(text.as_bytes(), &["--committers", "1", "--sync-every", "999"]) >= 7
    );
    assert_eq!(verified_everywhere(b"one line", &[]), 1);
    assert_eq!(verified_everywhere(b"", &[]), 0);
}

#[test]
fn records_go_on_in_the_next_segment() {
    let long: Vec<u8> = (b'a'..=b'z').cycle().take(1_000_000).collect();
    let between = [b"short\n", &long[..], b"\nshort\n", &long[..], b"\n\nend"].concat();
    assert!(verified_everywhere(&between, &["--committers", "2", "--sync-every", "1"]) >= 16);
}

#[test]
fn standard_input_is_written_to_segments_and_verified() {
    let text: String = (0..20_000).map(|number| format!("from a pipe {number}\n")).collect();
    let scene = Scene::new(b"");
    let mut command = Command::new(program());
    command.current_dir(&scene.folder).arg("-").args(ARGS);
    succeeded(&fed(piped(&mut command), text.as_bytes()), text.as_bytes());
    assert_eq!(assert_prefix(&scene.path("stdin.wal"), text.as_bytes()).0, 20_000);
}

#[test]
fn a_killed_run_leaves_a_whole_prefix_over_several_segments() {
    for backend in backends() {
        let scene = Scene::new(b"");
        let mut command = Command::new(program());
        command.current_dir(&scene.folder).args(["-", "--backend", backend]).args(ARGS);
        let mut child = piped(&mut command);
        let mut stdin = child.stdin.take().unwrap();
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
        let folder = scene.path("stdin.wal");
        let end = Instant::now() + Duration::from_secs(60);
        while fs::read_dir(&folder).map_or(0, Iterator::count) < 6 {
            assert!(Instant::now() < end, "the log does not grow");
            sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
        let (kept, segment_count) = assert_prefix(&folder, &feeder.join().unwrap());
        assert!(kept > 500 && segment_count >= 4, "{kept} lines in {segment_count} segments");
    }
}

#[test]
fn a_full_device_leaves_what_was_committed() {
    let text: String = (0..100_000).map(|number| format!("line number {number}\n")).collect();
    for backend in backends() {
        let scene = Scene::new(text.as_bytes());
        let script = format!(
            "mount -t tmpfs -o size=1m none /mnt && cd \"$SCENE\" &&
            \"$WAL\" in --dir /mnt --backend {backend} --segment-size 128K
            code=$?; cp -r /mnt/in.wal . || exit 99; exit $code"
        );
        let wal = program();
        let envs = [("SCENE", scene.folder.path().as_os_str()), ("WAL", wal.as_os_str())];
        let Some(output) = in_own_mounts(&script, &envs) else { return };
        let stderr = failed(&output, "cannot prepare a segment");
        let folder = scene.path("in.wal");
        let (kept, segment_count) = assert_prefix(&folder, text.as_bytes());
        assert!(stderr.contains(&format!("holds the first {kept} lines now")), "{stderr}");
        assert!(segment_count >= 7, "{segment_count}");
        assert_eq!(segments(&folder).1, [""; 0], "no half segment is left");
    }
}

#[test]
fn a_device_without_room_for_a_segment_leaves_nothing() {
    let scene = Scene::new(b"a line");
    let script = "mount -t tmpfs -o size=64k none /mnt && cd \"$SCENE\" &&
        \"$WAL\" in --dir /mnt --segment-size 128K
        code=$?; test ! -e /mnt/in.wal || exit 99; exit $code";
    let wal = program();
    let envs = [("SCENE", scene.folder.path().as_os_str()), ("WAL", wal.as_os_str())];
    let Some(output) = in_own_mounts(script, &envs) else { return };
    failed(&output, "no line was committed");
}

#[test]
fn an_existing_log_and_a_wrong_size_are_refused() {
    let scene = Scene::new(b"a line");
    fs::create_dir(scene.path("in.wal")).unwrap();
    failed(&scene.wal(&ARGS), "never overwritten");
    failed(&scene.wal(&["--dir", "nowhere", ARGS[0], ARGS[1]]), "cannot create the log");
    for size in ["0", "1", "4K", "127K", "131073", "1X", "9000000000G", "-1", "M"] {
        let scene = Scene::new(b"a line");
        assert_eq!(scene.wal(&[ARGS[0], size]).status.code(), Some(2), "{size}");
        assert!(!scene.path("in.wal").exists());
    }
    for size in ["131072", "132K", "1M"] {
        let scene = Scene::new(b"a line");
        succeeded(&scene.wal(&[ARGS[0], size]), b"a line");
    }
}
