//! One run of one contestant, seen from the parent: the file is made, the child runs, the file is
//! read back and checked (unless the child says that it holds no records), and deleted ([`run`]).

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    content::{self, Record, Rest},
    contestant::Offer,
    job::{Job, Target, Workload},
    measured::{Contents, Measured},
};
use crate::Failure;

/// A contestant and the executable that runs it.
#[derive(Clone, Debug)]
pub struct Entrant {
    /// The executable: this one, or one that speaks the same protocol.
    pub program: PathBuf,
    /// What it said of the contestant.
    pub offer: Offer,
}

/// Everyone that `program` offers.
///
/// # Errors
/// It cannot be run, or does not answer as [`contestant`](super::contestant) says.
pub fn entrants(program: &Path) -> Result<Vec<Entrant>, Failure> {
    let offers: Vec<Offer> = serde_json::from_str(&answer(program, &["list"])?)?;
    let entrant = |offer| Entrant { program: program.to_owned(), offer };
    Ok(offers.into_iter().map(entrant).collect())
}

/// Runs `job` once in a child of `program`, in a file of its own that is gone afterwards.
///
/// # Errors
/// The child failed, or the file does not hold what it should.
pub fn run(program: &Path, job: &Job) -> Result<Measured, Failure> {
    let outcome = prepare(job).and_then(|()| {
        let job_text = serde_json::to_string(job)?;
        let measured: Measured = serde_json::from_str(&answer(program, &["child", &job_text])?)?;
        if measured.contents == Contents::Records {
            check(job).map_err(|error| format!("the file is wrong: {error}"))?;
        }
        Ok(measured)
    });
    if !is_device(job) {
        for index in 0..job.files * job.threads {
            // It may never have been made.
            let _gone = fs::remove_file(job.path_of(index));
        }
    }
    outcome
}

/// What `program` prints.
fn answer(program: &Path, arguments: &[&str]) -> Result<String, Failure> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let reason = String::from_utf8_lossy(&output.stderr);
    Err(format!("{} ({})", reason.trim(), output.status).into())
}

fn is_device(job: &Job) -> bool {
    job.path.starts_with("/dev/null")
}

/// Makes the files of `job` as its child expects them, synced with their directory.
fn prepare(job: &Job) -> Result<(), Failure> {
    if is_device(job) {
        return Ok(());
    }
    for index in 0..job.files * job.threads {
        let file = File::create_new(job.path_of(index))?;
        match job.target {
            Target::Extending => continue,
            Target::ZeroWritten => fill_with_zeros(&file, job.file_bytes)?,
            Target::Records => fill_with_records(&file, job)?,
        }
        file.sync_all()?;
    }
    if let Some(directory) = job.path.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

fn fill_with_zeros(mut file: &File, bytes: u64) -> Result<(), Failure> {
    let zeros = vec![0; 1 << 20];
    let mut left = bytes;
    while left > 0 {
        let count = left.min(zeros.len() as u64);
        file.write_all(zeros.get(..count as usize).unwrap_or_default())?;
        left -= count;
    }
    Ok(())
}

fn fill_with_records(file: &File, job: &Job) -> Result<(), Failure> {
    let mut record = Record::new(job.record_bytes);
    let mut writer = BufWriter::with_capacity(1 << 20, file);
    for block in 0..job.file_bytes / u64::from(job.record_bytes) {
        writer.write_all(record.of(content::earlier(block)))?;
    }
    Ok(writer.flush()?)
}

/// Reads every byte back.
fn check(job: &Job) -> Result<(), Failure> {
    let (bytes, records) = (job.record_bytes, 0..job.operations);
    match job.workload {
        Workload::Appends | Workload::Sequential | Workload::Burst => {
            content::check(&job.path, bytes, records, Rest::End)
        }
        Workload::Commits => {
            let rest = match job.target {
                Target::ZeroWritten => Rest::ZerosTo(job.file_bytes),
                Target::Extending | Target::Records => Rest::End,
            };
            content::check(&job.path, bytes, records, rest)
        }
        Workload::Overwrites => {
            let blocks = job.file_bytes / u64::from(bytes);
            let expected = content::overwritten(blocks, job.operations);
            content::check(&job.path, bytes, expected, Rest::End)
        }
        Workload::Discards | Workload::Idle | Workload::Growth => Ok(()),
    }
}
