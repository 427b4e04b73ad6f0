//! One `pwrite` per record ([`run`]), or per 64 KiB of them ([`merged`]).

use std::{os::unix::fs::FileExt, time::Instant};

use crate::{
    Failure,
    compare::{
        content::{Record, shuffled},
        job::{Job, Workload},
        measured::Measured,
        meter::{Latency, Meter},
    },
    contestants::{files, place::offset_of},
};

const BUFFER_BYTES: usize = 64 << 10;

/// One `pwrite` per record, one after another whatever the job allows under way.
pub(super) fn run(job: &Job) -> Result<Measured, Failure> {
    let bytes = u64::from(job.record_bytes);
    let blocks = job.file_bytes / bytes;
    match job.workload {
        Workload::Overwrites => timed(job, |index| shuffled(index, blocks) * bytes),
        Workload::Discards => drive(job, |index| offset_of(job, index)),
        _ => drive(job, |index| index * bytes),
    }
}

fn drive(job: &Job, offset: impl Fn(u64) -> u64) -> Result<Measured, Failure> {
    let file = files::open(job)?;
    let mut record = Record::new(job.record_bytes);
    let meter = Meter::start()?;
    for index in 0..job.operations {
        file.write_all_at(record.of(index), offset(index))?;
    }
    meter.stop(job)
}

fn timed(job: &Job, offset: impl Fn(u64) -> u64) -> Result<Measured, Failure> {
    let file = files::open(job)?;
    let mut record = Record::new(job.record_bytes);
    let mut latency = Latency::new()?;
    let meter = Meter::start()?;
    for index in 0..job.operations {
        let began = Instant::now();
        file.write_all_at(record.of(index), offset(index))?;
        latency.record(began.elapsed());
    }
    let mut measured = meter.stop(job)?;
    measured.latency = latency.percentiles();
    Ok(measured)
}

/// One `pwrite` per 64 KiB of records.
pub(super) fn merged(job: &Job) -> Result<Measured, Failure> {
    let file = files::open(job)?;
    let mut record = Record::new(job.record_bytes);
    let mut buffer = Vec::with_capacity(BUFFER_BYTES);
    let mut offset = 0;
    let meter = Meter::start()?;
    for index in 0..job.operations {
        buffer.extend_from_slice(record.of(index));
        if buffer.len() + job.record_bytes as usize > BUFFER_BYTES || index + 1 == job.operations {
            file.write_all_at(&buffer, offset)?;
            offset += buffer.len() as u64;
            buffer.clear();
        }
    }
    meter.stop(job)
}
