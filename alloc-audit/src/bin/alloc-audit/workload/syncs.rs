//! Datasyncs: committers that share one, several files at a time, a sync of nothing new.

use ringzero::IoFd;

use crate::{
    session::Session,
    stage::{Stage, Stop},
    wrong::Wrong,
};

const ROUNDS: u64 = 40;
const COMMITTERS: usize = 4;

pub(crate) fn run(stage: &mut Stage) -> Result<(), Stop> {
    let fds = [stage.follow("log a")?, stage.follow("log b")?, stage.follow("table")?];
    stage.measured(|session| (0..ROUNDS).try_for_each(|_| one_round(session, &fds)))?;
    let stats = stage.session.io().stats();
    if !stage.column.is_inline() {
        stage.prove("syncs were shared", stats.shared_syncs)?;
    }
    stage.prove("the system was asked to sync", stats.sync_requests)
}

fn one_round(session: &mut Session, fds: &[IoFd; 3]) -> Result<(), Wrong> {
    let [log_a, log_b, table] = *fds;
    for log in [log_a, log_b] {
        for committer in 0..COMMITTERS {
            session.append(log, 100 + committer)?;
            session.sync(log)?;
        }
    }
    session.write(table, 500, 0)?;
    session.flush()?;
    session.sync(table)?;
    // A second group, which waits until the first is in.
    for log in [log_a, log_b] {
        session.append(log, 10)?;
        session.sync(log)?;
        session.sync(log)?;
    }
    session.flush()?;
    session.poll()?;
    session.drain()
}
