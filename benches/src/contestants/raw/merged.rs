//! Records collected by hand: `raw-merged-16k` and `raw-merged-64k`.
//!
//! Records are copied into a buffer until it is full; a full buffer is one kernel write. A buffer
//! that is not full leaves when no more records may be accepted and fewer than two writes are in
//! flight.

use super::ring::{Form, Ring, expect};
use crate::{
    Failure,
    compare::{content::Record, job::Job, measured::Measured, meter::Meter},
    contestants::files,
};

/// The buffer that is being filled.
struct Open {
    slot: u32,
    offset: u64,
    bytes: u32,
}

/// One kernel write per `buffer_bytes` of records.
pub(super) fn run(job: &Job, buffer_bytes: u32) -> Result<Measured, Failure> {
    let file = files::open(job)?;
    let bytes = u64::from(job.record_bytes);
    let mut record = Record::new(job.record_bytes);
    let slots = (job.in_flight * job.record_bytes).div_ceil(buffer_bytes) + 2;
    let mut ring = Ring::new(&file, slots, buffer_bytes)?;
    let mut free: Vec<u32> = (0..slots).rev().collect();
    let mut sent = vec![0_u32; slots as usize];
    let mut open: Option<Open> = None;
    let (mut accepted, mut completed, mut writes) = (0, 0, 0_u64);
    let meter = Meter::start()?;
    while completed < job.operations {
        let end = job.operations.min(completed + u64::from(job.in_flight));
        while accepted < end {
            let mut buffer = match open.take() {
                Some(buffer) => buffer,
                None => match free.pop() {
                    Some(slot) => Open { slot, offset: accepted * bytes, bytes: 0 },
                    None => break,
                },
            };
            ring.fill(buffer.slot, buffer.bytes as usize, record.of(accepted));
            buffer.bytes += job.record_bytes;
            accepted += 1;
            if buffer.bytes == buffer_bytes {
                send(&mut ring, &buffer, &mut sent)?;
                writes += 1;
            } else {
                open = Some(buffer);
            }
        }
        let in_flight = slots as usize - free.len() - usize::from(open.is_some());
        if in_flight < 2
            && let Some(buffer) = open.take()
        {
            send(&mut ring, &buffer, &mut sent)?;
            writes += 1;
        }
        ring.turn(1, |slot, result| {
            let bytes = sent.get(slot as usize).copied().unwrap_or_default();
            free.push(slot as u32);
            completed += u64::from(bytes / job.record_bytes);
            expect(result, bytes)
        })?;
    }
    let merged = job.operations as f64 / writes as f64;
    Ok(meter.stop(job)?.with_note(format!("{merged:.1} records per kernel write")))
}

fn send(ring: &mut Ring, buffer: &Open, sent: &mut [u32]) -> Result<(), Failure> {
    let Open { slot, offset, bytes } = *buffer;
    if let Some(sent) = sent.get_mut(slot as usize) {
        *sent = bytes;
    }
    Ok(ring.push_write(slot, bytes, offset, Form::Plain, u64::from(slot))?)
}
