//! What the end-to-end tests of the example `wal` share: running it, and reading its logs.
//!
//! The program is run as a user runs it. Its log is read with the format module but checked against
//! plain splitting of the input, with nothing else of the example in between.

#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what the tests share is test code too"
)]

use std::{
    env,
    ffi::OsStr,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
    thread,
};

use tempfile::TempDir;

use crate::format::{Recovered, Scanner, Step, Tail, recover};

/// The example, which `cargo test` builds beside the tests: `target/PROFILE/examples/wal`.
pub(crate) fn program() -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let program = profile.join("examples").join("wal");
    assert!(
        program.exists(),
        "{} is missing: `cargo test -p ringzero` builds it, or `cargo build --example wal`",
        program.display()
    );
    program
}

/// The backends that work on this machine, as the program names them.
pub(crate) fn backends() -> &'static [&'static str] {
    static BACKENDS: OnceLock<Vec<&'static str>> = OnceLock::new();
    BACKENDS.get_or_init(|| {
        let works = |backend: &&str| {
            let output = Scene::new(b"").wal(&["--backend", *backend]);
            if !output.status.success() {
                let reason = String::from_utf8_lossy(&output.stderr);
                println!("skipped: {backend}: {reason}");
                let must_run = env::var_os("RINGZERO_REQUIRE_ALL").is_some();
                assert!(!must_run, "{backend}: {reason}");
            }
            output.status.success()
        };
        ["uring", "worker", "sync"].into_iter().filter(works).collect()
    })
}

/// A folder with an input, and room for a log.
pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    pub(crate) input: Vec<u8>,
}

impl Scene {
    pub(crate) fn new(input: &[u8]) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("in"), input).unwrap();
        Self { folder, input: input.to_vec() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program on this scene's input, in this scene's folder.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(program());
        command.current_dir(&self.folder).arg("in").args(args);
        command
    }

    pub(crate) fn wal<S: AsRef<OsStr>>(&self, args: &[S]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs the program, and checks that it ends well and that the log holds all of the input.
    pub(crate) fn verified<S: AsRef<OsStr>>(&self, args: &[S]) -> String {
        let stdout = succeeded(&self.wal(args), &self.input);
        assert_log(&self.path("in.wal"), &self.input);
        stdout
    }
}

/// The lines of an input: what is before each newline, and behind the last if that is anything.
pub(crate) fn lines(input: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<_> = input.split(|byte| *byte == b'\n').collect();
    lines.pop_if(|last| last.is_empty());
    lines
}

/// Checks that the program says what it says on success, and returns that.
pub(crate) fn succeeded(output: &Output, input: &[u8]) -> String {
    let (stdout, stderr) = texts(output);
    assert!(output.status.success(), "{:?}\n{stdout}\n{stderr}", output.status);
    let count = lines(input).len();
    assert_eq!(stdout.lines().last(), Some(&*format!("verified {count} of {count} records")));
    assert!(stdout.contains("\nallocations  0 in the loop\n"), "{stdout}");
    assert_eq!(stderr, "", "no progress bar unless on a terminal");
    stdout
}

/// Checks that the program ends with a failure, which says what happened and what to do.
pub(crate) fn failed(output: &Output, what: &str) -> String {
    let (stdout, stderr) = texts(output);
    assert_eq!(output.status.code(), Some(1), "{:?}\n{stdout}\n{stderr}", output.status);
    assert!(!stdout.contains("verified"), "{stdout}");
    assert!(stderr.starts_with("error: ") && stderr.contains("\nhelp: "), "{stderr}");
    assert!(stderr.contains(what), "no {what:?} in: {stderr}");
    stderr
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// Checks that the log holds the lines of `input` and nothing else.
pub(crate) fn assert_log(path: &Path, input: &[u8]) {
    let count = assert_prefix(path, input, Tail::Clean);
    assert_eq!(count, lines(input).len());
}

/// Checks that the log is a prefix of the lines of `input` with this behind it, and counts them.
pub(crate) fn assert_prefix(path: &Path, input: &[u8], tail: Tail) -> usize {
    let log = fs::read(path).unwrap();
    let (mut scanner, mut record) = (Scanner::new(), Vec::new());
    let mut lines = lines(input).into_iter();
    while let Step::Fragment { part, payload, .. } = scanner.step(&log[scanner.offset() as usize..])
    {
        record.extend_from_slice(payload);
        if part.ends_record() {
            let number = scanner.record_count();
            assert!(lines.next() == Some(&*record), "record {number} is not line {number}");
            record.clear();
        }
    }
    let Recovered { record_count, byte_count, tail: found } = recover(&log);
    assert_eq!(record_count, scanner.record_count());
    assert_eq!(found, tail);
    assert!(tail != Tail::Clean || byte_count == log.len() as u64);
    record_count as usize
}

/// Runs a shell script in mount and user namespaces of its own, where it may mount things without
/// anyone else seeing them. `None`, and a message, where that is not allowed.
pub(crate) fn in_own_mounts(script: &str, envs: &[(&str, &OsStr)]) -> Option<Output> {
    let unshared = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c", script]);
        command.envs(envs.iter().copied()).output()
    };
    match unshared("mount -t tmpfs none /mnt") {
        Ok(output) if output.status.success() => Some(unshared(script).unwrap()),
        Ok(output) => {
            println!("skipped: cannot mount: {}", String::from_utf8_lossy(&output.stderr));
            None
        }
        Err(error) => {
            println!("skipped: no unshare(1): {error}");
            None
        }
    }
}

/// Starts a command with pipes to all three of its streams.
pub(crate) fn piped(command: &mut Command) -> Child {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Gives `input` to the child's standard input, and waits for its end.
pub(crate) fn fed(mut child: Child, input: &[u8]) -> Output {
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            // A child that fails stops reading; its output tells.
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().unwrap()
    })
}
