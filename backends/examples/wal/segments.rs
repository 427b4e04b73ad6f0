//! The log as a folder of segments: [`Segments`] has the next one ready before it is needed.
//!
//! A thread of its own prepares one segment ahead, so the loop waits only if it fills a segment
//! faster than the device takes zeros. Taking one locks and may sleep, but never allocates.
//!
//! ```text
//! FILE.wal/00000001.seg    named after their sequence; what is in them says the same number
//!          00000002.seg
//! ```
//!
//! The segment that is ready when the log ends is removed: nothing was written to it.

use std::{
    collections::hash_map::RandomState,
    fs::{self, File},
    hash::{BuildHasher, Hasher},
    io::{self, ErrorKind},
    mem,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{Builder, JoinHandle},
};

use ringzero::prepare_segment;

use crate::{failure::Failure, platform};

const EXTENSION: &str = "seg";

/// A segment that nothing was written to.
#[derive(Debug)]
pub(crate) struct Segment {
    /// It holds zeros.
    pub(crate) file: File,
    /// Its number.
    pub(crate) sequence: u32,
    /// Its size.
    pub(crate) byte_count: u64,
}

/// What the thread and the loop share.
#[derive(Debug, Default)]
struct Shared {
    next: Mutex<Next>,
    changed: Condvar,
}

#[derive(Debug, Default)]
enum Next {
    /// The thread makes it.
    #[default]
    Awaited,
    Ready(io::Result<Segment>),
    /// Nobody needs one any more.
    Over,
}

impl Shared {
    fn next(&self) -> MutexGuard<'_, Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, next: MutexGuard<'a, Next>) -> MutexGuard<'a, Next> {
        self.changed.wait(next).unwrap_or_else(PoisonError::into_inner)
    }
}

/// The segments of one log, made one after the other.
#[derive(Debug)]
pub(crate) struct Segments {
    folder: PathBuf,
    /// A number that no other log has, by chance.
    pub(crate) log: u64,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Segments {
    /// Creates the folder of a log, durably, and begins to prepare segments of `byte_count` bytes.
    ///
    /// # Errors
    /// It exists, or cannot be made; nothing is left.
    pub(crate) fn create(folder: &Path, byte_count: u64) -> Result<Self, Failure> {
        let what = || format!("cannot create the log {}", folder.display());
        fs::create_dir(folder).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Failure::new(
                format_args!("{}: it exists, and a log is never overwritten", what()),
                "move or remove it, or choose another place: --dir, --name",
            ),
            _ => Failure::writing(what(), &error),
        })?;
        let shared = Arc::new(Shared::default());
        let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
        let thread = platform::sync_directory(above.unwrap_or(Path::new("."))).and_then(|()| {
            let (folder, shared) = (folder.to_owned(), Arc::clone(&shared));
            Builder::new().spawn(move || prepare(&folder, byte_count, &shared))
        });
        let thread = thread.map_err(|error| {
            discard(folder);
            Failure::writing(what(), &error)
        })?;
        let log = RandomState::new().build_hasher().finish();
        Ok(Self { folder: folder.to_owned(), log, shared, thread: Some(thread) })
    }

    /// The next segment. Waits until it is complete.
    ///
    /// # Errors
    /// Those of preparing it.
    pub(crate) fn next(&mut self) -> io::Result<Segment> {
        let mut next = self.shared.next();
        loop {
            match mem::take(&mut *next) {
                Next::Ready(segment) => {
                    self.shared.changed.notify_all();
                    return segment;
                }
                Next::Awaited => next = self.shared.wait(next),
                Next::Over => return Err(ErrorKind::NotFound.into()),
            }
        }
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        let last = mem::replace(&mut *self.shared.next(), Next::Over);
        self.shared.changed.notify_all();
        if let Next::Ready(Ok(segment)) = last {
            remove(&self.folder, segment.sequence);
        }
        if let Some(thread) = self.thread.take() {
            // If it panicked, a segment is missing and no more.
            let _ = thread.join();
        }
    }
}

/// The thread: makes the next segment whenever one was taken.
fn prepare(folder: &Path, byte_count: u64, shared: &Shared) {
    for sequence in 1.. {
        let file = prepare_segment(path(folder, sequence), byte_count, |_, _| ());
        let segment = file.map(|file| Segment { file, sequence, byte_count });
        let mut next = shared.next();
        if matches!(*next, Next::Awaited) {
            *next = Next::Ready(segment);
            shared.changed.notify_all();
        } else if segment.is_ok() {
            remove(folder, sequence);
        }
        while matches!(*next, Next::Ready(_)) {
            next = shared.wait(next);
        }
        if matches!(*next, Next::Over) {
            return;
        }
    }
}

/// The name of a segment.
fn path(folder: &Path, sequence: u32) -> PathBuf {
    folder.join(format!("{sequence:08}.{EXTENSION}"))
}

/// Removes a segment to which nothing was written.
fn remove(folder: &Path, sequence: u32) {
    // One that stays does no harm: it has no header.
    let _ = fs::remove_file(path(folder, sequence));
}

/// The segments in a folder, in order.
///
/// # Errors
/// Those of reading it.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<(u32, PathBuf)>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_segment = path.extension().is_some_and(|extension| extension == EXTENSION);
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        if let Some(sequence) = number.filter(|_| is_segment) {
            segments.push((sequence, path));
        }
    }
    segments.sort();
    Ok(segments)
}

/// Removes a log of which no record is left. What else may be in the folder stays.
pub(crate) fn discard(folder: &Path) {
    for (_, path) in list(folder).unwrap_or_default() {
        let _ = fs::remove_file(path);
    }
    // What stays does no harm beyond a message at the next attempt.
    let _ = fs::remove_dir(folder);
}
