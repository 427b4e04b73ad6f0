//! Random operations under random faults over a real kernel, each judged by the model that judges
//! the scripted executor too.
//!
//! `RINGZERO_SEED` chooses the seed, `RINGZERO_OPERATIONS` how many calls per mode. A run is not a
//! pure function of its seed: threads of the kernel take part.
//!
//! # Mutations
//! | removed or changed | red |
//! |---|---|
//! | barrier; what is behind a failed append is cancelled | all but `sync` |
//! | a lost write fails the file; failures are noted; tail; cut at close | all modes |
//! | a failed data-sync fails the file | most modes |
//! | continuation; EINTR and EAGAIN are retried | all modes |
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use ringzero_core::{IoFd, Limits, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    choices::Choices,
    conformance,
    disk::FileState,
    file_model::FileModel,
    fixture::{Fixture, SMALL, Setup},
    fuse::{Delays, Fused, Mount},
    model::{Model, Submitted, Verdict},
    random::{Random, bytes, number_from_env},
    real::{InMode, Mode},
    script::Rough,
    session::PATIENCE,
    skip::skip,
};

const LIMITS: Limits = Limits { files: 3, ..SMALL };
const NAMES: [&str; 3] = ["a", "b", "c"];

struct Open {
    name: &'static str,
    fd: IoFd,
    model: usize,
}

struct Episode<'a, M: Mode> {
    random: Random,
    io: M::Backend,
    mount: &'a Mount,
    model: Model,
    open: Vec<Open>,
    /// By registration: what its file looked like when it was closed.
    closed: Vec<Option<FileState>>,
    next_id: u64,
    counts: &'a mut Counts,
}

#[derive(Default, Debug)]
struct Counts {
    calls: u64,
    good: u64,
    failed: u64,
    syncs: u64,
    failed_syncs: u64,
    lost_files: u64,
}

impl<'a, M: Mode> Episode<'a, M> {
    fn new(fixture: &'a Fused<M>, seed: u64, counts: &'a mut Counts) -> Self {
        let mut random = Random::new(seed);
        {
            let mut state = fixture.mount.shared.state();
            state.log.clear();
            state.rough = Some(Rough {
                choices: Choices::seeded(random.next()),
                short: random.below(300),
                retry: random.below(150),
                refused: random.below(60),
                lost: random.below(10),
                sync_lost: random.below(20),
                at_once: 0,
            });
            let longest = Duration::from_micros(random.below(150));
            state.delays = Some(Delays { random: Random::new(random.next()), longest });
        }
        let mut episode = Self {
            random,
            io: fixture.backend(&Setup::with(LIMITS)),
            mount: &fixture.mount,
            model: Model::new(LIMITS),
            open: Vec::new(),
            closed: Vec::new(),
            next_id: 1,
            counts,
        };
        NAMES.iter().for_each(|name| episode.register(name));
        episode
    }

    fn register(&mut self, name: &'static str) {
        let content = vec![1; self.random.below(700) as usize];
        let file = self.mount.create(name, &content);
        let fd = self.io.register_fd(file).expect("a slot is free");
        self.model.files.push(FileModel::new(&content));
        self.closed.push(None);
        self.open.push(Open { name, fd, model: self.closed.len() - 1 });
    }

    fn step(&mut self) -> Verdict {
        self.counts.calls += 1;
        let which = self.random.below(self.open.len() as u64) as usize;
        let Open { name, fd, model } = self.open[which];
        match self.random.below(1000) {
            0..330 => self.append(name, fd, model)?,
            330..600 => self.write(name, fd, model)?,
            600..700 => {
                let tail = self.io.tail(fd).expect("known");
                let answer = self.io.submit_datasync(fd);
                self.judge(name, model, Submitted::Sync { tail }, answer)?;
            }
            700..780 => drop(self.io.flush().expect("open")),
            780..920 => self.poll()?,
            920..970 => {
                let timeout = Some(Duration::from_micros(200));
                self.io.wait(1, timeout).map_err(|error| error.to_string())?;
                self.poll()?;
            }
            970..990 => {
                let answer = self.io.resume_append(fd);
                self.model.files[model].resumed(answer)?;
            }
            _ => {
                self.close(which)?;
                self.register(name);
            }
        }
        let (owed, expected) = (self.io.pending_count(), self.model.owed());
        if owed != expected {
            return Err(format!("G1: pending_count {owed}, owed {expected}"));
        }
        Ok(())
    }

    fn append(&mut self, name: &'static str, fd: IoFd, model: usize) -> Verdict {
        let len = self.random.below(600);
        let offset = self.io.tail(fd).expect("known");
        let id = self.next_id;
        self.next_id += 1;
        let answer = self.io.submit_append(fd, &bytes(id, offset, len as usize));
        self.judge(name, model, Submitted::Append { id, offset, len }, answer)
    }

