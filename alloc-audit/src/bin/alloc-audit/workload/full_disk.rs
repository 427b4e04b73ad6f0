//! A file system that fills up while a log grows in it: a tmpfs of 64 pages. Short results, real
//! ENOSPC in the middle of a stream of appends, and going on once there is room again.
//!
//! A ballast file takes most of the room at first, and gives back a few pages per round.

use std::fs::{File, OpenOptions};

use ringzero::{Errno, IoFd, StorageIoError};

use crate::{
    platform::Tiny,
    session::{Expected, Session},
    shadow::data,
    stage::{Stage, Stop},
    wrong::{Wrong, ensure, equal},
};

const PAGE: u64 = 4_096;
const DISK_PAGES: u64 = 64;
const ROUNDS: u64 = 10;
const PAGES_PER_ROUND: u64 = 5;
/// No multiple of a page: the one that does not fit is cut short first.
const RECORD: usize = 10_000;
const FULL: Errno = Errno::NOSPC;

struct Files {
    log: IoFd,
    table: IoFd,
    ballast: File,
}

pub(crate) fn run(stage: &mut Stage) -> Result<(), Stop> {
    let disk = Tiny::mount(stage.path("disk"), (DISK_PAGES * PAGE) as usize).map_err(|error| {
        Stop::Skipped(format!("a small tmpfs cannot be mounted (it takes root): {error}"))
    })?;
    let create = |name| {
        OpenOptions::new().read(true).write(true).create_new(true).open(disk.path().join(name))
    };
    let ballast = create("ballast")?;
    let ballast_pages = ROUNDS * PAGES_PER_ROUND;
    std::io::Write::write_all(&mut &ballast, &vec![1; (ballast_pages * PAGE) as usize])?;
    let files = Files {
        log: stage.session.io().register_fd(create("log")?)?,
        table: stage.session.io().register_fd(create("table")?)?,
        ballast,
    };
    let mut record_count = 0;
    stage.measured(|session| {
        for round in 1..=ROUNDS {
            record_count += fill(session, &files)?;
            no_room_for_writes(session, files.table)?;
            let kept_pages = ballast_pages - round * PAGES_PER_ROUND;
            let is_cut = files.ballast.set_len(kept_pages * PAGE).is_ok();
            ensure(is_cut, "the ballast gives room back")?;
            go_on(session, files.log, record_count * RECORD as u64)?;
        }
        Ok(())
    })?;
    stage.prove("records were written", record_count)?;
    let short_results = stage.session.io().stats().short_results;
    stage.prove("a record was cut short by the end of the disk", short_results)
}

/// Appends until there is no room. How many records went in.
fn fill(session: &mut Session, files: &Files) -> Result<u64, Wrong> {
    let log = files.log;
    let begin = session.io().tail(log)?;
    while !session.is_full() {
        for _ in 0..3 {
            let answer = session.io().submit_append(log, data(RECORD, 0));
            session.owe(answer, Expected::BytesUntilFull(RECORD))?;
        }
        session.drain()?;
    }
    let answer = session.io().submit_append(log, data(1, 0));
    session.refused(answer, StorageIoError::Io(FULL))?;
    let status = session.io().file_status(log)?;
    ensure(status.failed.is_none() && status.append_failed == Some(FULL), "appends are refused")?;
    let written = session.io().tail(log)? - begin;
    equal("the tail is at the end of a record", (written % RECORD as u64) as i64, 0)?;
    Ok(written / RECORD as u64)
}

fn no_room_for_writes(session: &mut Session, table: IoFd) -> Result<(), Wrong> {
    let answer = session.io().submit_write(table, data(3 * PAGE as usize, 0), 100 * PAGE);
    session.owe(answer, Expected::Failure(FULL))?;
    let answer = session.io().submit_datasync(table);
    session.owe(answer, Expected::Failure(FULL))?;
    let answer = session.io().submit_datasync(table);
    session.owe(answer, Expected::Bytes(0))?;
    session.drain()
}

/// Reports what failed, and takes appends again.
fn go_on(session: &mut Session, log: IoFd, tail: u64) -> Result<(), Wrong> {
    let answer = session.io().submit_datasync(log);
    session.owe(answer, Expected::Failure(FULL))?;
    let answer = session.io().submit_datasync(log);
    session.owe(answer, Expected::Bytes(0))?;
    session.drain()?;
    let resumed = session.resume(log)?;
    equal("the tail after resuming", resumed as i64, tail as i64)
}
