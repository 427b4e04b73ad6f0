//! Files' lives: full syncs, alterations and what they put off, syncs of a directory, closing by
//! token.

use ringzero::{
    Errno, IoFd,
    StorageIoError::{BadFd, Io, QueueFull},
};

use crate::{
    session::{Expected, Session},
    shadow::data,
    stage::{Stage, Stop},
    wrong::Wrong,
};

const ROUNDS: u64 = 20;
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const DONE: Expected = Expected::Bytes(0);

pub(crate) fn run(stage: &mut Stage) -> Result<(), Stop> {
    let fd = stage.register("file")?;
    let directory = std::fs::File::open(stage.path(""))?;
    let directory = stage.session.io().register_directory(directory)?;
    stage.measured(|session| (0..ROUNDS).try_for_each(|_| one_round(session, fd, directory)))?;
    for name in NAMES {
        let goes = stage.register(name)?;
        stage.measured(|session| closes(session, goes))?;
    }
    let stats = stage.session.io().stats();
    stage.prove("files were altered", stats.alter_requests)
}

fn one_round(session: &mut Session, fd: IoFd, directory: IoFd) -> Result<(), Wrong> {
    let append = session.io().submit_append(fd, data(5_000, 0));
    session.owe(append, Expected::Bytes(5_000))?;
    let allocated = session.io().submit_allocate(fd, 0, 100_000);
    session.owe(allocated, DONE)?;
    let synced = session.io().submit_fsync(fd);
    session.owe(synced, DONE)?;
    session.drain()?;
    let punched = session.io().submit_punch(fd, 0, 4_096);
    session.owe(punched, DONE)?;
    session.drain()?;
    let truncated = session.io().submit_truncate(fd, 100);
    session.owe(truncated, DONE)?;
    put_off(session, fd)?;
    session.drain()?;
    for answer in [
        session.io().submit_write(directory, data(10, 0), 0),
        session.io().submit_truncate(directory, 10),
    ] {
        session.refused(answer, Io(Errno::INVAL))?;
    }
    let synced = session.io().submit_datasync(directory);
    session.owe(synced, DONE)?;
    session.drain()
}

/// While the truncation is unfinished, an append is for later; a backend that executes it at once
/// takes it.
fn put_off(session: &mut Session, fd: IoFd) -> Result<(), Wrong> {
    match session.io().submit_append(fd, data(10, 0)) {
        Err(refusal) => session.refused(Err::<(), _>(refusal), QueueFull),
        accepted => session.owe(accepted, Expected::Bytes(10)),
    }
}

fn closes(session: &mut Session, fd: IoFd) -> Result<(), Wrong> {
    let append = session.io().submit_append(fd, data(300, 0));
    session.owe(append, Expected::Bytes(300))?;
    let closed = session.io().submit_close(fd);
    session.owe(closed, DONE)?;
    for answer in [session.io().submit_append(fd, data(10, 0)), session.io().submit_close(fd)] {
        session.refused(answer, BadFd)?;
    }
    session.flush()?;
    session.poll()?;
    session.drain()
}
