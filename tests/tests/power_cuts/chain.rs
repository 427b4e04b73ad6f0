//! A log of segments beside the other files: written, switched and recycled while the device logs,
//! and read after a cut.
//!
//! It keeps to the rules of the format of the example `wal`: a segment gets a number that was never
//! used before, its name; the next one is begun when everything in the last one is promised. The
//! oldest is recycled as soon as there are enough: what is in it may be gone from then on.

use std::{collections::VecDeque, fs::File, path::Path, path::PathBuf};

use ringzero::{prepare_segment, recycle_segment};
use ringzero_core::{IoFd, StorageIo, StorageIoExt};
use ringzero_tests::random::bytes;

use crate::{
    check::Found,
    format::{HEADER_BYTES, Header, Scanner, Step},
    stream::{byte_count, fragments},
    workload::{Meaning, Promised, RECORDS_PER_GROUP, Workload},
};

/// Stands for the chain where other files have their number.
pub(crate) const CHAIN: u64 = 1 << 20;
const SEGMENTS: usize = 3;
/// Small enough to be recycled often.
const SEGMENT_BYTES: u64 = 32 << 10;
/// The same for all records, so that one of a former life begins wherever the new ones end.
const RECORD_BYTES: usize = 1_000;
const LOG: u64 = 0xC4A1;

/// From `position` of the device's log on, records before `record_count` may be gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Release {
    pub(crate) position: u64,
    pub(crate) record_count: u64,
}

/// The chain as the writer knows it.
pub(crate) struct Chain {
    fd: IoFd,
    /// Of the segments there are, the oldest first.
    headers: VecDeque<Header>,
    record_count: u64,
    fragment_count: u64,
}

fn record(number: u64) -> Vec<u8> {
    bytes(CHAIN << 32 | number, 0, RECORD_BYTES)
}

fn path(root: &Path, sequence: u32) -> PathBuf {
    root.join(format!("{sequence:08}.seg"))
}

impl<B: StorageIo<File = File> + StorageIoExt<File = File>> Workload<'_, B> {
    pub(crate) fn open_chain(&mut self) -> Chain {
        let header = Header { log: LOG, sequence: 1, records_before: 0, fragments_before: 0 };
        let file = self.next_segment(None, 1);
        let fd = self.begin(file, &header);
        Chain { fd, headers: VecDeque::from([header]), record_count: 0, fragment_count: 0 }
    }

    pub(crate) fn write_chain_group(&mut self, chain: &mut Chain) {
        let count = 1 + self.random.below(RECORDS_PER_GROUP);
        for _ in 0..count {
            let record = record(chain.record_count);
            if self.io.room(chain.fd).expect("a file") < byte_count(&record) {
                self.switch(chain);
            }
            let seal = chain.headers.back().expect("one is open").seal();
            chain.record_count += 1;
            let mut fragments = fragments(seal, &record).into_iter().peekable();
            while let Some(fragment) = fragments.next() {
                let token = self.append(chain.fd, &fragment);
                chain.fragment_count += 1;
                let is_whole = fragments.peek().is_none();
                self.expect_of_chain(token, chain, is_whole && self.promised == Promised::ByAppend);
            }
        }
        self.sync_chain(chain);
    }

    fn sync_chain(&mut self, chain: &Chain) {
        if self.promised == Promised::ByDatasync {
            let token = self.io.submit_datasync(chain.fd).expect("accepted");
            self.expect_of_chain(token, chain, true);
        }
    }

    fn expect_of_chain(&mut self, token: u64, chain: &Chain, is_promise: bool) {
        let record_count = chain.record_count;
        self.waiting.insert(token, Meaning { file: CHAIN, record_count, is_promise });
    }

    /// Goes on in the next segment, when everything in this one is promised.
    fn switch(&mut self, chain: &mut Chain) {
        self.sync_chain(chain);
        while !self.waiting.is_empty() {
            self.turn();
        }
        self.io.deregister_fd(chain.fd).expect("deregistered");
        let sequence = chain.headers.back().expect("one was open").sequence + 1;
        let oldest = if chain.headers.len() < SEGMENTS { None } else { chain.headers.pop_front() };
        if let (Some(_), Some(first)) = (oldest, chain.headers.front()) {
            let position = self.volume.position().expect("a log");
            self.releases.push(Release { position, record_count: first.records_before });
        }
        let header = Header {
            log: LOG,
            sequence,
            records_before: chain.record_count,
            fragments_before: chain.fragment_count,
        };
        let file = self.next_segment(oldest.map(|header| header.sequence), sequence);
        chain.fd = self.begin(file, &header);
        chain.headers.push_back(header);
    }

    /// Segment number `sequence`: recycled, or a new one.
    fn next_segment(&mut self, recycled: Option<u32>, sequence: u32) -> File {
        let root = self.volume.path();
        let file = match recycled {
            Some(old) => recycle_segment(path(&root, old), path(&root, sequence)),
            None => prepare_segment(path(&root, sequence), SEGMENT_BYTES, |_, _| ()),
        };
        file.expect("a segment")
    }

    fn begin(&mut self, file: File, header: &Header) -> IoFd {
        let fd = self.io.register_segment(file, 0, SEGMENT_BYTES).expect("registered");
        let token = self.append(fd, &header.encode());
        let record_count = header.records_before;
        self.waiting.insert(token, Meaning { file: CHAIN, record_count, is_promise: false });
        fd
    }
}

/// Looks for the records of the chain in the file system at `root`: those before `released` may be
/// gone.
///
/// # Errors
/// A whole record that is not the one written there.
pub(crate) fn look_for_chain(root: &Path, promised: u64, released: u64) -> Result<Found, String> {
    let mut segments: Vec<(u32, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(root).map_err(|error| error.to_string())? {
        let path = entry.map_err(|error| error.to_string())?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(sequence) = name.strip_suffix(".seg").and_then(|it| it.parse().ok()) {
            segments.push((sequence, path));
        }
    }
    segments.sort();
    let (mut scanner, mut first, mut payload) = (Scanner::new(), None, Vec::new());
    for (sequence, path) in segments {
        let content = std::fs::read(path).map_err(|error| error.to_string())?;
        if content.len() as u64 != SEGMENT_BYTES {
            return Err(format!("segment {sequence} has {} bytes", content.len()));
        }
        if !scanner.enter(sequence, &content) {
            continue;
        }
        first.get_or_insert(scanner.record_count());
        let mut rest = &content[HEADER_BYTES..];
        while let Step::Fragment { part, payload: chunk, byte_count } = scanner.step(rest) {
            rest = &rest[byte_count..];
            payload.extend_from_slice(chunk);
            if part.ends_record() {
                let number = scanner.record_count() - 1;
                if std::mem::take(&mut payload) != record(number) {
                    return Err(format!("something foreign in segment {sequence}: {number}"));
                }
            }
        }
    }
    let (first, end) = (first.unwrap_or(0), scanner.record_count());
    let lost = promised.saturating_sub(end) + first.saturating_sub(released);
    Ok(Found { promised: promised - released.min(promised), present: end - first, lost })
}
