//! [`Disk`]: files in memory, shared by a test and the backends it builds.
//!
//! What a request answers is programmed ([`Rule`]) or random ([`Rough`](crate::script::Rough)), and
//! requests that hang stay until they are released. What happens to them is in
//! [`State`].

use std::sync::{Arc, Mutex, MutexGuard};

use ringzero_core::{Alteration, Errno, Outcome, SyncKind, WriteKind};

use crate::{
    script::{Action, Rule},
    traffic::{State, is_retried},
};

/// No file grows beyond this.
pub const LARGEST_FILE_BYTES: u64 = 64 << 20;

/// What kind of file a [`ScriptedFile`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// A regular file.
    Regular,
    /// A block device: no end to append to.
    Device,
    /// A directory.
    Directory,
    /// A pipe or socket.
    Other,
    /// A regular file that is not open for writing.
    ReadOnly,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Bytes at an offset.
    Write {
        /// First byte.
        offset: u64,
        /// How many.
        len: u64,
        /// In how many pieces.
        pieces: usize,
        /// Whether it carries the data-sync of what it writes.
        kind: WriteKind,
    },
    /// Bytes from an offset on.
    Read {
        /// First byte.
        offset: u64,
        /// How many.
        len: u64,
        /// Into how many pieces.
        pieces: usize,
    },
    /// A data-sync.
    Sync(SyncKind),
    /// An alteration.
    Alter(Alteration),
}

/// One line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A request was handed over.
    Began {
        /// Its number, in the order of handing over, from 0.
        number: u64,
        /// Which file.
        inode: usize,
        /// What for.
        ask: Ask,
    },
    /// It was answered.
    Ended {
        /// Its number.
        number: u64,
        /// How.
        outcome: Outcome,
    },
}

/// An error that a write or a data-sync was answered with.
#[derive(Clone, Copy, Debug)]
pub struct Injected {
    /// Where the request began in the file; `None` for anything but a write.
    pub offset: Option<u64>,
    /// The error.
    pub errno: Errno,
}

/// A file's contents and history.
#[derive(Clone, Debug)]
pub struct FileState {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub node: Node,
    /// What requests must be aligned to: registered as if opened with O_DIRECT, if not 1.
    pub alignment: u32,
    /// What a reader sees.
    pub bytes: Vec<u8>,
    /// What a power loss leaves.
    pub durable: Vec<u8>,
    /// Errors since the last registration.
    pub injected: Vec<Injected>,
    /// Errors of reads and alterations since then, which fail nothing but themselves.
    pub harmless: Vec<(Ask, Errno)>,
    /// Alterations that were done since then.
    pub altered: Vec<Alteration>,
    /// An error fails the file: no data-sync may begin.
    pub is_failed: bool,
    /// A durable write that was answered with an error of either half.
    pub doubt: Option<Doubt>,
}

/// What writing the same again as a plain write finds out: whether the data-sync had failed.
#[derive(Clone, Copy, Debug)]
pub struct Doubt {
    /// Where what is to be written again ends.
    pub end: u64,
    /// The answer.
    pub errno: Errno,
}

impl FileState {
    /// Alters it.
    pub(crate) fn alter(&mut self, what: Alteration) -> Outcome {
        let bytes = &mut self.bytes;
        match what {
            Alteration::Truncate { len } if len > LARGEST_FILE_BYTES => return Err(Errno::FBIG),
            Alteration::Truncate { len } => bytes.resize(len as usize, 0),
            Alteration::Punch { offset, len } => {
                let (begin, size) = ((offset as usize).min(bytes.len()), bytes.len());
                bytes[begin..(begin + len as usize).min(size)].fill(0);
            }
            Alteration::Allocate { .. } | Alteration::Close => {}
        }
        Ok(0)
    }

    /// At most `len` bytes from `offset` on: as many as there are.
    pub(crate) fn bytes_from(&self, offset: u64, len: u64) -> &[u8] {
        let begin = self.bytes.len().min(offset as usize);
        let end = self.bytes.len().min((offset + len) as usize);
        &self.bytes[begin..end]
    }

