//! Guarantee 6 read from the log of a file system that delays and reorders: no FSYNC before the
//! WRITEs it covers, none after one that failed.
//!
//! What the backend accepted and delivered stands in the same log; `fuse::log::check` judges it,
//! and is tried on logs made by hand first.
//!
//! # Mutations
//! | removed or changed | red |
//! |---|---|
//! | barrier | both tests, all but `sync` |
//! | a failed data-sync is not tried again; fails the file | `under_delays_…`, most modes |
//! | continuation of writes; of appends; inline | `under_delays_…`, wherever it is used |
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use ringzero_core::{
    Errno, IoFd, Outcome, StorageIo, StorageIoError, StorageIoExt, SyncKind, WriteKind,
};
use ringzero_tests::{
    conformance,
    disk::Ask,
    fixture::Setup,
    fuse::{self, Action, Delays, Event, Fused, Of, log::check},
    random::{Random, bytes, number_from_env},
    real::{InMode, Mode},
    script::Rough,
    session::{PATIENCE, Session},
};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// One file as the test knows it.
struct Known {
    fd: IoFd,
    /// What was accepted, in order.
    image: Vec<u8>,
    is_failed: bool,
}

struct Run<M: Mode> {
    s: Session<Fused<M>>,
    random: Random,
    files: Vec<Known>,
    next_id: u64,
    told: usize,
}

impl<M: Mode> Run<M> {
    fn new(mut s: Session<Fused<M>>, seed: u64) -> Self {
        let image = vec![1; 600];
        let files = NAMES.map(|name| {
            let fd = s.open(name, &image);
            Known { fd, image: image.clone(), is_failed: false }
        });
        Self { s, random: Random::new(seed), files: files.into(), next_id: 1, told: 0 }
    }

