//! A million random operations under random faults, each judged by the model.
//!
//! `RINGZERO_SEED` chooses the seed, `RINGZERO_OPERATIONS` how many. A failure prints both and the
//! episode; each episode has its own seed, so that it can be run alone (`RINGZERO_EPISODE`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{
    IoCompletion, IoFd, Limits, SliceSink, StorageIo, StorageIoError, StorageIoExt,
};
use ringzero_tests::{
    disk::{Disk, FileState, Node},
    file_model::FileModel,
    fixture::Setup,
    model::{Model, Submitted, Verdict},
    random::{Random, bytes, number_from_env},
    script::{Order, Rough},
    scripted::ScriptedBackend,
};

const NAMES: [&str; 3] = ["a", "b", "c"];

/// One registered file.
struct Open {
    name: &'static str,
    fd: IoFd,
    model: usize,
}

struct Episode {
    random: Random,
    disk: Disk,
    io: ScriptedBackend,
    model: Model,
    open: Vec<Open>,
    /// What the file of a closed registration looked like when it was closed.
    closed: Vec<Option<FileState>>,
    next_id: u64,
    counts: Counts,
    /// One episode only: its calls are printed.
    is_traced: bool,
}

#[derive(Default, Debug)]
struct Counts {
    calls: u64,
    good: u64,
    failed: u64,
    syncs: u64,
    failed_syncs: u64,
    resumed: u64,
    lost_files: u64,
}

fn limits(random: &mut Random) -> Limits {
    Limits {
        files: 2 + random.below(2) as u32,
        operations_per_file: 1 + random.below(12) as u32,
        operations_common: random.below(40) as u32,
        blocks_per_file: 1 + random.below(2) as u32,
        blocks_common: random.below(5) as u32,
        block_bytes: 512,
    }
}

impl Episode {
    fn new(seed: u64, is_traced: bool) -> Self {
        let mut random = Random::new(seed);
        let limits = limits(&mut random);
        let disk = Disk::default();
        {
            let mut state = disk.state();
            state.is_quiet = true;
            let is_calm = random.chance(200);
            let rate = |random: &mut Random, most| if is_calm { 0 } else { random.below(most) };
            state.rough = Some(Rough {
                random: Random::new(random.next()),
                short: random.below(300),
                retry: random.below(150),
                refused: rate(&mut random, 60),
                lost: rate(&mut random, 8),
                sync_lost: rate(&mut random, 20),
                at_once: random.below(300),
            });
            state.order = match random.below(4) {
                0 => Order::Oldest,
                1 => Order::Newest,
                _ => Order::Shuffled(Random::new(random.next())),
            };
            state.room = if random.chance(200) { 1 + random.below(4) as usize } else { 0 };
        }
        let mut episode = Self {
            io: ScriptedBackend::new(&disk, &Setup::with(limits)),
            random,
            disk,
            model: Model::new(limits),
            open: Vec::new(),
            closed: Vec::new(),
            next_id: 1,
            counts: Counts::default(),
            is_traced,
        };
        for name in &NAMES[..limits.files as usize] {
            episode.register(name);
        }
        episode
    }

    fn register(&mut self, name: &'static str) {
        let is_new = self.closed.is_empty() || self.random.chance(500);
        let file = if is_new || !self.disk.state().files.iter().any(|file| file.name == name) {
            let content = vec![1; self.random.below(700) as usize];
            self.disk.create(name, Node::Regular, &content)
        } else {
            self.disk.open(name)
        };
        let image = self.disk.read(name);
        {
            // What was there before the registration counts as durable after the first sync.
            let mut state = self.disk.state();
            let known = state.files.iter_mut().find(|file| file.name == name);
            known.expect("just made").durable.clone_from(&image);
        }
        let fd = self.io.register_fd(file).expect("a slot is free");
        self.model.files.push(FileModel::new(&image));
        self.closed.push(None);
        self.open.push(Open { name, fd, model: self.closed.len() - 1 });
    }

