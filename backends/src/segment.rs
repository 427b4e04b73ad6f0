//! Segments: files of a fixed size whose blocks are already written, made ahead of their use.
//!
//! A commit into blocks that were really written changes no metadata, so its data-sync has no
//! journal to wait for: that is most of what a segment is for. A size that was only set
//! (ftruncate(2)) or reserved (fallocate(2)) gains nothing: the first write of each block still
//! changes what the file system knows of it (ext4 and XFS mark such blocks as unwritten). Nor is
//! anything gained on a file system that never writes in place (btrfs, ZFS).
//!
//! Not on the hot path: both calls block, for as long as the device needs, and allocate. A program
//! calls them on a thread of its own, one segment ahead.
//!
//! Invariants:
//! - Whatever exists under the name of a segment is complete: it gets that name, by a rename, when
//!   all of its bytes are durable; and nothing is ever replaced.
//! - No more than [`UNSYNCED_BYTES`] are written and not synced. Otherwise a data-sync of another
//!   file could have to wait for a whole segment (ext4 in ordered mode writes the data of every
//!   file that grew before it commits its journal).

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Error, ErrorKind, Write},
    path::{Path, PathBuf},
};

use ringzero_core::{Errno, Outcome};

use crate::{error::errno_of, platform};

/// The size of a segment is a multiple of this: no block of a file system and no alignment that
/// O_DIRECT asks for is larger on common devices.
///
/// ```
/// use ringzero::SEGMENT_UNIT_BYTES;
///
/// /// The smallest segment for so many bytes of records.
/// fn segment_bytes(record_bytes: u64) -> u64 {
///     record_bytes.max(1).next_multiple_of(SEGMENT_UNIT_BYTES)
/// }
/// assert_eq!(segment_bytes(5_000), 8_192);
/// ```
pub const SEGMENT_UNIT_BYTES: u64 = 4_096;

/// Bytes of one write, and between two reports of progress.
const WRITE_BYTES: usize = 1 << 20;
/// Bytes between two data-syncs.
const UNSYNCED_BYTES: u64 = 16 << 20;
/// Signals that may interrupt one write before it is given up.
const INTERRUPTIONS: u32 = 1_000;
/// Behind the name of a segment that is not complete.
const SUFFIX: &str = ".preparing";

/// Makes a segment: a new file at `path` that holds `byte_count` zeros, all of them really written,
/// and durable together with its name. Returns it open for reading and writing, ready for
/// [`register_segment`](crate::StorageIoExt::register_segment).
///
/// `byte_count` is a multiple of [`SEGMENT_UNIT_BYTES`] and at least that, so that the last block
/// is as good as the others, also with O_DIRECT (open `path` once more for that).
///
/// `progress` is told how many bytes are written and how many it will be: after each mebibyte, and
/// once with both the same when the segment is complete.
///
/// Until then the file has the name of `path` with `.preparing` behind it, in the same folder.
/// After a crash, either there is a complete segment at `path` or none; a file of the other name
/// may be left, and the next call for the same `path` replaces it. So there must not be two calls
/// for one `path` at the same time.
///
/// It blocks, and allocates: call it ahead of need, on another thread than the hot loop's.
///
/// # Errors
/// Nothing is left behind, at `path` or under the other name, unless removing it fails too.
/// - `InvalidInput`: `byte_count` is 0, no multiple, or above `i64::MAX`; `path` names no file.
/// - `AlreadyExists`: there is something at `path`. It is not touched. Where the file system cannot
///   rename without replacing (RENAME_NOREPLACE of rename(2)), that is what a look right before the
///   rename says.
/// - Others of making, writing, syncing or renaming a file. `StorageFull`, and EFBIG if a limit on
///   the size of files is in force: that raises SIGXFSZ, which the host must ignore.
///
/// # Example
/// ```
/// use ringzero::{Config, StorageIo, StorageIoExt, SyncBackend, prepare_segment};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("00000001.seg");
/// const SEGMENT_BYTES: u64 = 4 << 20;
/// let file = prepare_segment(&path, SEGMENT_BYTES, |done, total| eprintln!("{done}/{total}"))?;
///
/// let mut io = SyncBackend::new(&Config::default())?;
/// let segment = io.register_segment(file, 0, SEGMENT_BYTES)?;
/// io.submit_append(segment, b"a record")?;
/// io.submit_datasync(segment)?;
/// let mut completions = Vec::with_capacity(2);
/// io.poll_completions(&mut completions);
/// assert!(completions.iter().all(|completion| completion.result >= 0));
/// // When this is not enough for the next record, it is time for the next segment.
/// assert_eq!(io.room(segment)?, SEGMENT_BYTES - 8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn prepare_segment<P, F>(path: P, byte_count: u64, mut progress: F) -> io::Result<File>
where
    P: AsRef<Path>,
    F: FnMut(u64, u64),
{
    let path = path.as_ref();
    let is_whole = byte_count.is_multiple_of(SEGMENT_UNIT_BYTES);
    if byte_count == 0 || !is_whole || i64::try_from(byte_count).is_err() {
        return Err(ErrorKind::InvalidInput.into());
    }
    let incomplete = beside(path)?;
    // Long before the rename would say so.
    if fs::symlink_metadata(path).is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    let file = create_again(&incomplete)?;
    let mut unfinished = Unfinished { path: Some(&incomplete) };
    write_zeros(
        byte_count,
        |zeros, _| write_next(&file, zeros),
        || file.sync_data(),
        |done| progress(done, byte_count),
    )?;
    file.sync_all()?;
    platform::rename_to_unused(&incomplete, path)?;
    unfinished.path = Some(path);
    platform::sync_directory(folder_of(path))?;
    unfinished.path = None;
    progress(byte_count, byte_count);
    Ok(file)
}

