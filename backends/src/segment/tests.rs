//! What is written, in which order, and what is left after a failure.

use std::{
    cell::RefCell,
    io::{Seek, SeekFrom},
};

use proptest::prelude::*;

use super::*;

const UNIT: u64 = SEGMENT_UNIT_BYTES;

fn overwrite(mut file: &File, data: &[u8], offset: u64) {
    file.seek(SeekFrom::Start(offset)).unwrap();
    file.write_all(data).unwrap();
}

/// What a scripted file was asked.
#[derive(Debug, Default)]
struct Script {
    /// Answers to the next writes; then everything is written.
    answers: Vec<Outcome>,
    written: Vec<(u64, usize)>,
    /// How much was written at each sync.
    synced_at: Vec<u64>,
    told: Vec<u64>,
}

/// Writes so many zeros to a scripted file.
fn write_scripted(byte_count: u64, answers: &[Outcome]) -> (io::Result<()>, Script) {
    let answers = answers.iter().rev().copied().collect();
    let script = RefCell::new(Script { answers, ..Script::default() });
    let end = |script: &Script| script.written.iter().map(|(_, written)| *written as u64).sum();
    let result = write_zeros(
        byte_count,
        |zeros, offset| {
            let mut script = script.borrow_mut();
            assert!(zeros.iter().all(|byte| *byte == 0) && !zeros.is_empty());
            assert_eq!(offset, end(&script), "no gap and no overlap");
            let answer = script.answers.pop().unwrap_or(Ok(u32::MAX));
            let written = answer?.min(zeros.len() as u32);
            script.written.push((offset, written as usize));
            Ok(written)
        },
        || {
            let mut script = script.borrow_mut();
            let end = end(&script);
            script.synced_at.push(end);
            Ok(())
        },
        |done| script.borrow_mut().told.push(done),
    );
    (result, script.into_inner())
}

#[test]
fn zeros_are_written_in_large_pieces_and_synced_before_they_become_many() {
    let mebibyte = WRITE_BYTES as u64;
    let byte_count = 2 * UNSYNCED_BYTES + mebibyte + UNIT;
    let (result, script) = write_scripted(byte_count, &[]);
    result.unwrap();
    assert_eq!(script.written.len() as u64, byte_count / mebibyte + 1);
    assert!(script.written.iter().all(|(offset, _)| offset.is_multiple_of(mebibyte)));
    assert_eq!(script.synced_at, [UNSYNCED_BYTES, 2 * UNSYNCED_BYTES]);
    let told: Vec<u64> = (1..=byte_count / mebibyte).map(|count| count * mebibyte).collect();
    assert_eq!(script.told, told, "the last word is the caller's");
}

#[test]
fn a_write_that_makes_no_progress_or_fails_ends_it() {
    let full = write_scripted(4 * UNIT, &[Ok(100), Err(Errno::NOSPC)]).0.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    let nothing = write_scripted(4 * UNIT, &[Ok(100), Ok(0)]).0.unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WriteZero);
    let signals = vec![Err(Errno::INTR); INTERRUPTIONS as usize + 1];
    let interrupted = write_scripted(4 * UNIT, &signals).0.unwrap_err();
    assert_eq!(interrupted.kind(), ErrorKind::Interrupted);
    assert!(write_scripted(4 * UNIT, &signals[1..]).0.is_ok());
}

