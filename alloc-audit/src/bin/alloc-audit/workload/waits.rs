//! Waiting: for nothing, for one, for all, for more than there is; without a limit, and until the
//! time is up. Now and then the loop is idle for so long that a polling thread falls asleep.

use std::{thread, time::Duration};

use ringzero::IoFd;

use crate::{
    session::{PATIENCE, Session},
    stage::{Stage, Stop},
    wrong::{Wrong, ensure, equal},
};

const ROUNDS: u64 = 64;
/// One and a half times the idle time of the backend that polls.
const IDLE: Duration = Duration::from_millis(30);

/// How often the time was up.
#[derive(Default)]
struct Seen {
    timeouts: u64,
}

pub(crate) fn run(stage: &mut Stage) -> Result<(), Stop> {
    let fds = [stage.follow("a")?, stage.follow("b")?];
    let takes_time = stage.column.takes_time();
    let mut seen = Seen::default();
    stage.measured(|session| {
        for round in 0..ROUNDS {
            if round % 16 == 8 {
                thread::sleep(IDLE);
            }
            one_round(session, &fds, takes_time, &mut seen)?;
        }
        Ok(())
    })?;
    // Of 128 waits for syncs of two files, for no time and for a microsecond.
    if takes_time {
        stage.prove("a wait ended because its time was up", seen.timeouts)?;
    }
    Ok(())
}

fn one_round(
    session: &mut Session,
    fds: &[IoFd; 2],
    takes_time: bool,
    seen: &mut Seen,
) -> Result<(), Wrong> {
    for (min, timeout) in [(0, None), (1, None), (usize::MAX, Some(PATIENCE))] {
        equal("a wait for nothing", session.io().wait(min, timeout)? as i64, 0)?;
    }
    for fd in *fds {
        for index in 0..6 {
            session.append(fd, 100 + index)?;
        }
        session.sync(fd)?;
    }
    let owed_count = session.owed_count();
    for timeout in [Duration::ZERO, Duration::from_micros(1)] {
        let ready_count = session.io().wait(usize::MAX, Some(timeout))?;
        ensure(ready_count <= owed_count, "no more ended than was accepted")?;
        if ready_count < owed_count {
            ensure(takes_time, "what this thread executes needs no more time")?;
            seen.timeouts += 1;
        }
    }
    let ready_count = session.io().wait(1, Some(PATIENCE))?;
    ensure(ready_count >= 1, "the one waited for")?;
    let ready_count = session.io().wait(0, None)?;
    ensure(ready_count >= 1, "what ended stays until it is polled")?;
    session.poll_few::<1>()?;
    // Longer than any clock can tell: no limit.
    let ready_count = session.io().wait(usize::MAX, Some(Duration::MAX))?;
    equal("a wait for all", ready_count as i64, session.owed_count() as i64)?;
    session.drain()
}
