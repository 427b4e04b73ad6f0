//! Around the cold path: completions of a file that was deregistered with work in flight, its
//! handle afterwards, a slot that is used again; and what is left after shutdown.
//!
//! Deregistration and shutdown themselves are outside of the zones.

use ringzero::{
    IoFd,
    StorageIoError::{BadFd, Closed},
};

use crate::{
    session::{PATIENCE, Session},
    shadow::data,
    stage::{Stage, Stop},
    wrong::{Wrong, ensure, equal},
};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

pub(crate) fn run(stage: &mut Stage) -> Result<(), Stop> {
    let stays = stage.follow("stays")?;
    for name in NAMES {
        let goes = stage.follow(name)?;
        stage.measured(|session| {
            submit(session, stays)?;
            submit(session, goes)?;
            session.flush().map(|_| ())
        })?;
        stage.session.io().deregister_fd(goes)?;
        stage.measured(|session| {
            gone(session, goes)?;
            submit(session, stays)?;
            equal("into room for two", session.poll_few::<2>()? as i64, 2)?;
            session.drain()?;
            gone(session, goes)
        })?;
    }
    stage.measured(|session| submit(session, stays))?;
    stage.session.io().shutdown(PATIENCE)?;
    stage.measured(|session| {
        closed(session, stays)?;
        ensure(session.owed_count() > 2, "something is left")?;
        equal("into room for two", session.poll_few::<2>()? as i64, 2)?;
        session.poll()?;
        equal("left after a poll", session.owed_count() as i64, 0)?;
        closed(session, stays)
    })
}

fn submit(session: &mut Session, fd: IoFd) -> Result<(), Wrong> {
    for index in 0..5 {
        session.append(fd, 100 + index)?;
    }
    session.write(fd, 64, 0)?;
    session.sync(fd)
}

fn gone(session: &mut Session, fd: IoFd) -> Result<(), Wrong> {
    for answer in [
        session.io().submit_write(fd, data(10, 0), 0),
        session.io().submit_append(fd, data(10, 0)),
        session.io().submit_datasync(fd),
        session.io().tail(fd),
        session.io().resume_append(fd),
        session.io().file_status(fd).map(|_| 0),
    ] {
        session.refused(answer, BadFd)?;
    }
    Ok(())
}

fn closed(session: &mut Session, fd: IoFd) -> Result<(), Wrong> {
    for answer in [
        session.io().submit_write(fd, data(10, 0), 0),
        session.io().submit_append(fd, data(10, 0)),
        session.io().submit_datasync(fd),
        session.io().can_accept(fd, 10).map(|()| 0),
        session.io().flush().map(|_| 0),
    ] {
        session.refused(answer, Closed)?;
    }
    let ready_count = session.io().wait(1, None)?;
    equal("can be polled after shutdown", ready_count as i64, session.owed_count() as i64)
}
