//! Asking: pending_count, tail, room, can_accept, max_write, stats, file_status; with work queued,
//! in flight, and done.

use ringzero::{Errno, IoFd, StorageIoError};

use crate::{
    backend::{LIMITS, MAX_WRITE},
    session::Session,
    stage::{Stage, Stop},
    wrong::{Wrong, ensure, equal},
};

const ROUNDS: u64 = 200;

pub(crate) fn run(stage: &mut Stage) -> Result<(), Stop> {
    let fds = [stage.follow("log")?, stage.follow("table")?];
    stage.measured(|session| (0..ROUNDS).try_for_each(|round| one_round(session, &fds, round)))
}

fn one_round(session: &mut Session, fds: &[IoFd; 2], round: u64) -> Result<(), Wrong> {
    let [log, table] = *fds;
    ask(session, log, 0)?;
    for index in 0..8 {
        session.append(log, 10 + index)?;
        session.write(table, 64, (round + index as u64) % 16 * 200)?;
    }
    ask(session, log, 8)?;
    session.flush()?;
    ask(session, log, 8)?;
    ask(session, table, 8)?;
    session.wait_for_all()?;
    ask(session, log, 8)?;
    session.drain()?;
    ask(session, table, 0)
}

/// Asks everything about a file with `pending` operations.
fn ask(session: &mut Session, fd: IoFd, pending: i64) -> Result<(), Wrong> {
    let end = session.end_of(fd)? as i64;
    let owed_count = session.owed_count();
    equal("pending_count", session.io().pending_count() as i64, owed_count as i64)?;
    equal("tail", session.io().tail(fd)? as i64, end)?;
    equal("room", session.io().room(fd)? as i64, i64::MAX - end)?;
    equal("max_write", session.io().max_write() as i64, MAX_WRITE as i64)?;
    session.io().can_accept(fd, 1)?;
    session.io().can_accept(fd, 0)?;
    let too_long = session.io().can_accept(fd, MAX_WRITE + 1);
    session.refused(too_long, StorageIoError::Io(Errno::MSGSIZE))?;
    let status = session.io().file_status(fd)?;
    equal("file_status().pending", i64::from(status.pending), pending)?;
    ensure(status.failed.is_none() && status.append_failed.is_none(), "the file is sound")?;
    ensure(pending > 0 || status.oldest_in_flight.is_none(), "nothing is in flight")?;
    let stats = session.io().stats();
    equal("stats().submitted", stats.submitted as i64, session.tally.accepted as i64)?;
    let most = LIMITS.operation_count();
    ensure(stats.pending_peak <= most, "no more was pending than the limits say")
}
