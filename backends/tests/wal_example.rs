//! The example `wal` from end to end: every kind of input is written and verified; what cannot be
//! done is refused with nothing lost.
#![cfg(target_os = "linux")]

#[path = "../examples/wal/format/mod.rs"]
#[allow(dead_code, reason = "the program uses the rest")]
mod format;
mod wal_support;

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::symlink,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use wal_support::{Scene, assert_log, backends, failed, fed, piped, program, succeeded};

/// Runs the program on `input` with every backend, and verifies.
fn verified_everywhere(input: &[u8], args: &[&str]) {
    for backend in backends() {
        let scene = Scene::new(input);
        let stdout = scene.verified(&[&["--backend", backend], args].concat());
        let name = if *backend == "uring" { "io_uring" } else { backend };
        assert!(stdout.starts_with(&format!("backend      {name}")), "{stdout}");
    }
}

#[test]
fn a_text_is_written_and_verified() {
    let mut text = String::new();
    for number in 0..3_000 {
        text += &format!("line {number} of a text, {}\n", "and so on ".repeat(number % 20));
    }
    verified_everywhere(text.as_bytes(), &[]);
    verified_everywhere(text.trim_end().as_bytes(), &["--committers", "7", "--sync-every", "31"]);
}

#[test]
fn an_empty_input_is_fine() {
    verified_everywhere(b"", &[]);
}

#[test]
fn lines_of_no_bytes_are_records() {
    verified_everywhere(b"\n", &[]);
    verified_everywhere("\n".repeat(5_000).as_bytes(), &[]);
    verified_everywhere(b"\n\nthe end\n\n", &["--sync-every", "1"]);
}

#[test]
fn lines_are_bytes() {
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    verified_everywhere(&bytes, &[]);
    verified_everywhere(b"dos\r\nlines\r\n\r\nand \0 a last one\r", &[]);
}

#[test]
fn a_line_of_ten_megabytes_is_a_record() {
    let long: Vec<u8> = (b'a'..=b'z').cycle().take(10_000_000).collect();
    verified_everywhere(&long, &[]);
    let between = [b"short\n", &long[..], b"\nshort\n"].concat();
    verified_everywhere(&between, &["--committers", "2", "--sync-every", "1"]);
}

#[test]
fn many_short_lines_are_written_and_verified() {
    let text: String = (0..200_000).map(|number| format!("{number}\n")).collect();
    // Datasyncs that nobody shares, on a slow device, are few here.
    verified_everywhere(text.as_bytes(), &["--sync-every", "4000"]);
    if backends().contains(&"uring") {
        let scene = Scene::new(text.as_bytes());
        let stdout = scene.verified(&["--backend", "uring"]);
        assert!(stdout.contains("commits\nallocations"), "{stdout}");
    }
}

#[test]
fn committers_and_batches_beyond_every_queue_are_fine() {
    let text: String = (0..60_000).map(|number| format!("{number}\n")).collect();
    for [committers, sync_every] in [["16384", "3"], ["1", "4000000000"], ["3", "50000"]] {
        let args = ["--committers", committers, "--sync-every", sync_every];
        if backends().contains(&"uring") {
            Scene::new(text.as_bytes()).verified(&args);
        }
    }
    verified_everywhere(&text.as_bytes()[..1_000], &["--committers", "1", "--sync-every", "1"]);
}

#[test]
fn committers_share_system_calls_under_io_uring() {
    if !backends().contains(&"uring") {
        return;
    }
    let text: String = (0..6_400).map(|number| format!("{number}\n")).collect();
    let args = ["--backend", "uring", "--committers", "64", "--sync-every", "1"];
    let stdout = Scene::new(text.as_bytes()).verified(&args);
    let kernel = stdout.lines().find(|line| line.starts_with("kernel")).unwrap();
    let syncs = kernel.split(", ").nth(1).unwrap();
    let syncs: u64 = syncs.split(' ').next().unwrap().parse().unwrap();
    // 100 groups of 64, if all stay together.
    assert!((100..150).contains(&syncs), "{kernel}");
}

#[test]
fn standard_input_is_written_and_verified() {
    let text: String = (0..50_000).map(|number| format!("from a pipe {number}\n")).collect();
    for backend in backends() {
        for text in [text.as_bytes(), text.trim_end().as_bytes(), b""] {
            let scene = Scene::new(b"");
            let mut command = Command::new(program());
            command.current_dir(&scene.folder).args(["-", "--backend", backend]);
            command.args(["--sync-every", "2000"]);
            succeeded(&fed(piped(&mut command), text), text);
            assert_log(&scene.path("stdin.wal"), text);
        }
    }
}

