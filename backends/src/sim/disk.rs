//! [`SimDisk`]: files in memory that survive a power cut only as far as they were synced; and
//! [`SimFile`]: one of them, open.
//!
//! Errors of writing back are told as Linux tells them (Documentation/core-api/errseq, 4.13 on): a
//! file counts them, and each open file remembers how many it was told of; a data-sync reports the
//! newest one once per open file, whichever of its callers comes first. Of two overlapping
//! data-syncs of one open file, one gets the error and the other a false success. What could not
//! be written back is clean afterwards: readers see it, no later data-sync writes it.
//!
//! Directory entries are not modelled: a file that was created exists after every crash.

use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ringzero_core::{Alteration, Errno, Outcome};

use super::{promise::SimPromise, random::Random, sectors::Sectors};

/// What an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Regular,
    /// It has no end to append to.
    Device,
    /// It can be synced; its entries are not modelled.
    Directory,
    /// A pipe, a socket.
    Other,
}

/// For what a file was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Write,
    Read,
}

/// What a request does to a file's bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Effect<'a> {
    /// Puts bytes at an offset.
    Write(u64, &'a [u8]),
    Alter(Alteration),
}

impl Effect<'_> {
    fn take(self, sectors: &mut Sectors) -> Result<(), Errno> {
        let end = match self {
            Self::Write(offset, bytes) => offset.saturating_add(bytes.len() as u64),
            Self::Alter(Alteration::Truncate { len }) => len,
            Self::Alter(_) => 0,
        };
        if end > SimDisk::LARGEST_FILE_BYTES {
            return Err(Errno::FBIG);
        }
        match self {
            Self::Write(offset, bytes) => sectors.write(offset, bytes),
            Self::Alter(Alteration::Truncate { len }) => sectors.truncate(len),
            Self::Alter(Alteration::Punch { offset, len }) => sectors.punch(offset, len),
            // Room is not modelled, nor descriptors.
            Self::Alter(Alteration::Allocate { .. } | Alteration::Close) => {}
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Inode {
    name: String,
    kind: Kind,
    sectors: Sectors,
    /// How often it was made again, with other bytes.
    remade_count: u64,
    /// How often writing back failed.
    error_count: u64,
    last_error: Errno,
    /// An open file was told of the last error.
    is_told: bool,
}

impl Inode {
    fn new(name: &str, kind: Kind, content: Vec<u8>) -> Self {
        let (name, sectors) = (name.to_owned(), Sectors::new(content));
        Self {
            name,
            kind,
            sectors,
            remade_count: 0,
            error_count: 0,
            last_error: Errno::IO,
            is_told: true,
        }
    }

    fn lose(&mut self, errno: Errno, random: &mut Random) {
        self.sectors.lose(self.sectors.stamp(), random);
        self.error_count += 1;
        self.last_error = errno;
        self.is_told = false;
    }
}

/// Files in memory, with a volatile and a durable image. A handle: clones are the same disk.
///
/// ```
/// use ringzero::SimDisk;
///
/// let disk = SimDisk::new();
/// let file = disk.create("log", b"durable from the beginning");
/// assert_eq!(disk.names(), ["log"]);
/// assert_eq!(disk.read("log").as_deref(), Some(&b"durable from the beginning"[..]));
/// assert!(disk.open("another").is_none());
/// drop(file);
///
/// // What a backend takes for less than a regular file, or not at all.
/// let _positional_writes_only = disk.create_device("device");
/// let _syncs_only = disk.create_directory("folder");
/// let _refused = (disk.create_pipe("pipe"), disk.open_read_only("log"));
/// assert_eq!(SimDisk::LARGEST_FILE_BYTES, 64 << 20);
/// assert!(!disk.keeps(&ringzero::SimPromise { file: "log".into(), offset: 0, bytes: vec![0] }));
/// ```
#[derive(Clone, Debug, Default)]
pub struct SimDisk(Arc<Mutex<Vec<Inode>>>);

/// An open file of a [`SimDisk`]: what a [`SimBackend`](crate::SimBackend) registers.
///
/// Dropping it closes it. Each call that opens makes an open file of its own.
///
/// ```
/// use ringzero::{Config, SimBackend, StorageIoExt};
/// use ringzero_core::StorageIo;
///
/// let mut io = SimBackend::new(&Config::default(), 1)?;
/// let file = io.disk().create("log", b"").direct(512);
/// let log = io.register_fd(file)?;
/// assert_eq!(io.alignment(log)?, 512);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SimFile {
    disk: SimDisk,
    inode: usize,
    access: Access,
    /// Of so many errors it was told.
    told_count: u64,
    /// What requests must be aligned to.
    alignment: u32,
}

impl SimDisk {
    /// The largest file, in bytes; a write beyond is EFBIG.
    pub const LARGEST_FILE_BYTES: u64 = 64 << 20;

    /// A disk without files.
    pub fn new() -> Self {
        Self::default()
    }

    fn inodes(&self) -> MutexGuard<'_, Vec<Inode>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a file that durably holds `content`, and opens it for writing. If it exists, its bytes
    /// are replaced, durably: how a recovery cuts off a damaged tail.
    pub fn create(&self, name: &str, content: &[u8]) -> SimFile {
        self.make(name, Kind::Regular, content)
    }

    /// Makes a block or character device and opens it: any offset, no end to append to.
    pub fn create_device(&self, name: &str) -> SimFile {
        self.make(name, Kind::Device, &[])
    }

    /// Makes a directory and opens it, to be registered with `register_directory`. Its entries are
    /// not modelled: files exist after a crash whether it was synced or not.
    pub fn create_directory(&self, name: &str) -> SimFile {
        self.make(name, Kind::Directory, &[])
    }

    /// Makes something that no backend takes, such as a pipe, and opens it.
    pub fn create_pipe(&self, name: &str) -> SimFile {
        self.make(name, Kind::Other, &[])
    }

    fn make(&self, name: &str, kind: Kind, content: &[u8]) -> SimFile {
        let mut inodes = self.inodes();
        let known = inodes.iter().position(|inode| inode.name == name);
        let at = known.unwrap_or(inodes.len());
        match inodes.get_mut(at) {
            Some(inode) => {
                inode.kind = kind;
                inode.sectors = Sectors::new(content.to_vec());
                inode.remade_count += 1;
                inode.is_told = true;
            }
            None => inodes.push(Inode::new(name, kind, content.to_vec())),
        }
        let told_count = inodes.get(at).map_or(0, |inode| inode.error_count);
        SimFile { disk: self.clone(), inode: at, access: Access::Write, told_count, alignment: 1 }
    }

    /// Opens a file for writing; `None` if there is none of that name.
    pub fn open(&self, name: &str) -> Option<SimFile> {
        self.open_for(name, Access::Write)
    }

    /// Opens a file for reading only; a backend refuses it.
    pub fn open_read_only(&self, name: &str) -> Option<SimFile> {
        self.open_for(name, Access::Read)
    }

    fn open_for(&self, name: &str, access: Access) -> Option<SimFile> {
        let inodes = self.inodes();
        let at = inodes.iter().position(|inode| inode.name == name)?;
        let inode = inodes.get(at)?;
        // An error that nobody was told of is told to whoever opens the file next.
        let told_count = inode.error_count - u64::from(!inode.is_told);
        Some(SimFile { disk: self.clone(), inode: at, access, told_count, alignment: 1 })
    }

    /// The names of all files, in the order in which they were made.
    pub fn names(&self) -> Vec<String> {
        self.inodes().iter().map(|inode| inode.name.clone()).collect()
    }

    /// What a reader sees: every write that took effect, durable or not. `None` if there is no file
    /// of that name.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let inodes = self.inodes();
        let inode = inodes.iter().find(|inode| inode.name == name)?;
        Some(inode.sectors.current().to_vec())
    }

    /// Whether a reader sees the promised bytes in their place.
    pub fn keeps(&self, promise: &SimPromise) -> bool {
        let inodes = self.inodes();
        let Some(inode) = inodes.iter().find(|inode| inode.name == promise.file) else {
            return false;
        };
        let begin = usize::try_from(promise.offset).unwrap_or(usize::MAX);
        let bytes = inode.sectors.current().get(begin..).unwrap_or_default();
        bytes.starts_with(&promise.bytes)
    }

    /// How often a file was made again.
    pub(super) fn remade_count(&self, at: usize) -> u64 {
        self.with(at, |inode| inode.remade_count).unwrap_or(0)
    }

    /// Whether both are the same disk.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A disk with what a power cut at this moment leaves, `under_way` being what may have got
    /// through, in part, and of which inode.
    pub(super) fn crash<'a>(
        &self,
        under_way: impl Iterator<Item = (usize, Effect<'a>)>,
        random: &mut Random,
    ) -> Self {
        let inodes = self.inodes();
        let mut sectors: Vec<Sectors> = inodes.iter().map(|inode| inode.sectors.clone()).collect();
        for (at, effect) in under_way {
            if let Some(sectors) = sectors.get_mut(at)
                && random.chance(700)
            {
                let _too_large = effect.take(sectors);
            }
        }
        let survivors = inodes
            .iter()
            .zip(&sectors)
            .map(|(inode, sectors)| Inode::new(&inode.name, inode.kind, sectors.crash(random)));
        Self(Arc::new(Mutex::new(survivors.collect())))
    }

    /// Applies `change` to an inode that exists.
    fn with<T>(&self, at: usize, change: impl FnOnce(&mut Inode) -> T) -> Option<T> {
        self.inodes().get_mut(at).map(change)
    }

    /// Writes. Takes effect at once.
    pub(super) fn write(&self, at: usize, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let effect = Effect::Write(offset, data);
        self.with(at, |inode| effect.take(&mut inode.sectors)).unwrap_or(Err(Errno::BADF))
    }

    /// Alters. Takes effect at once.
    pub(super) fn alter(&self, at: usize, what: Alteration) -> Result<(), Errno> {
        let effect = Effect::Alter(what);
        self.with(at, |inode| effect.take(&mut inode.sectors)).unwrap_or(Err(Errno::BADF))
    }

    /// Some of what a reader sees becomes durable by itself.
    pub(super) fn write_back(&self, at: usize, random: &mut Random) {
        self.with(at, |inode| inode.sectors.make_some_durable(random));
    }

    /// Writing back what a reader sees fails: some of it becomes durable, the rest never will.
    pub(super) fn fail_write_back(&self, at: usize, errno: Errno, random: &mut Random) {
        self.with(at, |inode| inode.lose(errno, random));
    }

    /// What a data-sync that begins now covers, to be given to [`SimFile::end_sync`].
    pub(super) fn begin_sync(&self, at: usize) -> u64 {
        self.with(at, |inode| inode.sectors.stamp()).unwrap_or(0)
    }

    /// Cuts a file that is longer than `byte_count`.
    pub(super) fn cut_back(&self, at: usize, byte_count: u64) {
        self.with(at, |inode| {
            if byte_count < inode.sectors.current().len() as u64 {
                inode.sectors.truncate(byte_count);
            }
        });
    }
}

