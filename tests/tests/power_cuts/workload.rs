//! What is written while the device logs: a log that grows, segments of a fixed length, and a chain
//! of segments that are recycled, through one backend, in groups of records, each with a datasync;
//! and what was promised when.
//!
//! A file is created, written with zeros if it is a segment, synced, and its folder synced, before
//! anything of it counts: directory entries are the caller's duty (guarantee 16).

use std::{collections::HashMap, fs::File, path::Path};

use ringzero_core::{IoFd, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{power::Volume, random::Random, session::PATIENCE};

use crate::{
    chain::Release,
    format::Seal,
    stream::{byte_count, fragments, record},
};

const SEGMENT_BYTES: u64 = 192 << 10;
/// Groups that a growing log gets before the next one.
const GROUPS_PER_LOG: u32 = 40;
/// More than those groups fill.
const LOG_BYTES: u64 = 4 << 20;
pub(crate) const RECORDS_PER_GROUP: u64 = 6;
const GROUPS_IN_FLIGHT: usize = 3;

/// When a record counts as promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promised {
    /// When a datasync that covers it has succeeded.
    ByDatasync,
    /// When its append has: a promise that nobody made. No datasync is ever submitted.
    ByAppend,
}

/// From `position` of the device's log on, a file holds so many records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promise {
    pub(crate) position: u64,
    pub(crate) file: u64,
    pub(crate) record_count: u64,
}

/// The file number `file` of the mounted file system at `root`.
pub(crate) fn path(root: &Path, file: u64) -> std::path::PathBuf {
    root.join(format!("log-{file}"))
}

#[derive(Clone, Copy)]
enum Shape {
    Growing { groups_left: u32 },
    Segment,
}

/// A file that is written.
struct Target {
    fd: IoFd,
    file: u64,
    record_count: u64,
    shape: Shape,
}

/// What a token means once it has succeeded.
#[derive(Clone, Copy)]
pub(crate) struct Meaning {
    pub(crate) file: u64,
    pub(crate) record_count: u64,
    pub(crate) is_promise: bool,
}

/// Writes to one volume through one backend.
pub(crate) struct Workload<'a, B> {
    pub(crate) io: B,
    pub(crate) volume: &'a Volume,
    pub(crate) promised: Promised,
    pub(crate) random: Random,
    next_file: u64,
    pub(crate) waiting: HashMap<u64, Meaning>,
    promises: Vec<Promise>,
    pub(crate) releases: Vec<Release>,
}

impl<'a, B: StorageIo<File = File> + StorageIoExt<File = File>> Workload<'a, B> {
    pub(crate) fn new(io: B, volume: &'a Volume, promised: Promised, seed: u64) -> Self {
        Self {
            io,
            volume,
            promised,
            random: Random::new(seed),
            next_file: 0,
            waiting: HashMap::new(),
            promises: Vec::new(),
            releases: Vec::new(),
        }
    }

    /// Writes `group_count` groups. Returns what was promised, in order, and what of the chain may
    /// be gone.
    pub(crate) fn run(mut self, group_count: u32) -> (Vec<Promise>, Vec<Release>) {
        let mut targets = [self.open_log(), self.open_segment()];
        let mut chain = self.open_chain();
        for _ in 0..group_count {
            match targets.get_mut(self.random.below(3) as usize) {
                Some(target) => self.write_group(target),
                None => self.write_chain_group(&mut chain),
            }
            self.io.flush().expect("flushed");
            let most = self.random.below(GROUPS_IN_FLIGHT as u64) as usize;
            while self.commits_waiting() > most {
                self.turn();
            }
        }
        while !self.waiting.is_empty() {
            self.turn();
        }
        (self.promises, self.releases)
    }

    fn commits_waiting(&self) -> usize {
        self.waiting.values().filter(|meaning| meaning.is_promise).count()
    }

    fn create(&mut self, content: &[u8]) -> (u64, File) {
        let file = self.next_file;
        self.next_file += 1;
        let path = path(&self.volume.path(), file);
        std::fs::write(&path, content).expect("created");
        if content.is_empty() {
            self.volume.file_system().reserve(&path, LOG_BYTES).expect("reserved");
        }
        let opened = File::options().read(true).write(true).open(&path).expect("opened");
        opened.sync_all().expect("synced");
        let folder = File::open(self.volume.path()).expect("opened");
        folder.sync_all().expect("synced");
        (file, opened)
    }

    fn open_log(&mut self) -> Target {
        let (file, opened) = self.create(&[]);
        let fd = self.io.register_fd(opened).expect("registered");
        let shape = Shape::Growing { groups_left: GROUPS_PER_LOG };
        Target { fd, file, record_count: 0, shape }
    }

    fn open_segment(&mut self) -> Target {
        let (file, opened) = self.create(&vec![0; SEGMENT_BYTES as usize]);
        let fd = self.io.register_segment(opened, 0, SEGMENT_BYTES).expect("registered");
        Target { fd, file, record_count: 0, shape: Shape::Segment }
    }

    fn write_group(&mut self, target: &mut Target) {
        let count = 1 + self.random.below(RECORDS_PER_GROUP);
        for _ in 0..count {
            let record = record(target.file, target.record_count);
            if !self.has_room(target, byte_count(&record)) {
                break;
            }
            target.record_count += 1;
            let mut fragments = fragments(Seal::NONE, &record).into_iter().peekable();
            while let Some(fragment) = fragments.next() {
                let token = self.append(target.fd, &fragment);
                let is_whole = fragments.peek().is_none();
                self.expect(token, target, is_whole && self.promised == Promised::ByAppend);
            }
        }
        if self.promised == Promised::ByDatasync {
            let token = self.io.submit_datasync(target.fd).expect("accepted");
            self.expect(token, target, true);
        }
        let is_full = match &mut target.shape {
            Shape::Growing { groups_left } => {
                *groups_left -= 1;
                *groups_left == 0
            }
            Shape::Segment => {
                let next = record(target.file, target.record_count);
                !self.has_room(target, byte_count(&next))
            }
        };
        if is_full {
            self.io.deregister_fd(target.fd).expect("deregistered");
            *target = match target.shape {
                Shape::Growing { .. } => self.open_log(),
                Shape::Segment => self.open_segment(),
            };
        }
    }

    fn has_room(&self, target: &Target, byte_count: u64) -> bool {
        self.io.room(target.fd).expect("a file") >= byte_count
    }

    pub(crate) fn append(&mut self, fd: IoFd, fragment: &[u8]) -> u64 {
        loop {
            match self.io.submit_append(fd, fragment) {
                Ok(token) => return token,
                Err(StorageIoError::QueueFull | StorageIoError::BufferExhausted) => self.turn(),
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    fn expect(&mut self, token: u64, target: &Target, is_promise: bool) {
        let Target { file, record_count, .. } = *target;
        self.waiting.insert(token, Meaning { file, record_count, is_promise });
    }

    /// Waits for a completion, and notes what it promises.
    pub(crate) fn turn(&mut self) {
        let count = self.io.wait(1, Some(PATIENCE)).expect("waited");
        assert_ne!(count, 0, "{} operations are not answered", self.io.pending_count());
        let mut completions = Vec::new();
        self.io.poll_completions(&mut completions);
        let position = self.volume.position().expect("a log");
        for completion in completions {
            let meaning = self.waiting.remove(&completion.token).expect("a token of ours");
            completion.outcome().expect("no operation fails here");
            if meaning.is_promise {
                let Meaning { file, record_count, .. } = meaning;
                self.promises.push(Promise { position, file, record_count });
            }
        }
    }
}
