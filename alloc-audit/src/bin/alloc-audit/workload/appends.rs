//! Appends: packed many to a block, longer than a block, of no bytes, in front of and behind writes
//! that move the tail.

use ringzero::IoFd;

use crate::{
    backend::LIMITS,
    session::Session,
    stage::{Stage, Stop},
    wrong::Wrong,
};

const ROUNDS: u64 = 60;
const BLOCK: usize = LIMITS.block_bytes as usize;

pub(crate) fn run(stage: &mut Stage) -> Result<(), Stop> {
    let fd = stage.follow("log")?;
    stage.measured(|session| (0..ROUNDS).try_for_each(|round| one_round(session, fd, round)))?;
    let merged = stage.session.io().stats().merged_records;
    if !stage.column.is_inline() {
        stage.prove("appends were packed", merged)?;
    }
    Ok(())
}

/// Grows the file by at most 31,000 bytes.
fn one_round(session: &mut Session, fd: IoFd, round: u64) -> Result<(), Wrong> {
    session.append(fd, 0)?;
    for index in 0..60 {
        session.append(fd, 1 + (round as usize * 7 + index * 13) % 128)?;
        // Two requests of one file may be in flight; what comes meanwhile is packed behind them.
        if index % 20 == 5 {
            session.flush()?;
        }
    }
    session.append(fd, 0)?;
    session.append(fd, BLOCK)?;
    session.append(fd, 2 * BLOCK + 100 + round as usize)?;
    session.flush()?;
    session.append(fd, 100)?;
    // Behind the tail: taken while appends are outstanding, and ordered with nothing of theirs.
    session.write(fd, 32, 0)?;
    session.drain()?;
    // Beyond the tail: moves it.
    let end = session.end_of(fd)?;
    session.write(fd, 50, end + 10)?;
    session.append(fd, 20)?;
    session.drain()
}
