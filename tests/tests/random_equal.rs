//! A million random operations without faults: every backend and mode gives the same results, the
//! same tails and the same bytes.
//!
//! The scripts are the same on each of the backends, and each is run to the same end: what is
//! refused for now is tried again. `RINGZERO_SEED` chooses the seed, `RINGZERO_OPERATIONS` how many
//! in all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{IoFd, Limits, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    fixture::{Fixture, Place, Scripted, Setup},
    random::{Random, bytes, number_from_env},
    real::{Real, Sync, SyncMerged, Uring, UringBound, UringFixed, UringSqPoll, Worker, WorkerFew},
    session::Session,
    sim::Sim,
};

const FILES: usize = 4;
const CALLS_PER_SCRIPT: u64 = 2_500;

/// What a caller sees of one call, once everything is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Completed {
        result: i32,
        tail: u64,
    },
    Refused(StorageIoError),
    /// A sum over the bytes, and how many.
    Read(u64, usize),
    Resumed(Result<u64, StorageIoError>),
    Closed,
}

#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    seen: Vec<Seen>,
    contents: Vec<Vec<u8>>,
}

enum Call {
    Accepted { token: u64, tail: u64 },
    Over(Seen),
}

struct Player<F: Fixture> {
    session: Session<F>,
    random: Random,
    open: Vec<IoFd>,
    stale: Vec<IoFd>,
    calls: Vec<Call>,
}

fn name(which: usize) -> String {
    format!("file {which}")
}

impl<F: Fixture> Player<F> {
    fn register(&mut self, which: usize) -> IoFd {
        // The last one is a segment: a given tail, and a limit.
        if which + 1 < FILES {
            return self.session.open(&name(which), &bytes(1, 0, which * 300));
        }
        let file = self.session.fixture.create(&name(which), &[0; 9_000]);
        self.session.io.register_segment(file, 700, 9_000).expect("registered")
    }

    fn submit(
        &mut self,
        fd: IoFd,
        submit: impl FnMut(&mut Session<F>) -> Result<u64, StorageIoError>,
    ) {
        let call = match self.session.retry(submit) {
            Ok(token) => Call::Accepted { token, tail: self.session.io.tail(fd).expect("known") },
            Err(error) => Call::Over(Seen::Refused(error)),
        };
        self.calls.push(call);
    }

    /// Reads what was accepted a moment ago, much of it under way.
    fn read(&mut self, fd: IoFd, len: usize, offset: u64) {
        let seen = match self.session.retry(|s| s.read(fd, len, offset)) {
            Err(error) => Seen::Refused(error),
            Ok(token) => {
                let bytes = self.session.bytes_of(token);
                let add = |sum: u64, byte: &u8| sum.rotate_left(5) ^ u64::from(*byte);
                Seen::Read(bytes.iter().fold(0, add), bytes.len())
            }
        };
        self.calls.push(Call::Over(seen));
    }

    fn step(&mut self, id: u64) {
        let which = self.random.below(FILES as u64) as usize;
        let fd = self.open[which];
        let what = self.random.below(1000);
        let len = match self.random.below(12) {
            0 => 0,
            1 => self.random.below(self.session.io.max_write() as u64 + 2),
            2..6 => self.random.below(700),
            _ => 64,
        } as usize;
        let place = self.random.next();
        let flushes = self.random.chance(200);
        let polls = self.random.chance(150);
        match what {
            0..400 => {
                let offset = self.session.io.tail(fd).expect("known");
                let data = bytes(id, offset, len);
                self.submit(fd, |s| s.append(fd, &data));
            }
            400..780 => {
                // Never far beyond the end, so that the files stay small.
                let tail = self.session.io.tail(fd).expect("known").min(60_000);
                let offset = if place & 1 == 0 { place % 100 * 64 } else { place % (tail + 100) };
                let data = bytes(id, offset, len);
                self.submit(fd, |s| s.write(fd, &data, offset));
            }
            780..900 => self.submit(fd, |s| s.sync(fd)),
            900..910 => {
                let stale = self.stale.get(place as usize % (self.stale.len() + 1)).copied();
                if let Some(stale) = stale {
                    let answer = self.session.append(stale, b"stale");
                    self.calls.push(Call::Over(Seen::Refused(answer.expect_err("stale"))));
                }
            }
            910..930 => {
                let answer = self.session.write(fd, b"far", i64::MAX as u64 - place % 2);
                self.calls.push(Call::Over(Seen::Refused(answer.expect_err("beyond the end"))));
            }
            930..960 => {
                let answer = self.session.io.resume_append(fd);
                self.calls.push(Call::Over(Seen::Resumed(answer)));
            }
            960..980 => {
                self.session.poll();
            }
            980..990 => {
                let tail = self.session.io.tail(fd).expect("known").min(60_000);
                self.read(fd, len, place % (tail + 100));
            }
            _ => {
                self.session.io.deregister_fd(fd).expect("closed");
                self.calls.push(Call::Over(Seen::Closed));
                self.stale.push(fd);
                self.open[which] = self.register(which);
            }
        }
        if flushes {
            self.session.io.flush().expect("open");
        }
        if polls {
            self.session.poll();
        }
    }

