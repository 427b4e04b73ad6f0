//! More than one thread: the backend is used by one, handed to another with work in flight, and
//! back. Where it is bound to the first, everything is refused to the other.
//!
//! Each thread has a zone of its own, and the other thread is a new one each time.

use std::time::Duration;

use ringzero::{Errno, IoFd, StorageIoError::Io};

use crate::{
    backend::Binding,
    session::Session,
    shadow::data,
    stage::{Stage, Stop},
    wrong::{Wrong, equal},
};

const ROUNDS: u64 = 10;

pub(crate) fn run(stage: &mut Stage) -> Result<(), Stop> {
    let fd = stage.follow("log")?;
    for _ in 0..ROUNDS {
        stage.measured(|session| submit(session, fd))?;
        match stage.column.binding {
            Binding::None => stage.measured_elsewhere(|session| {
                session.drain()?;
                submit(session, fd)
            })?,
            Binding::FirstUser => stage.measured_elsewhere(|session| nothing_works(session, fd))?,
        }
        stage.measured(|session| {
            submit(session, fd)?;
            session.drain()
        })?;
    }
    Ok(())
}

/// Leaves work in flight.
fn submit(session: &mut Session, fd: IoFd) -> Result<(), Wrong> {
    for index in 0..8 {
        session.append(fd, 100 + index)?;
    }
    session.write(fd, 64, 0)?;
    session.sync(fd)?;
    session.flush()?;
    // Behind what flies.
    session.append(fd, 9)
}

fn nothing_works(session: &mut Session, fd: IoFd) -> Result<(), Wrong> {
    for _ in 0..20 {
        for answer in [
            session.io().submit_write(fd, data(10, 0), 0),
            session.io().submit_append(fd, data(10, 0)),
            session.io().submit_datasync(fd),
            session.io().tail(fd),
            session.io().room(fd),
            session.io().resume_append(fd),
            session.io().flush().map(|_| 0),
            session.io().wait(1, None).map(|_| 0),
            session.io().wait(1, Some(Duration::from_millis(1))).map(|_| 0),
            session.io().can_accept(fd, 10).map(|()| 0),
            session.io().file_status(fd).map(|_| 0),
        ] {
            session.refused(answer, Io(Errno::EXIST))?;
        }
        equal("delivered to another thread", session.poll()? as i64, 0)?;
    }
    Ok(())
}
