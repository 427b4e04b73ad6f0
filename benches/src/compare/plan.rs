//! What is compared: the workloads of the command line, as jobs ([`Plan`]).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    contestant::{Offer, Window},
    job::{Access, Job, Place, Target, Workload},
};

/// Blocks of the file that is overwritten in random order.
const OVERWRITTEN_BYTES: u64 = 64 << 20;
/// No run writes more than this, so that no run meets the kernel's limits of dirty memory.
const MOST_BYTES: u64 = 512 << 20;
/// Windows that are tried for contestants at their best.
const WINDOWS: [u32; 4] = [64, 256, 1_024, 4_096];

/// The names of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Name {
    /// 128-byte appends, up to 4,096 under way
    W1,
    /// 128-byte appends, 64 under way
    W1s,
    /// 4 KiB sequential through the page cache, 32 under way
    W2,
    /// 4 KiB O_DIRECT random overwrites, 32 under way
    W3,
    /// 4 KiB O_DIRECT random overwrites, one at a time
    W3q1,
    /// Durable commits of 256 bytes
    W4,
    /// 64-byte writes to /dev/null, counted in instructions
    W5,
    /// 256 records of 64 KiB under way: memory
    W6,
    /// The same backends with nothing to do: memory
    Idle,
    /// Cost per operation as everything grows
    Growth,
}

/// What a segment of commits is; only for [`Name::W4`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Segment {
    /// An empty file that each commit makes longer
    Extending,
    /// A file of really written zeros
    ZeroWritten,
    /// The same, opened with O_DIRECT by those that can
    Direct,
}

/// How commits arrive; only for [`Name::W4`].
#[derive(Clone, Copy, Debug)]
pub struct Arrivals {
    /// Committers.
    pub committers: u32,
    /// Groups in which they are released.
    pub phases: u32,
    /// The file.
    pub segment: Segment,
}

/// A workload, ready to be run by anybody.
#[derive(Clone, Debug)]
pub struct Plan {
    /// For file names: `w4-64-extending`.
    pub id: String,
    /// For people.
    pub title: String,
    /// The contestant whose rate is 1.0.
    pub base: String,
    /// What counts.
    pub figure: Figure,
    template: Job,
    direct: Access,
}

/// What counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Figure {
    /// Operations per second: more is better.
    #[default]
    Rate,
    /// Bytes of memory: less is better.
    Memory,
    /// Instructions per operation: less is better.
    Instructions,
}

impl Plan {
    /// The plan for `name`, with files in `directory`.
    pub fn new(name: Name, arrivals: Arrivals, directory: &Path) -> Self {
        let Arrivals { committers, phases, segment } = arrivals;
        let (workload, record_bytes, in_flight) = match name {
            Name::W1 => (Workload::Appends, 128, 4_096),
            Name::W1s => (Workload::Appends, 128, 64),
            Name::W2 => (Workload::Sequential, 4_096, 32),
            Name::W3 => (Workload::Overwrites, 4_096, 32),
            Name::W3q1 => (Workload::Overwrites, 4_096, 1),
            Name::W4 => (Workload::Commits, 256, committers),
            Name::W5 => (Workload::Discards, 64, 64),
            Name::W6 => (Workload::Burst, 64 << 10, 256),
            Name::Idle => (Workload::Idle, 64 << 10, 1),
            Name::Growth => (Workload::Growth, 64, 64),
        };
        let (target, access) = match (workload, segment) {
            (Workload::Overwrites, _) => (Target::Records, Access::Direct),
            (Workload::Commits, Segment::ZeroWritten) => (Target::ZeroWritten, Access::Buffered),
            (Workload::Commits, Segment::Direct) => (Target::ZeroWritten, Access::Direct),
            _ => (Target::Extending, Access::Buffered),
        };
        let (mut id, mut title) = (format!("{name:?}").to_lowercase(), title(name).to_owned());
        if name == Name::W4 {
            let file = match segment {
                Segment::Extending => "extending",
                Segment::ZeroWritten => "zero-written",
                Segment::Direct => "direct",
            };
            id = format!("{id}-{committers}-{file}-{phases}");
            title = format!("{title}, {committers} committers in {phases} phases, {file}");
        }
        let template = Job {
            contestant: String::new(),
            workload,
            path: PathBuf::from("/dev/null"),
            files: 1,
            operations: 0,
            record_bytes,
            in_flight,
            committers: if workload == Workload::Commits { committers } else { 1 },
            phases: if workload == Workload::Commits { phases } else { 1 },
            stagger_ns: 0,
            target,
            access,
            place: Place::Strided,
            file_bytes: 0,
            threads: 1,
        };
        let template = match workload {
            Workload::Discards => template,
            _ => Job { path: directory.join("file"), ..template },
        };
        let base = if workload == Workload::Commits { "raw-linked" } else { "raw" }.to_owned();
        let figure = match name {
            Name::W6 | Name::Idle => Figure::Memory,
            Name::W5 => Figure::Instructions,
            _ => Figure::Rate,
        };
        Self { id, title, base, figure, template, direct: access }
    }

    /// The job of `offer`, with `operations` of them; `None` if it does not do this.
    pub fn job(&self, offer: &Offer, operations: u64) -> Option<Job> {
        if !offer.workloads.contains(&self.template.workload) {
            return None;
        }
        let mut job = Job { contestant: offer.name.clone(), ..self.template.clone() };
        if job.workload == Workload::Commits && !offer.access.contains(&self.direct) {
            if !offer.access.contains(&Access::Buffered) {
                return None;
            }
            job.access = Access::Buffered;
        }
        set_operations(&mut job, operations);
        Some(job)
    }

    /// How many operations `offer` may have under way: what it is to be tried with.
    pub fn windows(&self, offer: &Offer) -> Vec<u32> {
        let most = self.template.in_flight;
        if self.template.workload == Workload::Appends && offer.window == Window::Best {
            return WINDOWS.into_iter().filter(|window| *window <= most).collect();
        }
        vec![most]
    }

    /// Whether operations are done at all.
    pub fn is_idle(&self) -> bool {
        self.template.workload == Workload::Idle
    }
}

/// Gives `job` so many operations, or as many as one run may write, and a file that fits.
pub fn set_operations(job: &mut Job, operations: u64) {
    let most = match job.workload {
        Workload::Overwrites | Workload::Discards | Workload::Growth => u64::MAX,
        _ => MOST_BYTES / u64::from(job.record_bytes),
    };
    job.operations = operations.min(most);
    job.file_bytes = match job.target {
        Target::Extending => 0,
        Target::Records => OVERWRITTEN_BYTES,
        // A whole number of blocks behind the last record, for those that pad.
        Target::ZeroWritten => (job.bytes() + 8_192).next_multiple_of(4_096),
    };
}

const fn title(name: Name) -> &'static str {
    match name {
        Name::W1 => "W1: 128-byte appends, up to 4,096 under way",
        Name::W1s => "W1s: 128-byte appends, 64 under way",
        Name::W2 => "W2: 4 KiB sequential, buffered, 32 under way",
        Name::W3 => "W3: 4 KiB O_DIRECT random overwrites, 32 under way",
        Name::W3q1 => "W3: 4 KiB O_DIRECT random overwrites, one at a time",
        Name::W4 => "W4: durable commits of 256 bytes",
        Name::W5 => "W5: 64-byte writes to /dev/null, strided",
        Name::W6 => "W6: 256 records of 64 KiB under way",
        Name::Idle => "W6: nothing under way",
        Name::Growth => "cost per operation as everything grows",
    }
}
