//! Positional writes: strided, adjacent (they merge), overlapping (they wait for each other),
//! longer than a block, as long as can be, and of no bytes.

use ringzero::IoFd;

use crate::{
    backend::{LIMITS, MAX_WRITE},
    session::Session,
    stage::{Stage, Stop},
    wrong::Wrong,
};

const ROUNDS: u64 = 200;
const BLOCK: usize = LIMITS.block_bytes as usize;

pub(crate) fn run(stage: &mut Stage) -> Result<(), Stop> {
    let fd = stage.follow("file")?;
    stage.measured(|session| (0..ROUNDS).try_for_each(|round| one_round(session, fd, round)))?;
    let stats = stage.session.io().stats();
    if !stage.column.is_inline() {
        stage.prove("adjacent writes were merged", stats.merged_records)?;
        stage.prove("blocks were used", u64::from(stats.blocks_peak))?;
    }
    Ok(())
}

fn one_round(session: &mut Session, fd: IoFd, round: u64) -> Result<(), Wrong> {
    let shift = round % 8 * 512;
    for index in 0..24 {
        session.write(fd, 64, shift + index * 128)?;
    }
    session.flush()?;
    for index in 0..24 {
        session.write(fd, 64, 100_000 + shift + index * 64)?;
    }
    session.write(fd, 0, shift)?;
    session.flush()?;
    for index in 0..8 {
        session.write(fd, 300, 200_000 + shift + index * 100)?;
    }
    session.drain()?;
    session.write(fd, BLOCK, 300_000)?;
    session.write(fd, BLOCK + 1, 300_000 + BLOCK as u64 + shift)?;
    session.write(fd, 2 * BLOCK + 77, 400_000 + shift)?;
    session.flush()?;
    session.drain()?;
    session.write(fd, MAX_WRITE, 500_000 + shift)?;
    session.drain()
}
