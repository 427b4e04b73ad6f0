//! What one run of one contestant does: [`Job`]. It travels as JSON from the parent to the child
//! that runs it, so a contestant may live in another executable.
//!
//! Invariants: the file at [`Job::path`] exists and is as [`Job::file_bytes`] says when the child
//! starts; record `i` holds the bytes that [`content`](super::content) derives from `i`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One run of one contestant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The contestant's name.
    pub contestant: String,
    /// What is done.
    pub workload: Workload,
    /// The file, already there: empty, or `file_bytes` long. The parent reads it back and deletes
    /// it. With several files the others are named by [`Job::path_of`].
    pub path: PathBuf,
    /// Files, at least 1. More than one only in [`Workload::Growth`].
    pub files: u32,
    /// Records (or commits) in all, over every file, thread and committer.
    pub operations: u64,
    /// Bytes of each record.
    pub record_bytes: u32,
    /// Operations under way at one time, at most.
    pub in_flight: u32,
    /// Committers of [`Workload::Commits`]; each has one commit under way.
    pub committers: u32,
    /// Committers are released in this many groups: committer `c` belongs to group `c % phases`.
    pub phases: u32,
    /// Group `g` is released `g × stagger_ns` after the start.
    pub stagger_ns: u64,
    /// What the file is before the run.
    pub target: Target,
    /// How the file is to be opened.
    pub access: Access,
    /// Where each write goes, for the workloads that say so.
    pub place: Place,
    /// Bytes of the file before the run: 0 if it is extended, the segment's limit if written.
    pub file_bytes: u64,
    /// Independent backends, each in a thread of its own with files of its own. 1 but in
    /// [`Workload::Growth`].
    pub threads: u32,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// Records one after another at the end of an empty file, nobody syncs (W1, W1s).
    Appends,
    /// The same with records of 4 KiB, as appends or as positional writes (W2).
    Sequential,
    /// 4 KiB blocks of a written file overwritten in random order, with O_DIRECT (W3).
    Overwrites,
    /// A closed loop of committers: each writes its next record when it learns that its last one
    /// is durable (W4).
    Commits,
    /// Writes to `/dev/null`, at [`Job::place`] (W5).
    Discards,
    /// Large records, many of them under way: what counts is memory (W6).
    Burst,
    /// Everything set up, one file registered, nothing written (W6).
    Idle,
    /// Small writes at [`Job::place`] over [`Job::files`] files and [`Job::threads`] threads.
    Growth,
}

/// What the file is before the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Empty: each write makes it longer.
    Extending,
    /// Full of zeros that were really written; file and directory are synced.
    ZeroWritten,
    /// Full of records of an earlier version, synced.
    Records,
}

/// How the file is to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Through the page cache.
    Buffered,
    /// With O_DIRECT.
    Direct,
}

/// Where each write goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Right behind the one before.
    Adjacent,
    /// A record's length behind the end of the one before, so that nothing merges.
    Strided,
    /// In random order: [`content::shuffled`](super::content::shuffled).
    Random,
}

impl Job {
    /// The path of file `index`; file 0 is [`Job::path`].
    pub fn path_of(&self, index: u32) -> PathBuf {
        if index == 0 {
            return self.path.clone();
        }
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{index}"));
        name.into()
    }

    /// Bytes of all records together.
    pub const fn bytes(&self) -> u64 {
        self.operations * self.record_bytes as u64
    }
}

#[cfg(test)]
pub(crate) fn example() -> Job {
    Job {
        contestant: "raw".into(),
        workload: Workload::Appends,
        path: "somewhere/file".into(),
        files: 1,
        operations: 100,
        record_bytes: 128,
        in_flight: 64,
        committers: 1,
        phases: 1,
        stagger_ns: 0,
        target: Target::Extending,
        access: Access::Buffered,
        place: Place::Adjacent,
        file_bytes: 0,
        threads: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_survives_the_way_to_the_child() {
        let job = Job { target: Target::ZeroWritten, access: Access::Direct, ..example() };
        let text = serde_json::to_string(&job).unwrap();
        assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), job);
        assert!(text.contains("zero-written") && text.contains("direct"), "{text}");
    }

    #[test]
    fn every_file_has_a_path_of_its_own() {
        let job = example();
        assert_eq!(job.path_of(0), job.path);
        assert_eq!(job.path_of(2).to_str(), Some("somewhere/file.2"));
    }
}