    /// Submits something at random and tells the log. `false`: later.
    fn submit(&mut self) -> bool {
        let inode = self.random.below(4) as usize;
        let Known { fd, is_failed, .. } = self.files[inode];
        if is_failed {
            return true;
        }
        let what = self.random.below(10);
        let len = 1 + self.random.below(400);
        let tail = self.s.io.tail(fd).unwrap();
        let offset = if what < 4 { tail } else { self.random.below(tail + 1) };
        let data = bytes(self.next_id, offset, len as usize);
        let shared = self.s.shared();
        // A backend that executes inside the call has ended before the call has.
        let line = shared.state().log.len();
        let (answer, span) = match what {
            0..4 => (self.s.append(fd, &data), Some((offset, len))),
            4..8 => (self.s.write(fd, &data, offset), Some((offset, len))),
            _ => (self.s.sync(fd), None),
        };
        self.next_id += 1;
        match answer {
            Ok(token) => {
                shared.state().log.insert(line, Event::Accepted { token, inode, span });
                let image = &mut self.files[inode].image;
                if span.is_some() {
                    let end = (offset + len) as usize;
                    image.resize(image.len().max(end), 0);
                    image[offset as usize..end].copy_from_slice(&data);
                }
                true
            }
            Err(StorageIoError::QueueFull | StorageIoError::BufferExhausted) => false,
            Err(StorageIoError::Io(_)) => {
                self.files[inode].is_failed = true;
                true
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Polls and tells the log.
    fn poll(&mut self) {
        self.s.poll();
        let shared = self.s.shared();
        for &token in &self.s.delivered[self.told..] {
            let result = self.s.result(token);
            shared.state().log.push(Event::Delivered { token, result });
        }
        self.told = self.s.delivered.len();
    }

    /// Ends with nothing owed, and checks everything. How many datasyncs succeeded.
    fn finish(mut self, mut go_on: impl FnMut(&mut Self)) -> usize {
        let begin = Instant::now();
        while self.s.io.pending_count() > 0 {
            assert!(begin.elapsed() < PATIENCE, "{} owed", self.s.io.pending_count());
            go_on(&mut self);
            self.s.io.wait(1, Some(Duration::from_micros(200))).unwrap();
            self.poll();
        }
        let shared = self.s.shared();
        let log = std::mem::take(&mut shared.state().log);
        let mut count = 0;
        for (inode, name) in NAMES.iter().enumerate() {
            let status = self.s.io.file_status(self.files[inode].fd).unwrap();
            match check(&log, inode) {
                Ok(checked) => count += checked,
                Err(reason) => panic!("{}: file {name}: {reason}", M::NAME),
            }
            if status.failed.is_none() {
                assert!(shared.read(name) == self.files[inode].image, "{}: file {name}", M::NAME);
            }
        }
        count
    }
}

/// The seed, different in each mode.
fn seed<M: Mode>() -> u64 {
    let name = M::NAME.bytes().fold(0, |sum: u64, byte| sum.rotate_left(7) ^ u64::from(byte));
    let seed = number_from_env("RINGZERO_SEED", 0x0DE1_A75E) ^ name;
    println!("{}: seed {seed:#x} after RINGZERO_SEED", M::NAME);
    seed
}

fn under_delays_no_sync_overtakes_what_it_covers<F: InMode>() {
    for sync_lost in [0, 30] {
        let Some(s) = fuse::open::<F::Mode>(&Setup::default()) else { return };
        let shared = s.shared();
        let mut run = Run::new(s, seed::<F::Mode>());
        let longest = Duration::from_micros(400);
        {
            let mut state = shared.state();
            state.delays = Some(Delays { random: Random::new(run.random.next()), longest });
            state.rough = Some(Rough { sync_lost, ..Rough::harmless(run.random.next()) });
        }
        for _ in 0..400 {
            if !run.submit() || run.random.chance(300) {
                run.s.io.wait(1, Some(Duration::from_micros(100))).unwrap();
                run.poll();
            }
            if run.random.chance(200) {
                run.s.io.flush().unwrap();
            }
        }
        let count = run.finish(|_| ());
        println!("{}: {count} datasyncs, {} faults", F::NAME, shared.state().fault_count);
        assert!(count >= if sync_lost == 0 { 30 } else { 1 }, "control: {count}");
    }
}

fn whatever_the_order_of_the_replies_no_sync_overtakes_what_it_covers<F: InMode>() {
    if !F::HAS_EXECUTOR {
        return println!("skipped on {}: it has one request at a time, and waits for it", F::NAME);
    }
    let Some(s) = fuse::open::<F::Mode>(&Setup::default()) else { return };
    let shared = s.shared();
    let mut run = Run::new(s, seed::<F::Mode>());
    let holds: Vec<_> = NAMES
        .iter()
        .flat_map(|name| [Of::Writes, Of::Syncs].map(|of| shared.hold(name, of, u32::MAX)))
        .collect();
    let mut reordered = 0;
    let release_one = |run: &mut Run<F::Mode>, reordered: &mut u32| {
        let held = run.s.shared().state().held();
        if !held.is_empty() {
            let at = run.random.below(held.len() as u64) as usize;
            *reordered += u32::from(at > 0);
            run.s.shared().release_these(&[held[at]], Action::Complete);
        }
    };
    for _ in 0..400 {
        if !run.submit() {
            run.s.io.wait(1, Some(Duration::from_micros(100))).unwrap();
            release_one(&mut run, &mut reordered);
        }
        if run.random.chance(300) {
            run.s.io.flush().unwrap();
            run.poll();
        }
    }
    let count = run.finish(|run| release_one(run, &mut reordered));
    println!("{}: {count} datasyncs, {reordered} replies out of order", F::NAME);
    assert!(count >= 30, "control: {count}");
    drop(holds);
}

fn began(number: u64, ask: Ask) -> Event {
    Event::Began { number, inode: 0, ask }
}

fn write(number: u64, offset: u64, len: u64) -> Event {
    began(number, Ask::Write { offset, len, pieces: 1, kind: WriteKind::Plain })
}

fn sync(number: u64) -> Event {
    began(number, Ask::Sync(SyncKind::Data))
}

fn ended(number: u64, outcome: Outcome) -> Event {
    Event::Ended { number, outcome }
}

fn accepted(token: u64, span: Option<(u64, u64)>) -> Event {
    Event::Accepted { token, inode: 0, span }
}

fn delivered(token: u64, result: i32) -> Event {
    Event::Delivered { token, result }
}

const SPAN: Option<(u64, u64)> = Some((0, 100));

#[test]
fn control_the_check_accepts_a_good_log() {
    let log = [
        accepted(1, SPAN),
        accepted(2, None),
        accepted(3, Some((500, 10))),
        write(0, 0, 100),
        ended(0, Ok(40)),
        write(1, 40, 60),
        ended(1, Ok(60)),
        sync(2),
        write(3, 500, 10),
        ended(2, Ok(0)),
        delivered(2, 0),
        ended(3, Ok(10)),
    ];
    assert_eq!(check(&log, 0), Ok(1), "the second write is not covered, the first in two parts");
}

#[test]
fn control_the_check_finds_each_kind_of_bad_log() {
    let [first, second] = [accepted(1, SPAN), accepted(2, None)];
    let io = Err(Errno::IO);
    let bad: [(&str, Vec<Event>); 7] = [
        (
            "the FSYNC begins before the WRITE has ended",
            vec![first, second, write(0, 0, 100), sync(1), ended(0, Ok(100)), ended(1, Ok(0))],
        ),
        (
            "the FSYNC begins before the WRITE has begun",
            vec![first, second, sync(0), ended(0, Ok(0)), write(1, 0, 100), ended(1, Ok(100))],
        ),
        (
            "the rest of a short WRITE never came",
            vec![first, second, write(0, 0, 100), ended(0, Ok(40)), sync(1), ended(1, Ok(0))],
        ),
        (
            "the rest of a short WRITE came after the FSYNC",
            vec![
                first,
                second,
                write(0, 0, 100),
                ended(0, Ok(40)),
                sync(1),
                ended(1, Ok(0)),
                write(2, 40, 60),
                ended(2, Ok(60)),
            ],
        ),
        (
            "the FSYNC failed",
            vec![first, second, write(0, 0, 100), ended(0, Ok(100)), sync(1), ended(1, io)],
        ),
        (
            "the FSYNC failed and was tried again",
            vec![
                first,
                second,
                write(0, 0, 100),
                ended(0, Ok(100)),
                sync(1),
                ended(1, io),
                sync(2),
                ended(2, Ok(0)),
            ],
        ),
        (
            "the WRITE failed for good, and yet an FSYNC came",
            vec![first, second, write(0, 0, 100), ended(0, io), sync(1), ended(1, Ok(0))],
        ),
    ];
    for (name, mut log) in bad {
        log.push(delivered(2, 0));
        assert!(check(&log, 0).is_err(), "{name}");
    }
    let early = [second, sync(0), delivered(2, 0), ended(0, Ok(0))];
    assert!(check(&early, 0).is_err(), "delivered before the FSYNC had ended");
}

conformance!(
    @real
    under_delays_no_sync_overtakes_what_it_covers,
    whatever_the_order_of_the_replies_no_sync_overtakes_what_it_covers,
);
