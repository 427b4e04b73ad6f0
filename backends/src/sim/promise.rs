//! [`Promises`]: what a caller may rely on, by the contract alone.
//!
//! It hears what was accepted and what was delivered, and knows nothing of the disk, so it can
//! judge one. The rule, byte by byte, with writes and appends in the order of acceptance: a byte is
//! promised if
//! - a datasync that was *delivered* with success covers the last write of that byte, and
//! - that write did not fail, and
//! - no later write of that byte was accepted since (it may have reached the disk, or parts of it).
//!
//! A write that was not delivered yet counts as good if such a datasync covers it: that is what the
//! success of a datasync says. A datasync covers what was accepted before it through the same
//! registration; what an earlier registration left unsynced stays uncertain for ever, because the
//! kernel may have told of its loss to the file that was closed. What a file held when it was first
//! registered is promised if it was durable then. A file that is made again begins anew.
//!
//! Of a range that is punched, and of what is beyond the size to which a file is truncated, nothing
//! is promised from the acceptance on, whether that succeeds or not; nor are zeros, nor sizes.
//!
//! Worked example: write 1 of `aaaa` at 0, sync 2, write 3 of `bb` at 1. Nothing is promised until
//! sync 2 is delivered with success: then `a` at 0 and `a` at 3, because write 3 may be anywhere.

use std::collections::{BTreeMap, VecDeque};

use ringzero_core::IoCompletion;

/// Bytes that every crash from now on leaves where they are, until they are written again.
///
/// ```
/// use ringzero::{SimDisk, SimPromise};
///
/// let disk = SimDisk::new();
/// disk.create("log", b"one two");
/// let promise = SimPromise { file: "log".into(), offset: 4, bytes: b"two".to_vec() };
/// assert!(disk.keeps(&promise));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimPromise {
    /// The name of the file.
    pub file: String,
    /// Where they begin.
    pub offset: u64,
    /// The bytes, at least one.
    pub bytes: Vec<u8>,
}

/// A write, append or alteration, from acceptance until a datasync has looked at it.
#[derive(Debug)]
struct Entry {
    token: u64,
    registration: u64,
    offset: u64,
    /// Where what it may change ends.
    end: u64,
    /// What is there then, if that is to be promised.
    bytes: Vec<u8>,
    has_failed: bool,
}

#[derive(Debug, Default)]
struct FilePromises {
    name: String,
    /// Of the file when it was registered.
    remade_count: u64,
    registration: u64,
    /// Bytes by where they begin. They neither overlap nor are empty.
    kept: BTreeMap<u64, Vec<u8>>,
    entries: VecDeque<Entry>,
}

/// A token that was accepted and not delivered.
#[derive(Clone, Copy, Debug)]
struct Owed {
    file: usize,
    registration: u64,
    is_sync: bool,
}

/// What may be relied on, of all files of one backend.
#[derive(Debug, Default)]
pub(super) struct Promises {
    files: BTreeMap<usize, FilePromises>,
    owed: BTreeMap<u64, Owed>,
}

impl Promises {
    /// A file is registered that was made again `remade_count` times. `durable` is what it holds,
    /// if all of that is durable.
    pub(super) fn registered(
        &mut self,
        file: usize,
        remade_count: u64,
        name: &str,
        durable: Option<&[u8]>,
    ) {
        let registration = self.files.get(&file).map_or(0, |known| known.registration);
        if self.files.get(&file).is_some_and(|known| known.remade_count != remade_count) {
            self.files.remove(&file);
        }
        let known = self.files.entry(file).or_insert_with(|| {
            let durable = durable.unwrap_or_default();
            let kept = (!durable.is_empty()).then(|| (0, durable.to_vec()));
            let kept = kept.into_iter().collect();
            let name = name.to_owned();
            FilePromises { name, remade_count, registration, kept, ..FilePromises::default() }
        });
        known.registration += 1;
    }