impl SimFile {
    /// The same, opened as with O_DIRECT: the disk answers EINVAL to a write whose offset, length
    /// or memory is no multiple of `alignment`, a power of two.
    #[must_use]
    pub fn direct(self, alignment: u32) -> Self {
        Self { alignment, ..self }
    }

    /// What requests must be aligned to.
    pub(super) const fn alignment(&self) -> u32 {
        self.alignment
    }

    /// The bytes of `range` that a reader sees, zeros where the file has none.
    pub(super) fn bytes(&self, range: Range<u64>) -> Vec<u8> {
        let seen = |inode: &mut Inode| inode.sectors.current().to_vec();
        let all = self.disk.with(self.inode, seen).unwrap_or_default();
        let behind = all.into_iter().skip(range.start as usize).chain(std::iter::repeat(0));
        behind.take((range.end - range.start) as usize).collect()
    }

    /// The bytes of `range` that a reader sees, as far as the file has any.
    pub(super) fn existing(&self, range: Range<u64>) -> Vec<u8> {
        let seen = |inode: &mut Inode| {
            let all = inode.sectors.current();
            let begin = all.len().min(range.start as usize);
            let end = all.len().min(range.end as usize);
            all.get(begin..end).unwrap_or_default().to_vec()
        };
        self.disk.with(self.inode, seen).unwrap_or_default()
    }