proptest! {
    #[test]
    fn short_and_interrupted_writes_are_continued(
        units in 1..700_u64,
        answers in prop::collection::vec(
            prop_oneof![Just(Err(Errno::INTR)), (1..2_000_000_u32).prop_map(Ok)],
            0..40,
        ),
    ) {
        let byte_count = units * UNIT;
        let (result, script) = write_scripted(byte_count, &answers);
        prop_assert!(result.is_ok());
        let written: usize = script.written.iter().map(|(_, written)| *written).sum();
        prop_assert_eq!(written as u64, byte_count);
        prop_assert!(script.told.is_sorted_by(|a, b| a < b), "{:?}", script.told);
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

#[test]
fn a_segment_holds_zeros_and_its_blocks_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("segment");
    let byte_count = (5 << 20) + UNIT;
    let mut told = Vec::new();
    let mut was_there_early = false;
    let file = prepare_segment(&path, byte_count, |done, total| {
        assert_eq!(total, byte_count);
        was_there_early |= path.exists() && done < total;
        told.push(done);
    });
    let file = file.unwrap();
    assert!(!was_there_early, "it gets its name when it is complete");
    assert_eq!(told, [1 << 20, 2 << 20, 3 << 20, 4 << 20, 5 << 20, byte_count]);
    assert_eq!(names(folder.path()), ["segment"]);
    let content = fs::read(&path).unwrap();
    assert_eq!(content.len() as u64, byte_count);
    assert!(content.iter().all(|byte| *byte == 0));
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        assert!(file.metadata().unwrap().blocks() * 512 >= byte_count, "no holes");
    }
    // What was returned is the file of that name, and writable.
    overwrite(&file, b"x", 0);
    assert_eq!(fs::read(&path).unwrap().first(), Some(&b'x'));
}

#[test]
fn sizes_that_are_no_whole_blocks_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("segment");
    for byte_count in [0, 1, UNIT - 1, UNIT + 1, 1 << 63, u64::MAX] {
        let error = prepare_segment(&path, byte_count, |_, _| panic!("progress")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{byte_count}");
    }
    let error = prepare_segment(folder.path().join(".."), UNIT, |_, _| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn what_exists_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("segment");
    fs::write(&path, "precious").unwrap();
    let error = prepare_segment(&path, UNIT, |_, _| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    assert_eq!(names(folder.path()), ["segment"]);
}

#[test]
fn what_comes_into_being_meanwhile_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("segment");
    let result = prepare_segment(&path, 2 << 20, |_, _| fs::write(&path, "precious").unwrap());
    assert_eq!(result.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    assert_eq!(names(folder.path()), ["segment"]);
}

#[test]
fn what_a_crash_left_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("segment.preparing"), vec![1; 10_000]).unwrap();
    let path = folder.path().join("segment");
    prepare_segment(&path, UNIT, |_, _| ()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), [0; UNIT as usize]);
    assert_eq!(names(folder.path()), ["segment"]);
}

#[test]
fn a_panic_of_the_caller_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("segment");
    let result = std::panic::catch_unwind(|| prepare_segment(&path, 2 << 20, |_, _| panic!("no")));
    assert!(result.is_err());
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_folder_that_is_missing_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let error = prepare_segment(folder.path().join("no/segment"), UNIT, |_, _| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn a_recycled_segment_keeps_its_bytes_and_blocks_and_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let file = prepare_segment(path("1"), 4 * UNIT, |_, _| ()).unwrap();
    overwrite(&file, b"old", UNIT);
    let file = recycle_segment(path("1"), path("2")).unwrap();
    assert_eq!(names(folder.path()), ["2"]);
    overwrite(&file, b"new", 0);
    let content = fs::read(path("2")).unwrap();
    assert_eq!(content.len() as u64, 4 * UNIT);
    assert_eq!((&content[..3], &content[UNIT as usize..][..3]), (&b"new"[..], &b"old"[..]));

    fs::write(path("3"), "precious").unwrap();
    let error = recycle_segment(path("2"), path("3")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(path("3")).unwrap(), b"precious");
    assert_eq!(names(folder.path()), ["2", "3"]);
    assert_eq!(recycle_segment(path("1"), path("4")).unwrap_err().kind(), ErrorKind::NotFound);

    fs::create_dir(path("elsewhere")).unwrap();
    recycle_segment(path("2"), path("elsewhere/2")).unwrap();
    assert_eq!(names(&path("elsewhere")), ["2"]);
}
