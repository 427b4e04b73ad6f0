//! `Server`: what the kernel asks of a mount, answered from its state.
//!
//! One thread asks it, so requests are logged in the order in which the kernel sent them. It never
//! waits: what has no answer yet is put aside with its reply.

use std::{ffi::OsStr, io, time::SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, KernelConfig, LockOwner, OpenFlags, PollEvents, PollFlags, PollNotifier, ReplyAttr,
    ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyPoll, ReplyWrite, Request, TimeOrNow,
    WriteFlags,
};
use ringzero_core::{Alteration, SyncKind, WriteKind};

use super::{
    attributes::{FIRST_FILE, TTL, attributes},
    log::Event,
    mount::{Close, Options},
    state::{Reply, Shared},
};
use crate::disk::{Ask, FileState};

/// Answers the kernel from a [`State`](super::State).
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) shared: Shared,
    pub(crate) options: Options,
}

fn file_of(ino: INodeNo) -> Option<usize> {
    ino.0.checked_sub(FIRST_FILE).map(|index| index as usize)
}

impl Server {
    fn attributes(&self, ino: INodeNo) -> Option<FileAttr> {
        let (kind, perm, size) = match file_of(ino) {
            None => (FileType::Directory, 0o755, 0),
            Some(index) => {
                let state = self.shared.state();
                let file = state.files.get(index)?;
                (FileType::RegularFile, 0o644, file.bytes.len() as u64)
            }
        };
        Some(attributes(ino, kind, perm, size))
    }
}

impl Filesystem for Server {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        let refused = |_| io::Error::from_raw_os_error(libc::EINVAL);
        config.set_max_write(self.options.max_write).map(|_| ()).map_err(refused)
    }

    fn lookup(&self, _request: &Request, _parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let is_it = |file: &FileState| OsStr::new(&file.name) == name;
        let found = self.shared.state().files.iter().position(is_it);
        let ino = found.map(|index| INodeNo(index as u64 + FIRST_FILE));
        match ino.and_then(|ino| self.attributes(ino)) {
            Some(attributes) => reply.entry(&TTL, &attributes, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: Option<FileHandle>,
        reply: ReplyAttr,
    ) {
        match self.attributes(ino) {
            Some(attributes) => reply.attr(&TTL, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn setattr(
        &self,
        _request: &Request,
        ino: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        if let (Some(len), Some(inode)) = (size, file_of(ino)) {
            let ask = Ask::Alter(Alteration::Truncate { len });
            return self.shared.take(inode, ask, &[], Reply::Resize(reply));
        }
        match self.attributes(ino) {
            Some(attributes) => reply.attr(&TTL, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn open(&self, _request: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        let Some(inode) = file_of(ino) else { return reply.error(Errno::EISDIR) };
        self.shared.state().log.push(Event::Opened { inode });
        let mut flags = FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_PARALLEL_DIRECT_WRITES;
        if self.options.close == Close::AtOnce {
            flags |= FopenFlags::FOPEN_NOFLUSH;
        }
        reply.opened(FileHandle(0), flags);
    }

    fn read(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let known = self.shared.state().files.len();
        let Some(inode) = file_of(ino).filter(|index| *index < known) else {
            return reply.error(Errno::EISDIR);
        };
        let ask = Ask::Read { offset, len: u64::from(size), pieces: 1 };
        self.shared.take(inode, ask, &[], Reply::Read(reply));
    }

    fn write(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let Some(inode) = file_of(ino) else { return reply.error(Errno::EISDIR) };
        let ask = Ask::Write { offset, len: data.len() as u64, pieces: 1, kind: WriteKind::Plain };
        self.shared.take(inode, ask, data, Reply::Write(reply));
    }

    fn fallocate(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: u64,
        len: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let Some(inode) = file_of(ino) else { return reply.error(Errno::EISDIR) };
        let what = match mode & libc::FALLOC_FL_PUNCH_HOLE {
            0 => Alteration::Allocate { offset, len },
            _ => Alteration::Punch { offset, len },
        };
        self.shared.take(inode, Ask::Alter(what), &[], Reply::Allocate(reply));
    }

    fn flush(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        _owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        let Some(inode) = file_of(ino) else { return reply.error(Errno::EISDIR) };
        self.shared.close(inode, reply);
    }

    fn poll(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        _notifier: PollNotifier,
        _events: PollEvents,
        _flags: PollFlags,
        reply: ReplyPoll,
    ) {
        if let Some(inode) = file_of(ino) {
            self.shared.state().log.push(Event::Polled { inode });
        }
        // As most file systems; the kernel asks no more.
        reply.error(Errno::ENOSYS);
    }

    fn fsync(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        is_datasync: bool,
        reply: ReplyEmpty,
    ) {
        let Some(inode) = file_of(ino) else { return reply.error(Errno::EISDIR) };
        let kind = if is_datasync { SyncKind::Data } else { SyncKind::Full };
        self.shared.take(inode, Ask::Sync(kind), &[], Reply::Sync(reply));
    }
}
