//! Claims, submitted and dropped, and gathered writes and appends; and the durable tail behind
//! them.

use ringzero::IoFd;

use crate::{
    backend::LIMITS,
    session::{Expected, Session},
    shadow::data,
    stage::{Stage, Stop},
    wrong::{Wrong, ensure, equal},
};

const ROUNDS: u64 = 100;
const BLOCK: usize = LIMITS.block_bytes as usize;

pub(crate) fn run(stage: &mut Stage) -> Result<(), Stop> {
    let fd = stage.follow("file")?;
    stage.measured(|session| (0..ROUNDS).try_for_each(|round| one_round(session, fd, round)))?;
    let submitted = stage.session.io().stats().submitted;
    stage.prove("claims and gathered calls were accepted", submitted)?;
    Ok(())
}

/// Grows the file by at most 10,000 bytes.
fn one_round(session: &mut Session, fd: IoFd, round: u64) -> Result<(), Wrong> {
    let (header, payload) = (data(16, round), data(300, round + 1));
    let slices = [header, payload, &[], payload];
    let end = session.end_of(fd)?;
    let answer = session.io().submit_appendv(fd, &slices);
    session.owe(answer, Expected::Bytes(616))?;
    wrote(session, fd, &slices, end)?;
    let answer = session.io().submit_writev(fd, &slices, 0);
    session.owe(answer, Expected::Bytes(616))?;
    wrote(session, fd, &slices, 0)?;
    session.flush()?;

    let bytes = data(BLOCK, round + 2);
    let end = session.end_of(fd)?;
    for is_submitted in [false, true] {
        let mut claim = session.io().claim_append(fd, BLOCK)?;
        fill(claim.parts(), bytes);
        if is_submitted {
            let answer = claim.submit();
            session.wrote(answer, fd, bytes, end)?;
        }
    }
    session.drain()?;
    let mut claim = session.io().claim_write(fd, 300, 100)?;
    ensure(claim.copy_in(0, payload) == payload.len(), "all of it was copied in")?;
    let answer = claim.submit();
    session.wrote(answer, fd, payload, 100)?;
    session.sync(fd)?;
    session.drain()?;
    let (tail, durable) = (session.end_of(fd)?, session.io().durable_tail(fd)?);
    equal("the durable tail", durable as i64, tail as i64)
}

fn wrote(session: &mut Session, fd: IoFd, slices: &[&[u8]], offset: u64) -> Result<(), Wrong> {
    let mut at = offset;
    for slice in slices {
        session.shadow_write(fd, slice, at)?;
        at += slice.len() as u64;
    }
    Ok(())
}

fn fill(parts: [&mut [u8]; 2], bytes: &[u8]) {
    let room = parts.into_iter().flatten();
    room.zip(bytes).for_each(|(to, from)| *to = *from);
}
