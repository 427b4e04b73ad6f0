//! Segments that do not fit: nothing is left of them.
//!
//! # Safety
//! setrlimit(2) is given a structure that lives until it returns, signal(2) no handler.
#![allow(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "what the tests share is test code too")]
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

use std::{fs, io::ErrorKind, path::Path};

use ringzero::{Errno, StorageIo, StorageIoExt, SyncBackend, prepare_segment};
use ringzero_tests::{skip::skip, tiny::Tiny};

const MEBIBYTE: u64 = 1 << 20;
/// Of this process; more than fits on the small device.
const LARGEST_FILE_BYTES: u64 = 6 * MEBIBYTE;

fn limit_the_size_of_files() {
    let limit = libc::rlimit { rlim_cur: LARGEST_FILE_BYTES, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: no handler is installed, so no code runs in a signal context.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    // SAFETY: the structure is only read, during the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
}

fn assert_empty(folder: &Path) {
    let left: Vec<_> = fs::read_dir(folder).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn beyond_the_limit_on_the_size_of_files_nothing_is_left() {
    limit_the_size_of_files();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("segment");
    let mut most = 0;
    let result = prepare_segment(&path, LARGEST_FILE_BYTES + 4_096, |done, _| most = done);
    assert_eq!(result.unwrap_err().raw_os_error(), Some(Errno::FBIG.number()));
    assert_eq!(most, LARGEST_FILE_BYTES, "control: it was written up to there");
    assert_empty(folder.path());
    prepare_segment(&path, LARGEST_FILE_BYTES, |_, _| ()).unwrap();
}

#[test]
fn on_a_full_device_nothing_is_left_and_what_fits_is_there_in_whole() {
    let device = match Tiny::mount(4 * MEBIBYTE as usize) {
        Ok(device) => device,
        Err(reason) => return skip(format!("a device that is full: {reason}")),
    };
    let path = device.path().join("segment");
    let mut most = 0;
    let result = prepare_segment(&path, 5 * MEBIBYTE, |done, _| most = done);
    assert_eq!(result.unwrap_err().kind(), ErrorKind::StorageFull);
    assert!(most >= 3 * MEBIBYTE, "control: {most} bytes were written before");
    assert_empty(device.path());

    // All its room is its own now: no append of it finds the device full.
    let file = prepare_segment(&path, 3 * MEBIBYTE, |_, _| ()).unwrap();
    let room = fs::File::create(device.path().join("another")).unwrap();
    while std::io::Write::write_all(&mut &room, &[1; 4_096]).is_ok() {}
    let mut io = SyncBackend::new(&ringzero::Config::default()).unwrap();
    let segment = io.register_segment(file, 0, 3 * MEBIBYTE).unwrap();
    let mut completions = Vec::new();
    while io.room(segment).unwrap() > 0 {
        io.submit_append(segment, &[2; 65_536]).unwrap();
        io.poll_completions(&mut completions);
    }
    assert!(completions.iter().all(|completion| completion.result == 65_536));
    io.deregister_fd(segment).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), 3 * MEBIBYTE);
}
