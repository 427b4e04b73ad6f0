//! Opening the file of a job as the job says.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::compare::job::{Access, Job};

/// The job's file, open for writing.
///
/// # Errors
/// What open(2) says; EINVAL where the file system has no O_DIRECT.
pub fn open(job: &Job) -> io::Result<File> {
    open_path(&job.path, job.access)
}

/// The file at `path`, open for writing.
///
/// # Errors
/// As [`open`].
pub fn open_path(path: &Path, access: Access) -> io::Result<File> {
    let flags = match access {
        Access::Buffered => 0,
        Access::Direct => libc::O_DIRECT,
    };
    OpenOptions::new().write(true).custom_flags(flags).open(path)
}
