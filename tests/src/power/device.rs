//! The process that is the device: serves its one file over FUSE, logs, and mounts the file system.
//!
//! # Safety
//! prctl(2) with numbers only.
#![allow(unsafe_code)]

use std::{
    ffi::OsStr,
    io::{self, Read},
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request,
    Session, WriteFlags,
};

use super::{
    file_system::FileSystem,
    image::Image,
    log::LogWriter,
    mounted::{Mounted, unmount},
};

/// The files of a device's folder.
pub(super) const BASE: &str = "base";
pub(super) const LOG: &str = "log";
pub(super) const SERVED: &str = "served";
pub(super) const MOUNTED: &str = "mounted";
/// What the device says once everything is mounted.
pub(super) const READY: &str = "ready";

const FILE_NAME: &str = "device";
const FILE_NODE: INodeNo = INodeNo(2);
/// Nothing but the device's content ever changes.
const FOR_EVER: Duration = Duration::from_secs(1 << 30);

/// Serves the device in `folder` until standard input ends.
///
/// # Errors
/// What is missing on this machine; what could not be unmounted.
pub fn serve(folder: &Path, file_system: FileSystem) -> io::Result<()> {
    /// PR_SET_IO_FLUSHER of linux/prctl.h.
    const SET_IO_FLUSHER: libc::c_int = 57;
    const ON: libc::c_ulong = 1;
    // The kernel waits for this process when it wants to free memory by writing back. Where this is
    // refused (before Linux 5.6), it could in theory wait for itself.
    // SAFETY: takes numbers only.
    let _ = unsafe { libc::prctl(SET_IO_FLUSHER, ON, 0_u64, 0_u64, 0_u64) };

    let (base, served, mounted) = (folder.join(BASE), folder.join(SERVED), folder.join(MOUNTED));
    file_system.make(&base)?;
    std::fs::create_dir(&served)?;
    std::fs::create_dir(&mounted)?;
    let image = Image::load(&base)?;
    let log = LogWriter::create(&folder.join(LOG))?;
    let device = Device { state: Mutex::new(State { image, log }) };
    let session = Session::new(device, &served, &fuser::Config::default())?.spawn()?;
    let result = Mounted::new(file_system, &served.join(FILE_NAME), &mounted).and_then(|mounted| {
        println!("{READY}");
        io::stdin().read_to_end(&mut Vec::new())?;
        mounted.unmount()
    });
    let unmounted = unmount(&served);
    result.and(unmounted)?;
    session.join()
}

struct State {
    image: Image,
    log: LogWriter,
}

/// A folder with one file.
struct Device {
    state: Mutex<State>,
}

impl Device {
    fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn attributes(&self, node: INodeNo) -> FileAttr {
        let is_folder = node == INodeNo::ROOT;
        let kind = if is_folder { FileType::Directory } else { FileType::RegularFile };
        let size = if is_folder { 0 } else { self.with(|state| state.image.byte_count()) };
        let epoch = SystemTime::UNIX_EPOCH;
        FileAttr {
            ino: node,
            size,
            blocks: size / 512,
            atime: epoch,
            mtime: epoch,
            ctime: epoch,
            crtime: epoch,
            kind,
            perm: 0o700,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4_096,
            flags: 0,
        }
    }
}

impl Filesystem for Device {
    fn lookup(&self, _request: &Request, _parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == FILE_NAME {
            reply.entry(&FOR_EVER, &self.attributes(FILE_NODE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(
        &self,
        _request: &Request,
        node: INodeNo,
        _handle: Option<FileHandle>,
        reply: ReplyAttr,
    ) {
        reply.attr(&FOR_EVER, &self.attributes(node));
    }

    fn open(&self, _request: &Request, _node: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _request: &Request,
        _node: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let bytes = self.with(|state| {
            let len = u64::from(size).min(state.image.byte_count().saturating_sub(offset));
            let mut bytes = vec![0; len as usize];
            state.image.read(offset, &mut bytes);
            bytes
        });
        reply.data(&bytes);
    }

    fn write(
        &self,
        _request: &Request,
        _node: INodeNo,
        _handle: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let logged = self.with(|state| {
            state.log.write(offset, data)?;
            state.image.write(offset, data);
            io::Result::Ok(())
        });
        match logged {
            Ok(()) => reply.written(data.len() as u32),
            Err(error) => reply.error(error.into()),
        }
    }

    fn fsync(
        &self,
        _request: &Request,
        _node: INodeNo,
        _handle: FileHandle,
        _is_datasync: bool,
        reply: ReplyEmpty,
    ) {
        match self.with(|state| state.log.flush()) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error.into()),
        }
    }
}