#[test]
fn a_pipe_with_a_name_is_written_and_verified() {
    let text = b"one\ntwo\nthree";
    let scene = Scene::new(b"");
    let mut command = Command::new(program());
    command.current_dir(&scene.folder).args(["/dev/fd/0", "--name", "log"]);
    succeeded(&fed(piped(&mut command), text), text);
    assert_log(&scene.path("log"), text);
}

#[test]
fn lines_that_come_slowly_do_not_wait_for_later_ones() {
    for backend in backends() {
        let scene = Scene::new(b"");
        let mut command = Command::new(program());
        let mut child = piped(command.current_dir(&scene.folder).args(["-", "--backend", backend]));
        let stdin = child.stdin.as_mut().unwrap();
        for count in 1..=3 {
            stdin.write_all(b"slow\n").unwrap();
            let end = Instant::now() + Duration::from_secs(30);
            while fs::metadata(scene.path("stdin.wal")).map_or(0, |log| log.len()) < count * 12 {
                assert!(Instant::now() < end, "line {count} was not written");
                sleep(Duration::from_millis(5));
            }
        }
        succeeded(&fed(child, b"end"), b"slow\nslow\nslow\nend");
    }
}

#[test]
fn the_folder_and_the_name_can_be_chosen() {
    let scene = Scene::new(b"a line");
    fs::create_dir(scene.path("logs")).unwrap();
    succeeded(&scene.wal(&["--dir", "logs", "--name", "000001.log"]), b"a line");
    assert_log(&scene.path("logs/000001.log"), b"a line");
}

#[test]
fn an_existing_log_is_left_alone() {
    let scene = Scene::new(b"a line");
    fs::write(scene.path("in.wal"), "precious").unwrap();
    failed(&scene.wal::<&str>(&[]), "never overwritten");
    assert_eq!(fs::read(scene.path("in.wal")).unwrap(), b"precious");

    let scene = Scene::new(b"a line");
    fs::write(scene.path("in.wal"), "").unwrap();
    failed(&scene.wal::<&str>(&[]), "never overwritten");
    assert_eq!(fs::read(scene.path("in.wal")).unwrap(), b"");

    let scene = Scene::new(b"a line");
    symlink("elsewhere", scene.path("in.wal")).unwrap();
    failed(&scene.wal::<&str>(&[]), "never overwritten");
    assert!(!scene.path("elsewhere").exists());

    let scene = Scene::new(b"a line");
    failed(&scene.wal(&["--name", "in"]), "never overwritten");
    assert_eq!(fs::read(scene.path("in")).unwrap(), b"a line");
}

#[test]
fn an_input_that_cannot_be_read_leaves_no_log() {
    let scene = Scene::new(b"");
    fs::remove_file(scene.path("in")).unwrap();
    failed(&scene.wal::<&str>(&[]), "cannot read in");
    fs::create_dir(scene.path("in")).unwrap();
    failed(&scene.wal::<&str>(&[]), "directory");
    fs::remove_dir(scene.path("in")).unwrap();
    // It can be opened, but nothing is mapped at its beginning: reading is EIO.
    symlink("/proc/self/mem", scene.path("in")).unwrap();
    failed(&scene.wal::<&str>(&[]), "no line was committed");
    assert!(!scene.path("in.wal").exists());
}

#[test]
fn a_folder_that_is_missing_is_an_error() {
    let scene = Scene::new(b"a line");
    failed(&scene.wal(&["--dir", "nowhere"]), "cannot create the log");
    failed(&scene.wal(&["--dir", "in"]), "cannot create the log");
}

#[test]
fn output_that_cannot_be_printed_is_an_error_and_the_log_is_complete() {
    let scene = Scene::new(b"one\ntwo\n");
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = scene.command::<&str>(&[]).stdout(full).output().unwrap();
    failed(&output, "cannot print");
    assert_log(&scene.path("in.wal"), b"one\ntwo\n");
}

#[test]
fn a_wrong_command_line_is_refused_before_anything_happens() {
    for args in [["--committers", "0"], ["--committers", "16385"], ["--sync-every", "0"]] {
        let scene = Scene::new(b"a line");
        assert_eq!(scene.wal(&args).status.code(), Some(2));
        assert!(!scene.path("in.wal").exists());
    }
}
