//! Durable commits: [`Commits`]. Each committer appends its record and submits a datasync; the
//! backend arranges the groups.

use std::{collections::VecDeque, fs::File, io, time::Instant};

use ringzero::{IoCompletion, StorageIo, StorageIoExt, to_io_error};

use super::{Run, records};
use crate::{
    Failure,
    compare::{content::Record, job::Job, measured::Measured},
    contestants::committers::Committers,
};

/// Commits through a backend.
pub(super) struct Commits;

impl Run for Commits {
    fn run<I: StorageIo + StorageIoExt<File = File>>(
        &self,
        job: &Job,
        mut io: I,
    ) -> Result<Measured, Failure> {
        let fd = records::register(&mut io, job)?;
        let mut record = Record::new(job.record_bytes);
        let mut completions: Vec<IoCompletion> = Vec::with_capacity(2 * job.committers as usize);
        // Datasyncs of one file complete in order: the oldest one is the next.
        let mut waiting: VecDeque<(u64, u32)> = VecDeque::with_capacity(job.committers as usize);
        let mut committers = Committers::start(job)?;
        while !committers.are_done() {
            while let Some((committer, index)) = committers.next_commit() {
                // At most two operations per committer: the defaults have room for thousands.
                io.submit_append(fd, record.of(index)).map_err(to_io_error)?;
                waiting.push_back((io.submit_datasync(fd).map_err(to_io_error)?, committer));
            }
            io.flush().map_err(to_io_error)?;
            completions.clear();
            io.poll_completions(&mut completions);
            let now = Instant::now();
            for completion in &completions {
                if completion.result < 0 {
                    return Err(io::Error::from_raw_os_error(-completion.result).into());
                }
                match waiting.front() {
                    Some((token, committer)) if *token == completion.token => {
                        committers.learns(*committer, now);
                        waiting.pop_front();
                    }
                    _ if completion.result == job.record_bytes as i32 => {}
                    _ => return Err("a short append, or a sync out of turn".into()),
                }
            }
            if completions.is_empty() && !committers.are_arriving() {
                io.wait(1, None).map_err(to_io_error)?;
            }
        }
        let measured = committers.stop(job)?;
        let stats = io.stats();
        io.deregister_fd(fd).map_err(to_io_error)?;
        let per = |requests: u64| job.operations as f64 / requests.max(1) as f64;
        Ok(measured.with_note(format!(
            "{:.1} commits per kernel write, {:.1} per sync",
            per(stats.write_requests),
            per(stats.sync_requests)
        )))
    }
}
