//! One kernel write per record: `raw`, the base of most ratios.
//!
//! Free slots are filled with the next records and queued; one call hands them over and sleeps for
//! the first completions; all that are there are reaped, and their slots are free again.

use std::time::Instant;

use super::ring::{Form, Ring, expect};
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

/// One kernel write per record.
pub(super) fn run(job: &Job) -> Result<Measured, Failure> {
    let bytes = u64::from(job.record_bytes);
    let blocks = job.file_bytes / bytes;
    match job.workload {
        Workload::Overwrites => timed(job, |index| shuffled(index, blocks) * bytes),
        Workload::Discards | Workload::Growth => drive(job, |index| offset_of(job, index)),
        _ => drive(job, |index| index * bytes),
    }
}

fn drive(job: &Job, offset: impl Fn(u64) -> u64) -> Result<Measured, Failure> {
    let file = files::open(job)?;
    let mut record = Record::new(job.record_bytes);
    let mut ring = Ring::new(&file, job.in_flight, job.record_bytes)?;
    let mut free: Vec<u32> = (0..job.in_flight).rev().collect();
    let (mut submitted, mut completed) = (0, 0);
    let meter = Meter::start()?;
    while completed < job.operations {
        while submitted < job.operations {
            let Some(slot) = free.pop() else { break };
            ring.fill(slot, 0, record.of(submitted));
            let name = u64::from(slot);
            ring.push_write(slot, job.record_bytes, offset(submitted), Form::Plain, name)?;
            submitted += 1;
        }
        ring.turn(1, |slot, result| {
            free.push(slot as u32);
            completed += 1;
            expect(result, job.record_bytes)
        })?;
    }
    meter.stop(job)
}

/// The same, and how long each write took: from before it was queued to after it was reaped.
fn timed(job: &Job, offset: impl Fn(u64) -> u64) -> Result<Measured, Failure> {
    let file = files::open(job)?;
    let mut record = Record::new(job.record_bytes);
    let mut ring = Ring::new(&file, job.in_flight, job.record_bytes)?;
    let mut free: Vec<u32> = (0..job.in_flight).rev().collect();
    let mut began = vec![Instant::now(); job.in_flight as usize];
    let mut latency = Latency::new()?;
    let (mut submitted, mut completed) = (0, 0);
    let meter = Meter::start()?;
    while completed < job.operations {
        while submitted < job.operations {
            let Some(slot) = free.pop() else { break };
            if let Some(began) = began.get_mut(slot as usize) {
                *began = Instant::now();
            }
            ring.fill(slot, 0, record.of(submitted));
            let name = u64::from(slot);
            ring.push_write(slot, job.record_bytes, offset(submitted), Form::Plain, name)?;
            submitted += 1;
        }
        let mut now = None;
        ring.turn(1, |slot, result| {
            if let Some(began) = began.get(slot as usize) {
                latency.record(*now.get_or_insert_with(Instant::now) - *began);
            }
            free.push(slot as u32);
            completed += 1;
            expect(result, job.record_bytes)
        })?;
    }
    let mut measured = meter.stop(job)?;
    measured.latency = latency.percentiles();
    Ok(measured)
}
