//! A device that is always full: /dev/full as a segment, on which every write ends with ENOSPC.
//! Appends fail and are resumed, positional writes fail, and syncs report it; the file stays
//! usable.

use ringzero::{
    Errno, IoFd,
    StorageIoError::{Io, QueueFull},
};

use crate::{
    session::{Expected, Session},
    shadow::data,
    stage::{Stage, Stop, device},
    wrong::{Wrong, ensure, equal},
};

const ROUNDS: u64 = 200;
const FULL: Expected = Expected::Failure(Errno::NOSPC);
const CANCELED: Expected = Expected::Failure(Errno::CANCELED);

pub(crate) fn run(stage: &mut Stage) -> Result<(), Stop> {
    let file = device("/dev/full")?;
    let fd = stage.session.io().register_segment(file, 0, 1 << 20)?;
    let sync_requests = stage.session.io().stats().sync_requests;
    stage.measured(|session| (0..ROUNDS).try_for_each(|_| one_round(session, fd)))?;
    let stats = stage.session.io().stats();
    equal("calls of fdatasync", stats.sync_requests as i64, sync_requests as i64)?;
    stage.prove("writes reached the device", stats.write_requests)
}

fn append(session: &mut Session, fd: IoFd, len: usize, expected: Expected) -> Result<(), Wrong> {
    let answer = session.io().submit_append(fd, data(len, 0));
    session.owe(answer, expected)
}

fn one_round(session: &mut Session, fd: IoFd) -> Result<(), Wrong> {
    append(session, fd, 100, FULL)?;
    for _ in 0..4 {
        append(session, fd, 5_000, CANCELED)?;
    }
    session.flush()?;
    session.wait_for_all()?;
    // It has failed, and the caller has not been told: still accepted, and cancelled.
    append(session, fd, 10, CANCELED)?;
    let answer = session.io().resume_append(fd);
    session.refused(answer, QueueFull)?;
    session.drain()?;
    refused(session, fd)?;

    let answer = session.io().submit_write(fd, data(64, 0), 8_192);
    session.owe(answer, FULL)?;
    let answer = session.io().submit_write(fd, data(64, 0), 8_192 + 64);
    session.owe(answer, FULL)?;
    let answer = session.io().submit_write(fd, data(0, 0), 0);
    session.owe(answer, Expected::Bytes(0))?;
    // It covers all of them, and says so without a call.
    let answer = session.io().submit_datasync(fd);
    session.owe(answer, FULL)?;
    session.drain()?;

    let tail = session.resume(fd)?;
    equal("the tail after resuming", tail as i64, 8_192 + 128)?;
    Ok(session.io().can_accept(fd, 100)?)
}

fn refused(session: &mut Session, fd: IoFd) -> Result<(), Wrong> {
    for _ in 0..4 {
        let answer = session.io().submit_append(fd, data(10, 0));
        session.refused(answer, Io(Errno::NOSPC))?;
        let answer = session.io().can_accept(fd, 10);
        session.refused(answer, Io(Errno::NOSPC))?;
    }
    let status = session.io().file_status(fd)?;
    let is_appends_only = status.failed.is_none() && status.append_failed == Some(Errno::NOSPC);
    ensure(is_appends_only, "only appends are refused")
}
