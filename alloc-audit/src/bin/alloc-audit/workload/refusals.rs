//! Being refused: full queues, no block left, too long, too far, beyond a limit, handles that are
//! stale or another backend's. Nothing of it leaves a trace, and other files go on.

use ringzero::{
    Errno, IoFd, StorageIoError,
    StorageIoError::{BadFd, BufferExhausted, Io, QueueFull},
};

use crate::{
    backend::{LIMITS, MAX_WRITE, MOST_PENDING, sync},
    session::{Expected, Session},
    shadow::data,
    stage::{Stage, Stop},
    wrong::{Wrong, ensure, equal},
};

const ROUNDS: u64 = 30;
const SEGMENT_BYTES: u64 = 1_000;
const BLOCK: usize = LIMITS.block_bytes as usize;

struct Handles {
    log: IoFd,
    other: IoFd,
    segment: IoFd,
    stale: IoFd,
    foreign: IoFd,
}

pub(crate) fn run(stage: &mut Stage) -> Result<(), Stop> {
    // The slot of the stale handle belongs to the first file from here on.
    let stale = stage.register("stale")?;
    stage.session.io().deregister_fd(stale)?;
    let segment = stage.create("segment")?;
    let mut elsewhere = sync().build().map_err(Stop::Skipped)?;
    let handles = Handles {
        log: stage.follow("log")?,
        other: stage.follow("other")?,
        segment: stage.session.io().register_segment(segment, 0, SEGMENT_BYTES)?,
        stale,
        foreign: elsewhere.register_fd(stage.create("foreign")?)?,
    };
    let is_inline = stage.column.is_inline();
    stage.measured(|session| {
        fill_segment(session, handles.segment)?;
        (0..ROUNDS).try_for_each(|_| one_round(session, &handles, is_inline))
    })?;
    let stats = stage.session.io().stats();
    stage.prove("QueueFull was answered", stats.queue_full)?;
    if !is_inline {
        stage.prove("BufferExhausted was answered", stats.buffer_exhausted)?;
    }
    Ok(())
}

fn one_round(session: &mut Session, handles: &Handles, is_inline: bool) -> Result<(), Wrong> {
    let Handles { log, other, segment, stale, foreign } = *handles;
    too_long_or_too_far(session, log)?;
    beyond_the_limit(session, segment)?;
    bad_handle(session, stale)?;
    bad_handle(session, foreign)?;
    full_queue(session, log, other)?;
    too_long_or_too_far(session, log)?;
    bad_handle(session, stale)?;
    session.flush()?;
    session.drain()?;
    no_block_left(session, log, other, is_inline)?;
    session.drain()?;
    append_outstanding(session, log, is_inline)?;
    session.drain()
}

fn too_long_or_too_far(session: &mut Session, fd: IoFd) -> Result<(), Wrong> {
    let too_long = data(MAX_WRITE + 1, 0);
    ensure(!too_long.is_empty(), "there is data of that length")?;
    let last = i64::MAX as u64;
    for (data, offset, errno) in [
        (too_long, 0, Errno::MSGSIZE),
        (data(1, 0), last, Errno::FBIG),
        (data(100, 0), last - 50, Errno::FBIG),
        (data(1, 0), last + 1, Errno::FBIG),
        (data(1, 0), u64::MAX, Errno::INVAL),
        (data(0, 0), u64::MAX, Errno::INVAL),
    ] {
        let answer = session.io().submit_write(fd, data, offset);
        session.refused(answer, Io(errno))?;
    }
    let answer = session.io().submit_append(fd, too_long);
    session.refused(answer, Io(Errno::MSGSIZE))
}

/// Leaves room for 100 bytes.
fn fill_segment(session: &mut Session, segment: IoFd) -> Result<(), Wrong> {
    let answer = session.io().submit_append(segment, data(900, 0));
    session.owe(answer, Expected::Bytes(900))?;
    session.drain()
}

fn beyond_the_limit(session: &mut Session, segment: IoFd) -> Result<(), Wrong> {
    equal("room of the segment", session.io().room(segment)? as i64, 100)?;
    let answer = session.io().submit_append(segment, data(101, 0));
    session.refused(answer, Io(Errno::FBIG))?;
    let answer = session.io().can_accept(segment, 101);
    session.refused(answer, Io(Errno::FBIG))?;
    Ok(session.io().can_accept(segment, 100)?)
}

fn bad_handle(session: &mut Session, fd: IoFd) -> Result<(), Wrong> {
    let answers = [
        session.io().submit_write(fd, data(1, 0), 0),
        session.io().submit_write(fd, data(0, 0), 0),
        session.io().submit_append(fd, data(1, 0)),
        session.io().submit_datasync(fd),
        session.io().tail(fd),
        session.io().room(fd),
        session.io().resume_append(fd),
        session.io().can_accept(fd, 1).map(|()| 0),
        session.io().file_status(fd).map(|_| 0),
    ];
    answers.into_iter().try_for_each(|answer| session.refused(answer, BadFd))
}

/// One file takes every operation there is; the other still has its share.
fn full_queue(session: &mut Session, log: IoFd, other: IoFd) -> Result<(), Wrong> {
    let taken = until_refused(session, log, 1, QueueFull)?;
    equal("operations one file can have pending", taken as i64, MOST_PENDING as i64)?;
    for answer in [
        session.io().submit_append(log, data(1, 0)),
        session.io().submit_append(log, data(0, 0)),
        session.io().submit_datasync(log),
        session.io().can_accept(log, 1).map(|()| 0),
    ] {
        session.refused(answer, QueueFull)?;
    }
    for _ in 0..LIMITS.operations_per_file {
        let answer = session.io().submit_append(other, data(0, 0));
        session.owe(answer, Expected::Bytes(0))?;
    }
    let answer = session.io().submit_datasync(other);
    session.refused(answer, QueueFull)
}

/// One file takes every block there is, where blocks are needed; the other still has its share.
fn no_block_left(
    session: &mut Session,
    log: IoFd,
    other: IoFd,
    is_inline: bool,
) -> Result<(), Wrong> {
    let expected = if is_inline { QueueFull } else { BufferExhausted };
    let taken = until_refused(session, log, BLOCK, expected)?;
    ensure(taken >= MAX_WRITE / BLOCK, "as many blocks as a file can hold were taken")?;
    let answer = session.io().can_accept(log, BLOCK);
    session.refused(answer, expected)?;
    let answer = session.io().submit_append(log, data(BLOCK, 0));
    session.refused(answer, expected)?;
    session.write(other, BLOCK, 0)
}

/// Writes far apart until one is refused, with this error. How many were accepted.
fn until_refused(
    session: &mut Session,
    fd: IoFd,
    len: usize,
    expected: StorageIoError,
) -> Result<usize, Wrong> {
    let mut count = 0;
    loop {
        let offset = 2 * (count * len) as u64;
        let salt = session.tally.accepted;
        let data = data(len, salt);
        let answer = session.io().submit_write(fd, data, offset);
        if answer.is_err() {
            session.refused(answer, expected)?;
            return Ok(count);
        }
        session.wrote(answer, fd, data, offset)?;
        count += 1;
    }
}

/// A write that would extend the file is refused for as long as appends are outstanding.
fn append_outstanding(session: &mut Session, log: IoFd, is_inline: bool) -> Result<(), Wrong> {
    session.append(log, 10)?;
    let end = session.end_of(log)?;
    let data = data(10, 0);
    let answer = session.io().submit_write(log, data, end);
    if is_inline {
        return session.wrote(answer, log, data, end);
    }
    session.refused(answer, QueueFull)
}