    /// One random call.
    fn step(&mut self) -> Verdict {
        self.counts.calls += 1;
        let which = self.random.below(self.open.len() as u64) as usize;
        let Open { name, fd, model } = self.open[which];
        let submitted = self.io.stats().submitted;
        match self.random.below(1000) {
            0..330 => self.append(name, fd, model)?,
            330..600 => self.write(name, fd, model)?,
            600..720 => {
                let answer = self.io.submit_datasync(fd);
                self.judge(name, model, Submitted::Sync, answer)?;
            }
            720..800 => drop(self.io.flush().expect("open")),
            800..960 => self.poll()?,
            960..980 => {
                self.io.wait(1, None).map_err(|error| error.to_string())?;
            }
            980..996 => {
                let answer = self.io.resume_append(fd);
                self.counts.resumed += u64::from(answer.is_ok());
                if self.is_traced {
                    println!("{name}: resume_append {answer:?}");
                }
                self.model.files[model].resumed(answer)?;
            }
            _ => self.reopen(which)?,
        }
        let expected = self.model.owed();
        let owed = self.io.pending_count();
        if owed != expected {
            return Err(format!("G1: pending_count {owed}, owed {expected}, {submitted} before"));
        }
        let Open { fd, model, .. } = self.open[which];
        let status = self.io.file_status(fd).map_err(|error| error.to_string())?;
        let of_model = self.model.files[model].owed();
        if status.pending as usize != of_model {
            return Err(format!("status: {} pending, owed {of_model}", status.pending));
        }
        if status.append_failed.is_none() && status.failed.is_none() {
            self.model.files[model].tail_is(self.io.tail(fd).expect("known"))?;
        }
        Ok(())
    }

    fn length(&mut self) -> usize {
        let max = self.io.max_write() as u64;
        match self.random.below(20) {
            0 => 0,
            1 => max as usize,
            2 => self.random.below(max) as usize,
            3..8 => self.random.below(600).min(max) as usize,
            _ => self.random.below(100) as usize,
        }
    }

    fn append(&mut self, name: &'static str, fd: IoFd, model: usize) -> Verdict {
        let len = self.length();
        let offset = self.io.tail(fd).expect("known");
        let id = self.next_id;
        self.next_id += 1;
        let may = self.io.can_accept(fd, len);
        let answer = self.io.submit_append(fd, &bytes(id, offset, len));
        if may != answer.map(|_| ()) {
            return Err(format!("can_accept says {may:?}, submit_append {answer:?}"));
        }
        let what = Submitted::Append { id, offset, len: len as u64 };
        self.judge(name, model, what, answer)
    }

    fn write(&mut self, name: &'static str, fd: IoFd, model: usize) -> Verdict {
        let len = self.length();
        let tail = self.io.tail(fd).expect("known");
        let offset = match self.random.below(4) {
            0 => self.random.below(tail + 200),
            1 => tail.saturating_sub(self.random.below(300)),
            // Neighbours, to be merged.
            _ => self.random.below(40) * 64,
        };
        let len = if self.random.chance(300) { 64 } else { len };
        let id = self.next_id;
        self.next_id += 1;
        let answer = self.io.submit_write(fd, &bytes(id, offset, len), offset);
        let what = Submitted::Write { id, offset, len: len as u64 };
        self.judge(name, model, what, answer)
    }

    fn judge(
        &mut self,
        name: &'static str,
        model: usize,
        what: Submitted,
        answer: Result<u64, StorageIoError>,
    ) -> Verdict {
        if self.is_traced {
            println!("{name}: {what:?} {answer:?}");
        }
        let state = self.disk.state();
        self.model.submitted(model, what, answer, state.file(name))
    }

    fn poll(&mut self) -> Verdict {
        let mut memory = [IoCompletion::default(); 5];
        let room = self.random.below(6) as usize;
        let batch = if self.random.chance(300) {
            let mut sink = SliceSink::new(&mut memory[..room]);
            self.io.poll_completions(&mut sink);
            sink.filled().to_vec()
        } else {
            let mut batch = Vec::new();
            self.io.poll_completions(&mut batch);
            batch
        };
        for IoCompletion { token, result } in batch {
            self.deliver(token, result)?;
        }
        Ok(())
    }

