//! The example `doctor` from end to end: what it says, and that nothing is left behind.
//!
//! # Mutations
//! Each turns a test here red: files, or the segment, that keep their names; signals that are not
//! caught; colours without a terminal; an empty chart; a directory that is not looked at before.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Long enough for a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

/// The example, which `cargo test` builds beside the tests.
fn doctor() -> Command {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let program: PathBuf = profile.join("examples").join("doctor");
    assert!(program.exists(), "{} is missing: build it", program.display());
    Command::new(program)
}

fn run<S: AsRef<OsStr>>(args: &[S]) -> (Output, String, String) {
    let output = doctor().args(args).output().unwrap();
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8(bytes.clone()).unwrap());
    (output, stdout, stderr)
}

fn assert_empty(folder: &Path) {
    let left: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn everything_is_told_and_nothing_is_left() {
    let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let chart = elsewhere.path().join("chart.svg");
    let began = Instant::now();
    let args = [folder.path().as_os_str(), "--seconds".as_ref(), "2".as_ref()];
    let args = [&args[..], &["--svg".as_ref(), chart.as_os_str()]].concat();
    let (output, stdout, stderr) = run(&args);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    assert_eq!(stderr, "", "no progress bar unless on a terminal");
    assert!(!stdout.contains('\x1b'), "no colours unless on a terminal");
    let sections = [
        "── Machine ",
        "── Directory · ",
        "── Backends · ",
        "── Latency of a datasync · ",
        "── Who writes · ",
        "── Commits per second · ",
        "── Threads and blocks · ",
        "── Recommended · ",
        "pub fn storage_config() -> Config {",
        "// A log in segments: ",
    ];
    let places = sections.map(|it| stdout.find(it).unwrap_or_else(|| panic!("{it}\n{stdout}")));
    assert!(places.is_sorted(), "{stdout}");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    for text in [kernel.trim(), "memlock limit", "mounted", "p99", "samples", "gives: "] {
        assert!(stdout.contains(text), "no {text} in\n{stdout}");
    }
    // Every one works or says why not; sync works everywhere.
    let is_told = |line: &&str| ["  ✓ ", "  ! ", "  ✗ "].iter().any(|mark| line.starts_with(mark));
    assert_eq!(stdout.lines().filter(is_told).count(), 7, "{stdout}");
    assert!(stdout.contains("  ✓ sync                         works\n"), "{stdout}");
    let columns = stdout.lines().filter(|line| !line.contains(&*folder.path().to_string_lossy()));
    let longest = columns.max_by_key(|line| line.chars().count()).unwrap();
    assert!(longest.chars().count() <= 100, "{longest}");
    assert!(!stdout.contains("NaN") && !stdout.contains("inf "), "{stdout}");
    assert!(fs::read_to_string(&chart).unwrap().trim_end().ends_with("</svg>"));
    assert_empty(folder.path());
}

#[test]
fn ctrl_c_ends_it_in_order() {
    let folder = TempDir::new().unwrap();
    let mut command = doctor();
    command.arg(folder.path()).args(["--seconds", "600"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    // Ten minutes of measuring are about to begin.
    assert!(stdout.any(|line| line.unwrap().contains("gives: ")));
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let rest: Vec<String> = stdout.map(Result::unwrap).collect();
    assert!(!rest.iter().any(|line| line.contains("Recommended")), "{rest:?}");
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(stderr.starts_with("error: interrupted\nhelp: "), "{stderr}");
    assert_empty(folder.path());
}

#[test]
fn what_is_no_directory_to_write_to_is_refused() {
    let folder = TempDir::new().unwrap();
    let (missing, file) = (folder.path().join("missing"), folder.path().join("file"));
    fs::write(&file, "precious").unwrap();
    for (path, why) in [(&*missing, "No such file"), (&*file, "not a directory")] {
        let (output, stdout, stderr) = run(&[path]);
        assert_eq!((output.status.code(), &*stdout), (Some(1), ""), "{stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains("\nhelp: "), "{stderr}");
        assert!(stderr.contains(why) && stderr.contains(&*path.to_string_lossy()), "{stderr}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    // Nobody, root included, makes files there.
    let (output, _, stderr) = run(&["/proc/self"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("cannot create a file in /proc/self"), "{stderr}");
    assert_eq!(run(&["/tmp", "--seconds", "0"]).0.status.code(), Some(2));
}