/// Gives an old segment a new name, durably, and its blocks stay written: the cheap way to the next
/// segment. Returns it open for reading and writing.
///
/// **It still holds what was written to it before.** Only a log whose records say which segment, of
/// which name, they were written for can tell old ones from new ones; a checksum alone cannot. The
/// example `wal` has such a format, and explains why no old record is ever taken for a new one.
///
/// For a segment that nobody needs any more: the log before some point is applied elsewhere, and
/// that is durable. No backend may have it registered; deregister it first. After a crash it has
/// one of the two names.
///
/// # Errors
/// - `AlreadyExists`: there is something at `to`, as with [`prepare_segment`]. Nothing was changed.
/// - `NotFound`, and others of opening `from` or renaming it: nothing was changed.
/// - Those of syncing a folder: it has the new name, and may have the old one again after a crash.
///
/// # Example
/// ```
/// use ringzero::{prepare_segment, recycle_segment};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = |name: &str| folder.path().join(name);
/// drop(prepare_segment(path("00000001.seg"), 1 << 20, |_, _| ())?);
/// let file = recycle_segment(path("00000001.seg"), path("00000003.seg"))?;
/// assert_eq!(file.metadata()?.len(), 1 << 20);
/// assert!(!path("00000001.seg").exists());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn recycle_segment<P, Q>(from: P, to: Q) -> io::Result<File>
where
    P: AsRef<Path>,
    Q: AsRef<Path>,
{
    let (from, to) = (from.as_ref(), to.as_ref());
    let file = OpenOptions::new().read(true).write(true).open(from)?;
    platform::rename_to_unused(from, to)?;
    let (old, new) = (folder_of(from), folder_of(to));
    platform::sync_directory(new)?;
    if old != new {
        platform::sync_directory(old)?;
    }
    Ok(file)
}

/// The name of a segment until it is complete.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let mut name = OsString::from(path.file_name().ok_or(ErrorKind::InvalidInput)?);
    name.push(SUFFIX);
    Ok(path.with_file_name(name))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes a file, in the place of one that a crash left.
fn create_again(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    match options.open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            options.open(path)
        }
        result => result,
    }
}

/// A file that is removed when dropped.
struct Unfinished<'a> {
    path: Option<&'a Path>,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(path) = self.path {
            // The first error is the one to tell.
            let _ = fs::remove_file(path);
        }
    }
}

/// Writes at the file's own position, which nobody else moves.
fn write_next(mut file: &File, zeros: &[u8]) -> Outcome {
    match file.write(zeros) {
        Ok(byte_count) => Ok(byte_count as u32),
        Err(error) => Err(errno_of(&error)),
    }
}

/// Writes zeros from offset 0 on, and syncs now and then; the caller syncs the end. `progress` is
/// told of every write but the last.
fn write_zeros(
    byte_count: u64,
    mut write: impl FnMut(&[u8], u64) -> Outcome,
    mut sync: impl FnMut() -> io::Result<()>,
    mut progress: impl FnMut(u64),
) -> io::Result<()> {
    let zeros = vec![0; WRITE_BYTES];
    let (mut done, mut synced, mut interruptions) = (0, 0, 0);
    while done < byte_count {
        let most = (byte_count - done).min(zeros.len() as u64) as usize;
        match write(zeros.get(..most).unwrap_or_default(), done) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => {
                done += u64::from(written);
                interruptions = 0;
            }
            Err(Errno::INTR) if interruptions < INTERRUPTIONS => interruptions += 1,
            Err(errno) => return Err(Error::from_raw_os_error(errno.number())),
        }
        if done - synced >= UNSYNCED_BYTES {
            sync()?;
            synced = done;
        }
        if done < byte_count && interruptions == 0 {
            progress(done);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