    fn deliver(&mut self, token: u64, result: i32) -> Verdict {
        let owner = self.model.owner(token);
        if self.is_traced {
            println!("file {owner:?}: {token} delivered with {result}");
        }
        let count = if result >= 0 { &mut self.counts.good } else { &mut self.counts.failed };
        *count += 1;
        let is_sync = owner.is_some_and(|owner| self.model.files[owner].is_sync(token));
        self.counts.syncs += u64::from(is_sync);
        self.counts.failed_syncs += u64::from(is_sync && result < 0);
        let state = self.disk.state();
        let disk = match owner {
            None => &state.files[0],
            Some(owner) => match &self.closed[owner] {
                Some(closed) => closed,
                None => {
                    let open = self.open.iter().find(|open| open.model == owner);
                    state.file(open.expect("open, since it is not closed").name)
                }
            },
        };
        self.model.delivered(token, result, disk)?;
        if let Some(owner) = owner
            && let Some(closed) = &self.closed[owner]
            && self.model.files[owner].owed() == 0
        {
            let is_cut = !FileModel::is_lost(closed);
            self.model.files[owner].settled(&closed.bytes, is_cut)?;
        }
        Ok(())
    }

    /// Deregisters a file; `settled` is called once its last completion was delivered.
    fn close(&mut self, which: usize) -> Verdict {
        let Open { name, fd, model } = self.open.swap_remove(which);
        if self.is_traced {
            println!("{name}: deregister, file {model}");
        }
        self.io.deregister_fd(fd).map_err(|error| format!("G10: deregister: {error}"))?;
        let file = self.disk.state().file(name).clone();
        let is_lost = FileModel::is_lost(&file);
        self.counts.lost_files += u64::from(is_lost);
        self.model.files[model].is_closed = true;
        if self.model.files[model].owed() == 0 {
            self.model.files[model].settled(&file.bytes, !is_lost)?;
        }
        self.closed[model] = Some(file);
        Ok(())
    }

    fn reopen(&mut self, which: usize) -> Verdict {
        let name = self.open[which].name;
        self.close(which)?;
        self.register(name);
        let last = self.open.len() - 1;
        self.open.swap(which.min(last), last);
        Ok(())
    }

    fn finish(&mut self) -> Verdict {
        while !self.open.is_empty() {
            if self.random.chance(500) {
                self.drain()?;
            }
            self.close(0)?;
        }
        self.drain()?;
        let violations = std::mem::take(&mut self.disk.state().violations);
        if violations.is_empty() { Ok(()) } else { Err(violations.join("\n")) }
    }

    fn drain(&mut self) -> Verdict {
        for _ in 0..10_000 {
            if self.io.pending_count() == 0 {
                return Ok(());
            }
            self.poll()?;
        }
        Err(format!("G12: {} owed, and polling does not end it", self.io.pending_count()))
    }
}

#[test]
fn a_million_random_operations_under_faults_are_what_the_contract_allows() {
    let seed = number_from_env("RINGZERO_SEED", 0x00C0_FFEE);
    let wanted = number_from_env("RINGZERO_OPERATIONS", 1_000_000);
    let only = number_from_env("RINGZERO_EPISODE", u64::MAX);
    let mut total = Counts::default();
    let mut number = if only == u64::MAX { 0 } else { only };
    while total.calls < wanted {
        let own_seed = seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut episode = Episode::new(own_seed, only != u64::MAX);
        let mut verdict = Ok(());
        for _ in 0..1_500 {
            verdict = episode.step();
            if verdict.is_err() {
                break;
            }
        }
        let verdict = verdict.and_then(|()| episode.finish());
        if let Err(reason) = verdict {
            episode.disk.state().violations.clear();
            let call = episode.counts.calls;
            panic!(
                "{reason}\nRINGZERO_SEED={seed:#x} RINGZERO_EPISODE={number} call {call}\n{:?}",
                episode.io.stats()
            );
        }
        let counts = &episode.counts;
        total.calls += counts.calls;
        total.good += counts.good;
        total.failed += counts.failed;
        total.syncs += counts.syncs;
        total.failed_syncs += counts.failed_syncs;
        total.resumed += counts.resumed;
        total.lost_files += counts.lost_files;
        number += 1;
        if only != u64::MAX {
            return;
        }
    }
    println!("RINGZERO_SEED={seed:#x}: {number} episodes, {total:?}");
    // Controls: the script did what it is for.
    assert!(total.good * 10 > total.calls, "{total:?}");
    assert!(total.failed * 200 > total.calls, "{total:?}");
    assert!(total.syncs * 100 > total.calls && total.failed_syncs > total.syncs / 200, "{total:?}");
    assert!(total.resumed > 0 && total.lost_files > 0, "{total:?}");
}