    fn write(&mut self, name: &'static str, fd: IoFd, model: usize) -> Verdict {
        let tail = self.io.tail(fd).expect("known");
        let (offset, len) = match self.random.below(3) {
            0 => (self.random.below(tail + 200), self.random.below(1_500)),
            // Neighbours, to be merged.
            _ => (self.random.below(40) * 64, 64),
        };
        let id = self.next_id;
        self.next_id += 1;
        let answer = self.io.submit_write(fd, &bytes(id, offset, len as usize), offset);
        self.judge(name, model, Submitted::Write { id, offset, len }, answer)
    }

    fn judge(
        &mut self,
        name: &'static str,
        model: usize,
        what: Submitted,
        answer: Result<u64, StorageIoError>,
    ) -> Verdict {
        let state = self.mount.shared.state();
        self.model.submitted(model, what, answer, state.file(name))
    }

    fn poll(&mut self) -> Verdict {
        let mut batch = Vec::new();
        self.io.poll_completions(&mut batch);
        for completion in batch {
            self.deliver(completion.token, completion.result)?;
        }
        Ok(())
    }

    fn deliver(&mut self, token: u64, result: i32) -> Verdict {
        let owner = self.model.owner(token).ok_or_else(|| format!("G1: {token} is not owed"))?;
        let is_sync = self.model.files[owner].is_sync(token);
        self.counts.good += u64::from(result >= 0);
        self.counts.failed += u64::from(result < 0);
        self.counts.syncs += u64::from(is_sync);
        self.counts.failed_syncs += u64::from(is_sync && result < 0);
        match &self.closed[owner] {
            Some(closed) => {
                self.model.delivered(token, result, closed)?;
                self.model.look_at_closed(owner, Some(closed))
            }
            None => {
                let open = self.open.iter().find(|open| open.model == owner);
                let name = open.expect("open, since it is not closed").name;
                let state = self.mount.shared.state();
                self.model.delivered(token, result, state.file(name))
            }
        }
    }

    fn close(&mut self, which: usize) -> Verdict {
        let Open { name, fd, model } = self.open.swap_remove(which);
        self.io.deregister_fd(fd).map_err(|error| format!("G10: deregister: {error}"))?;
        let file = self.mount.shared.state().file(name).clone();
        self.counts.lost_files += u64::from(FileModel::is_lost(&file));
        self.model.files[model].is_closed = true;
        self.closed[model] = Some(file);
        self.model.look_at_closed(model, self.closed[model].as_ref())
    }

    fn finish(&mut self) -> Verdict {
        while !self.open.is_empty() {
            self.close(0)?;
        }
        let begin = Instant::now();
        while self.io.pending_count() > 0 && begin.elapsed() < PATIENCE {
            self.poll()?;
        }
        let owed = self.io.pending_count();
        if owed == 0 { Ok(()) } else { Err(format!("G1: {owed} owed, and polling ends it not")) }
    }
}

fn random_operations_under_random_faults_are_what_the_contract_allows<F: InMode>() {
    let fixture = match Fused::<F::Mode>::with(ringzero_tests::fuse::Options::default()) {
        Ok(fixture) => fixture,
        Err(reason) => return skip(format!("{}: {reason}", F::NAME)),
    };
    let seed = number_from_env("RINGZERO_SEED", 0x000F_A175);
    let wanted = number_from_env("RINGZERO_OPERATIONS", 6_000);
    let mut counts = Counts::default();
    let mut number = 0_u64;
    while counts.calls < wanted {
        let own_seed = seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut episode = Episode::new(&fixture, own_seed, &mut counts);
        let steps = (0..600).try_for_each(|_| episode.step());
        if let Err(reason) = steps.and_then(|()| episode.finish()) {
            let stats = episode.io.stats();
            panic!("{}: {reason}\nRINGZERO_SEED={seed:#x}, episode {number}\n{stats:?}", F::NAME);
        }
        number += 1;
    }
    let faults = fixture.mount.shared.state().fault_count;
    println!(
        "{}: RINGZERO_SEED={seed:#x}: {number} episodes, {faults} faults, {counts:?}",
        F::NAME
    );
    assert!(counts.good * 10 > counts.calls && counts.failed * 200 > counts.calls, "{counts:?}");
    assert!(counts.syncs > 0 && counts.failed_syncs > 0 && counts.lost_files > 0, "{counts:?}");
}

conformance!(@real random_operations_under_random_faults_are_what_the_contract_allows);