    /// Which file it is, in the order in which they were made.
    pub(super) const fn inode(&self) -> usize {
        self.inode
    }

    /// The disk that it is on.
    pub(super) const fn disk(&self) -> &SimDisk {
        &self.disk
    }

    pub(super) const fn access(&self) -> Access {
        self.access
    }

    pub(super) fn kind(&self) -> Kind {
        self.disk.with(self.inode, |inode| inode.kind).unwrap_or(Kind::Other)
    }

    pub(super) fn name(&self) -> String {
        self.disk.with(self.inode, |inode| inode.name.clone()).unwrap_or_default()
    }

    pub(super) fn byte_count(&self) -> u64 {
        let byte_count = self.disk.with(self.inode, |inode| inode.sectors.current().len() as u64);
        byte_count.unwrap_or(0)
    }

    /// What it holds, if all of that is durable.
    pub(super) fn durable(&self) -> Option<Vec<u8>> {
        let durable =
            |inode: &mut Inode| inode.sectors.is_clean().then(|| inode.sectors.current().to_vec());
        self.disk.with(self.inode, durable).flatten()
    }

    /// The same file, opened once more by someone else.
    pub(super) fn open_again(&self) -> Self {
        let told_count = self.disk.with(self.inode, |inode| inode.error_count).unwrap_or(0);
        Self { disk: self.disk.clone(), told_count, ..*self }
    }

    /// A data-sync that began when [`SimDisk::begin_sync`] gave `stamp` ends: tells of an error
    /// that this open file was not told of, or makes durable what the call covers.
    pub(super) fn end_sync(&mut self, stamp: u64) -> Outcome {
        self.sync(|sectors| sectors.make_durable(stamp))
    }

    /// The data-sync that a write carries: the same, of what is in the range from its begin to its
    /// end. It comes between no two writes, because the write took effect just now.
    pub(super) fn sync_range(&mut self, range: (u64, u64)) -> Outcome {
        self.sync(|sectors| sectors.make_range_durable(range))
    }

    fn sync(&mut self, make_durable: impl FnOnce(&mut Sectors)) -> Outcome {
        let told_count = &mut self.told_count;
        let end = |inode: &mut Inode| {
            if *told_count < inode.error_count {
                *told_count = inode.error_count;
                inode.is_told = true;
                return Err(inode.last_error);
            }
            make_durable(&mut inode.sectors);
            Ok(0)
        };
        self.disk.with(self.inode, end).unwrap_or(Err(Errno::BADF))
    }
}

#[cfg(test)]
mod tests;