    fn play(session: Session<F>, seed: u64) -> Outcome {
        let random = Random::new(seed);
        let mut player =
            Self { session, random, open: Vec::new(), stale: Vec::new(), calls: Vec::new() };
        for which in 0..FILES {
            let fd = player.register(which);
            player.open.push(fd);
        }
        for id in 2..CALLS_PER_SCRIPT + 2 {
            player.step(id);
        }
        player.session.drain();
        for &fd in &player.open {
            player.session.io.deregister_fd(fd).expect("closed");
        }
        let session = &player.session;
        let seen = |call: &Call| match *call {
            Call::Accepted { token, tail } => {
                Seen::Completed { result: session.result(token), tail }
            }
            Call::Over(seen) => seen,
        };
        let seen = player.calls.iter().map(seen).collect();
        let contents = (0..FILES).map(|which| session.fixture.read(&name(which))).collect();
        Outcome { seen, contents }
    }
}

fn limits(seed: u64) -> Limits {
    let mut random = Random::new(seed ^ 77);
    Limits {
        files: FILES as u32,
        operations_per_file: 2 + random.below(30) as u32,
        operations_common: random.below(100) as u32,
        blocks_per_file: 2 + random.below(3) as u32,
        blocks_common: random.below(8) as u32,
        block_bytes: 512 << random.below(3),
    }
}

fn play<F: Fixture>(seed: u64) -> Option<Outcome> {
    let session = Session::<F>::at(Place::Memory, &Setup::with(limits(seed)))?;
    Some(Player::play(session, seed))
}

fn compare<F: Fixture>(seed: u64, expected: &Outcome) -> u64 {
    let Some(outcome) = play::<F>(seed) else { return 0 };
    let place = F::NAME;
    let pairs = outcome.seen.iter().zip(&expected.seen).enumerate();
    for (at, (is, should)) in pairs {
        assert_eq!(is, should, "call {at} on {place}, RINGZERO_SEED={seed:#x}");
    }
    assert_eq!(outcome.seen.len(), expected.seen.len(), "RINGZERO_SEED={seed:#x}");
    for (which, (is, should)) in outcome.contents.iter().zip(&expected.contents).enumerate() {
        assert!(is == should, "file {which} on {place}, RINGZERO_SEED={seed:#x}");
    }
    CALLS_PER_SCRIPT
}

#[test]
fn a_million_random_operations_without_faults_are_the_same_on_every_backend() {
    let first = number_from_env("RINGZERO_SEED", 0xE0A1);
    let wanted = number_from_env("RINGZERO_OPERATIONS", 1_000_000);
    let mut seed = first;
    let mut done = 0;
    let (mut errors, mut reads) = (0, 0);
    while done < wanted {
        let expected = play::<Scripted<false>>(seed).expect("runs everywhere");
        let is_refused = |seen: &&Seen| matches!(seen, Seen::Refused(StorageIoError::Io(_)));
        errors += expected.seen.iter().filter(is_refused).count();
        let is_read = |seen: &&Seen| matches!(seen, Seen::Read(_, 1..));
        reads += expected.seen.iter().filter(is_read).count();
        let good = |seen: &&Seen| matches!(seen, Seen::Completed { result, .. } if *result >= 0);
        assert!(expected.seen.iter().filter(good).count() as u64 * 2 > CALLS_PER_SCRIPT);
        let is_bad = |seen: &Seen| matches!(seen, Seen::Completed { result, .. } if *result < 0);
        assert!(!expected.seen.iter().any(is_bad), "no fault, no failure");
        done += CALLS_PER_SCRIPT;
        done += compare::<Scripted<true>>(seed, &expected);
        done += compare::<Sim>(seed, &expected);
        done += compare::<Real<Sync>>(seed, &expected);
        done += compare::<Real<SyncMerged>>(seed, &expected);
        done += compare::<Real<Worker>>(seed, &expected);
        done += compare::<Real<WorkerFew>>(seed, &expected);
        done += compare::<Real<Uring>>(seed, &expected);
        done += compare::<Real<UringBound>>(seed, &expected);
        done += compare::<Real<UringSqPoll>>(seed, &expected);
        done += compare::<Real<UringFixed>>(seed, &expected);
        seed += 1;
    }
    println!("RINGZERO_SEED={first:#x}: {} scripts, {done} calls, {reads} reads", seed - first);
    assert!(reads > 0, "control: bytes were read");
    assert!(errors > 0, "control: some calls were refused");
}
