//! A backend in an epoll loop, beside a timer: every tick is appended to a log and committed.
//!
//! ```text
//! cargo run --release -p ringzero --example epoll_loop
//! ```
#![allow(clippy::print_stdout, reason = "the program's output")]

mod platform;

use std::{error::Error, fs, time::Duration};

use platform::{Epoll, Timer};
use ringzero::{Config, StorageIoError, open};

/// The sources by name.
const TIMER: u64 = 1;
const BACKEND: u64 = 2;

const TICKS: u64 = 100;
const RECORD_BYTES: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("ticks.log");
    let opened = open(&Config::default())?;
    let (mut io, kind) = (opened.io, opened.report.backend);
    let log = io.register_fd(fs::File::create_new(&path)?)?;

    // One epoll, two sources.
    let mut timer = Timer::every(Duration::from_millis(1))?;
    let epoll = Epoll::new()?;
    epoll.add(&timer, TIMER)?;
    epoll.add(&io.wait_handle()?, BACKEND)?;

    let mut completions = Vec::with_capacity(64);
    let (mut ticks, mut wakes) = (0, 0);
    while ticks < TICKS || io.pending_count() > 0 {
        // The last call before the sleep. False: there is something to poll already.
        let may_sleep = io.prepare_wait()?;
        let sources = epoll.wait(may_sleep)?;

        if sources.contains(&TIMER) {
            let ended = timer.take().min(TICKS - ticks);
            for tick in ticks..ticks + ended {
                io.submit_append(log, &tick.to_le_bytes())?;
            }
            if ended > 0 {
                io.submit_datasync(log)?;
            }
            ticks += ended;
        }
        // The handle is not read: `prepare_wait` does that. Polling is always allowed, and cheap.
        wakes += u64::from(sources.contains(&BACKEND));
        io.poll_completions(&mut completions);
        for completion in completions.drain(..) {
            completion.outcome().map_err(StorageIoError::Io)?;
        }
    }

    // Everything that was committed is there, in order.
    let bytes = fs::read(&path)?;
    let records: Vec<u64> = bytes
        .chunks_exact(RECORD_BYTES)
        .map(|record| record.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
        .collect();
    assert_eq!(records, (0..TICKS).collect::<Vec<_>>());
    println!("epoll_loop: {TICKS} ticks committed on {kind}, woken {wakes} times by the backend");
    Ok(())
}