    /// A write or append of `bytes` at `offset` was accepted.
    pub(super) fn write_accepted(&mut self, file: usize, token: u64, offset: u64, bytes: &[u8]) {
        let Some(known) = self.files.get_mut(&file) else { return };
        let registration = known.registration;
        self.owed.insert(token, Owed { file, registration, is_sync: false });
        if bytes.is_empty() {
            return;
        }
        cut(&mut known.kept, offset, offset + bytes.len() as u64);
        let bytes = bytes.to_vec();
        let end = offset + bytes.len() as u64;
        let entry = Entry { token, registration, offset, end, bytes, has_failed: false };
        known.entries.push_back(entry);
    }

    /// An alteration was accepted that may change every byte from `begin` to `end`.
    pub(super) fn alteration_accepted(
        &mut self,
        file: usize,
        token: u64,
        (begin, end): (u64, u64),
    ) {
        let Some(known) = self.files.get_mut(&file) else { return };
        cut(&mut known.kept, begin, end);
        let (registration, bytes) = (known.registration, Vec::new());
        let entry = Entry { token, registration, offset: begin, end, bytes, has_failed: false };
        known.entries.push_back(entry);
    }

    /// A datasync was accepted.
    pub(super) fn sync_accepted(&mut self, file: usize, token: u64) {
        let Some(known) = self.files.get(&file) else { return };
        let registration = known.registration;
        self.owed.insert(token, Owed { file, registration, is_sync: true });
    }

    /// A completion was delivered.
    pub(super) fn delivered(&mut self, completion: IoCompletion) {
        let IoCompletion { token, result } = completion;
        let Some(Owed { file, registration, is_sync }) = self.owed.remove(&token) else { return };
        let Some(known) = self.files.get_mut(&file) else { return };
        if is_sync && result >= 0 {
            known.synced(token, registration);
        } else if !is_sync && result < 0 {
            let at = known.entries.binary_search_by_key(&token, |entry| entry.token);
            if let Some(entry) = at.ok().and_then(|at| known.entries.get_mut(at)) {
                entry.has_failed = true;
            }
        }
    }

    /// All that is promised now, by file and place, of files that were made again so many times.
    pub(super) fn list(&self, remade_count: impl Fn(usize) -> u64) -> Vec<SimPromise> {
        let of_file = |known: &FilePromises| {
            let file = known.name.clone();
            let promise = move |(offset, bytes): (&u64, &Vec<u8>)| SimPromise {
                file: file.clone(),
                offset: *offset,
                bytes: bytes.clone(),
            };
            known.kept.iter().map(promise).collect::<Vec<_>>()
        };
        let is_same =
            |(file, known): &(&usize, &FilePromises)| remade_count(**file) == known.remade_count;
        self.files.iter().filter(is_same).flat_map(|(_, known)| of_file(known)).collect()
    }
}

impl FilePromises {
    /// A datasync with this token succeeded.
    fn synced(&mut self, token: u64, registration: u64) {
        while self.entries.front().is_some_and(|entry| entry.token < token) {
            let Some(entry) = self.entries.pop_front() else { break };
            cut(&mut self.kept, entry.offset, entry.end);
            let is_known = !entry.has_failed && !entry.bytes.is_empty();
            if is_known && entry.registration == registration {
                self.kept.insert(entry.offset, entry.bytes);
            }
        }
        for entry in &self.entries {
            cut(&mut self.kept, entry.offset, entry.end);
        }
    }
}

/// Takes `begin..end` out of `kept`.
fn cut(kept: &mut BTreeMap<u64, Vec<u8>>, begin: u64, end: u64) {
    loop {
        let before = kept.range(..end).next_back();
        let Some((&offset, bytes)) = before else { return };
        if offset + bytes.len() as u64 <= begin {
            return;
        }
        let Some(mut bytes) = kept.remove(&offset) else { return };
        if offset + bytes.len() as u64 > end {
            kept.insert(end, bytes.split_off((end - offset) as usize));
        }
        if offset < begin {
            bytes.truncate((begin - offset) as usize);
            kept.insert(offset, bytes);
            return;
        }
    }
}

#[cfg(test)]
mod tests;
