//! Polling: into sinks with little room or none, into a `Vec` that has room, and as the only call
//! of a loop that never flushes.

use std::{hint, time::Instant};

use ringzero::{IoCompletion, IoFd};

use crate::{
    session::{PATIENCE, Session},
    stage::{Stage, Stop},
    wrong::{Wrong, ensure, equal},
};

const ROUNDS: u64 = 25;

pub(crate) fn run(stage: &mut Stage) -> Result<(), Stop> {
    let fds = [stage.follow("a")?, stage.follow("b")?];
    let mut room = Vec::with_capacity(64);
    stage.measured(|session| {
        for _ in 0..ROUNDS {
            (0..4).try_for_each(|_| into_little_room(session, &fds, &mut room))?;
            by_polling_alone(session, &fds)?;
        }
        Ok(())
    })
}

fn submit(session: &mut Session, fds: &[IoFd; 2]) -> Result<(), Wrong> {
    for fd in *fds {
        for index in 0..10 {
            session.append(fd, 40 + index)?;
        }
    }
    Ok(())
}

fn into_little_room(
    session: &mut Session,
    fds: &[IoFd; 2],
    room: &mut Vec<IoCompletion>,
) -> Result<(), Wrong> {
    submit(session, fds)?;
    session.flush()?;
    session.wait_for_all()?;
    equal("into no room", session.poll_few::<0>()? as i64, 0)?;
    equal("into room for one", session.poll_few::<1>()? as i64, 1)?;
    equal("into room for three", session.poll_few::<3>()? as i64, 3)?;
    room.clear();
    session.poll_into(room);
    session.take(room)?;
    equal("the rest", room.len() as i64, 20 - 4)
}

fn by_polling_alone(session: &mut Session, fds: &[IoFd; 2]) -> Result<(), Wrong> {
    submit(session, fds)?;
    let end = Instant::now() + PATIENCE;
    while session.owed_count() > 0 {
        ensure(Instant::now() < end, "polls alone make progress")?;
        if session.poll_few::<7>()? == 0 {
            hint::spin_loop();
        }
    }
    Ok(())
}
