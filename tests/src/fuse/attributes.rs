//! What the kernel is told about a file of a mount.

use std::time::{Duration, SystemTime};

use fuser::{FileAttr, FileType, INodeNo};

/// Nothing is cached: the kernel asks each time.
pub(super) const TTL: Duration = Duration::ZERO;

/// Inode 1 is the root; the files follow.
pub(super) const FIRST_FILE: u64 = 2;

/// Those of a file of so many bytes.
pub(super) fn attributes_of_file(index: usize, byte_count: u64) -> FileAttr {
    attributes(INodeNo(index as u64 + FIRST_FILE), FileType::RegularFile, 0o644, byte_count)
}

pub(super) fn attributes(ino: INodeNo, kind: FileType, perm: u16, size: u64) -> FileAttr {
    let epoch = SystemTime::UNIX_EPOCH;
    FileAttr {
        ino,
        size,
        blocks: size.div_ceil(512),
        atime: epoch,
        mtime: epoch,
        ctime: epoch,
        crtime: epoch,
        kind,
        perm,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}