    /// How often a request that begins where this one does was sent back since the last
    /// registration.
    pub(crate) fn retry_count(&self, ask: Ask) -> usize {
        if let Ask::Write { offset, .. } = ask {
            let is_one = |it: &&Injected| it.offset == Some(offset) && is_retried(it.errno);
            return self.injected.iter().filter(is_one).count();
        }
        let begins_there = |other: Ask| match (ask, other) {
            (Ask::Read { offset, .. }, Ask::Read { offset: other, .. }) => offset == other,
            (ask, other) => ask == other,
        };
        let is_one = |(other, errno): &&(Ask, Errno)| begins_there(*other) && is_retried(*errno);
        self.harmless.iter().filter(is_one).count()
    }
}

/// A shared handle of a disk.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<State>>);

/// An open file of a [`Disk`]: what the scripted backend registers.
#[derive(Debug)]
pub struct ScriptedFile {
    pub(crate) disk: Disk,
    pub(crate) inode: usize,
}

impl Disk {
    /// Its state. Not to be held across a call of the backend.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Makes a file (or empties and refills it) and opens it.
    pub fn create(&self, name: &str, node: Node, content: &[u8]) -> ScriptedFile {
        let mut state = self.state();
        let inode = match state.files.iter().position(|file| file.name == name) {
            Some(inode) => inode,
            None => {
                state.files.push(FileState {
                    name: name.to_owned(),
                    node,
                    alignment: 1,
                    bytes: Vec::new(),
                    durable: Vec::new(),
                    injected: Vec::new(),
                    harmless: Vec::new(),
                    altered: Vec::new(),
                    is_failed: false,
                    doubt: None,
                });
                state.files.len() - 1
            }
        };
        state.files[inode].bytes = content.to_vec();
        state.files[inode].durable = content.to_vec();
        ScriptedFile { disk: self.clone(), inode }
    }

    /// Opens a file that exists, from now on as if with O_DIRECT and this alignment.
    pub fn open_direct(&self, name: &str, alignment: u32) -> ScriptedFile {
        let file = self.open(name);
        self.state().files[file.inode].alignment = alignment;
        file
    }

    /// Opens a file that exists.
    pub fn open(&self, name: &str) -> ScriptedFile {
        ScriptedFile { disk: self.clone(), inode: self.state().inode(name) }
    }

    /// What a reader sees.
    pub fn read(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        let inode = state.inode(name);
        state.files[inode].bytes.clone()
    }

    /// What a power loss leaves.
    pub fn durable(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        let inode = state.inode(name);
        state.files[inode].durable.clone()
    }

    /// Appends a rule.
    pub fn script(&self, rule: Rule) {
        self.state().rules.push_back(rule);
    }

    /// Lets everything that hangs end, with `action`.
    pub fn release(&self, action: Action) {
        let mut state = self.state();
        for pending in &mut state.pending {
            if pending.action == Action::Hang {
                pending.action = action;
            }
        }
    }

    /// Lets the request of this number end, with `action`; what hangs besides goes on hanging.
    pub fn release_one(&self, number: u64, action: Action) {
        let mut state = self.state();
        let pending = state.pending.iter_mut().find(|pending| pending.number == number);
        pending.expect("a pending request").action = action;
    }

    /// Requests handed over so far: number and what for.
    pub fn requests(&self, name: &str) -> Vec<(u64, Ask)> {
        let state = self.state();
        let wanted = state.inode(name);
        let began = |event: &Event| match *event {
            Event::Began { number, inode, ask } if inode == wanted => Some((number, ask)),
            _ => None,
        };
        state.log.iter().filter_map(began).collect()
    }

    /// The request ids of what is pending.
    pub fn ids_in_flight(&self) -> Vec<u64> {
        self.state().pending.iter().map(|pending| pending.id).collect()
    }

    /// Data-syncs handed over so far.
    pub fn sync_count(&self, name: &str) -> usize {
        self.requests(name).iter().filter(|(_, ask)| matches!(ask, Ask::Sync(_))).count()
    }
}
