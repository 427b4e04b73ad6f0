//! Reads: of what was written a moment ago, many at a time, longer than a block, behind the end of
//! the file; looked at and released.

use ringzero::{Errno, IoFd, StorageIoError};

use crate::{
    backend::LIMITS,
    session::{Expected, Session},
    shadow::data,
    stage::{Stage, Stop},
    wrong::{Wrong, ensure, equal},
};

const ROUNDS: u64 = 100;
const BLOCK: usize = LIMITS.block_bytes as usize;
const UNKNOWN: StorageIoError = StorageIoError::Io(Errno::INVAL);

pub(crate) fn run(stage: &mut Stage) -> Result<(), Stop> {
    let fd = stage.follow("file")?;
    stage.measured(|session| (0..ROUNDS).try_for_each(|round| one_round(session, fd, round)))?;
    let requests = stage.session.io().stats().read_requests;
    stage.prove("reads were requested", requests)?;
    Ok(())
}

fn one_round(session: &mut Session, fd: IoFd, round: u64) -> Result<(), Wrong> {
    let written = data(3 * BLOCK, round);
    let answer = session.io().submit_write(fd, written, 0);
    session.wrote(answer, fd, written, 0)?;
    let mut tokens = [0; 4];
    // Over what is being written; its blocks and those of the reads are all that there are.
    for (token, at) in tokens.iter_mut().zip([0, 100, BLOCK as u64, 2 * BLOCK as u64 - 7]) {
        *token = read(session, fd, (300, at), 300)?;
    }
    session.drain()?;
    let long = read(session, fd, (2 * BLOCK, 500), 2 * BLOCK)?;
    let behind = read(session, fd, (100, 3 * BLOCK as u64), 0)?;
    session.drain()?;
    for (token, at) in tokens.into_iter().zip([0, 100, BLOCK, 2 * BLOCK - 7]) {
        let seen = session.io().read_bytes(token, 0)?;
        ensure(Some(seen) == written.get(at..at + 300), "a read sees what was written before it")?;
    }
    let first = session.io().read_bytes(long, 0)?.len();
    ensure(first == BLOCK, "a block of a long read at a time")?;
    let rest = session.io().read_bytes(long, first)?.len();
    equal("the rest of a long read", rest as i64, BLOCK as i64)?;
    for token in tokens.into_iter().chain([long, behind]) {
        session.io().release_read(token)?;
        let answer = session.io().release_read(token);
        session.refused(answer, UNKNOWN)?;
    }
    Ok(())
}

/// Submits a read that will give `expected` bytes.
fn read(
    session: &mut Session,
    fd: IoFd,
    (len, offset): (usize, u64),
    expected: usize,
) -> Result<u64, Wrong> {
    let answer = session.io().submit_read(fd, len, offset);
    session.owe(answer, Expected::Bytes(expected))?;
    Ok(answer?)
}
