//! [`Episode`]: a backend over a disk with faults, its model, and a run of calls on it.
//!
//! Every call, its arguments, the limits of the backend, the faults of the disk and the order in
//! which its requests end are decided by [`Choices`], so an episode is a pure function of a seed or
//! of a string of bytes; tests with random seeds and the fuzzer run the same. Each answer,
//! completion and byte is judged by the [`Model`].

use ringzero_core::{
    IoCompletion, IoFd, Limits, SliceSink, Stats, StorageIo, StorageIoError, StorageIoExt,
};

use crate::{
    choices::Choices,
    disk::{Disk, FileState, Node},
    file_model::FileModel,
    fixture::Setup,
    model::{Model, Submitted, Verdict},
    random::bytes,
    script::{Order, Rough},
    scripted::ScriptedBackend,
};

const NAMES: [&str; 3] = ["a", "b", "c"];

/// One registered file.
#[derive(Debug)]
struct Open {
    name: &'static str,
    fd: IoFd,
    model: usize,
}

/// A backend, what it is on and what is known of it.
#[derive(Debug)]
pub struct Episode {
    choices: Choices,
    disk: Disk,
    io: ScriptedBackend,
    model: Model,
    open: Vec<Open>,
    /// What the file of a closed registration looked like when it was closed.
    closed: Vec<Option<FileState>>,
    next_id: u64,
    counts: Counts,
    trace: Trace,
}

/// What happened.
#[derive(Clone, Copy, Default, Debug)]
pub struct Counts {
    /// Calls made.
    pub calls: u64,
    /// Operations that succeeded.
    pub good: u64,
    /// Operations that did not.
    pub failed: u64,
    /// Datasyncs delivered.
    pub syncs: u64,
    /// Of them, with an error.
    pub failed_syncs: u64,
    /// Append streams taken up again.
    pub resumed: u64,
    /// Files that failed before they were closed.
    pub lost_files: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        let Self { calls, good, failed, syncs, failed_syncs, resumed, lost_files } = other;
        self.calls += calls;
        self.good += good;
        self.failed += failed;
        self.syncs += syncs;
        self.failed_syncs += failed_syncs;
        self.resumed += resumed;
        self.lost_files += lost_files;
    }
}

/// What of an episode is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Nothing.
    Silent,
    /// Each call and each completion.
    Calls,
}

fn limits(choices: &mut Choices) -> Limits {
    Limits {
        files: 2 + choices.below(2) as u32,
        operations_per_file: 1 + choices.below(12) as u32,
        operations_common: choices.below(40) as u32,
        blocks_per_file: 1 + choices.below(2) as u32,
        blocks_common: choices.below(5) as u32,
        block_bytes: 512,
    }
}

impl Episode {
    /// A backend with up to three files, before the first call.
    pub fn new(mut choices: Choices, trace: Trace) -> Self {
        let limits = limits(&mut choices);
        let disk = Disk::default();
        {
            let mut state = disk.state();
            state.is_quiet = true;
            let is_calm = choices.chance(200);
            let rate = |choices: &mut Choices, most| if is_calm { 0 } else { choices.below(most) };
            state.rough = Some(Rough {
                choices: choices.part(),
                short: choices.below(300),
                retry: choices.below(150),
                refused: rate(&mut choices, 60),
                lost: rate(&mut choices, 8),
                sync_lost: rate(&mut choices, 20),
                at_once: choices.below(300),
            });
            state.order = match choices.below(4) {
                0 => Order::Oldest,
                1 => Order::Newest,
                _ => Order::Shuffled(choices.part()),
            };
            state.room = if choices.chance(200) { 1 + choices.below(4) as usize } else { 0 };
        }
        let mut episode = Self {
            io: ScriptedBackend::new(&disk, &Setup::with(limits)),
            choices,
            disk,
            model: Model::new(limits),
            open: Vec::new(),
            closed: Vec::new(),
            next_id: 1,
            counts: Counts::default(),
            trace,
        };
        for name in &NAMES[..limits.files as usize] {
            episode.register(name);
        }
        episode
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What the backend counted.
    pub fn stats(&self) -> Stats {
        self.io.stats()
    }

    /// Up to `most_calls` calls, fewer if the choices end before; then closes every file.
    ///
    /// # Errors
    /// The first thing that the contract does not allow.
    pub fn run(&mut self, most_calls: u64) -> Verdict {
        let verdict = self.run_to_the_end(most_calls);
        if verdict.is_err() {
            // Told already; the disk would stop the program for the same reason.
            self.disk.state().violations.clear();
        }
        verdict
    }

    fn run_to_the_end(&mut self, most_calls: u64) -> Verdict {
        while self.counts.calls < most_calls && !self.choices.is_over() {
            self.step()?;
        }
        self.finish()
    }

    fn register(&mut self, name: &'static str) {
        let is_new = self.closed.is_empty() || self.choices.chance(500);
        let file = if is_new || !self.disk.state().files.iter().any(|file| file.name == name) {
            let content = vec![1; self.choices.below(700) as usize];
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
        let which = self.choices.below(self.open.len() as u64) as usize;
        let Open { name, fd, model } = self.open[which];
        let submitted = self.io.stats().submitted;
        match self.choices.below(1000) {
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
                if self.trace == Trace::Calls {
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
        match self.choices.below(20) {
            0 => 0,
            1 => max as usize,
            2 => self.choices.below(max) as usize,
            3..8 => self.choices.below(600).min(max) as usize,
            _ => self.choices.below(100) as usize,
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
        let offset = match self.choices.below(4) {
            0 => self.choices.below(tail + 200),
            1 => tail.saturating_sub(self.choices.below(300)),
            // Neighbours, to be merged.
            _ => self.choices.below(40) * 64,
        };
        let len = if self.choices.chance(300) { 64 } else { len };
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
        if self.trace == Trace::Calls {
            println!("{name}: {what:?} {answer:?}");
        }
        let state = self.disk.state();
        self.model.submitted(model, what, answer, state.file(name))
    }

    fn poll(&mut self) -> Verdict {
        let mut memory = [IoCompletion::default(); 5];
        let room = self.choices.below(6) as usize;
        let batch = if self.choices.chance(300) {
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
        if self.trace == Trace::Calls {
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
        if self.trace == Trace::Calls {
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
            if self.choices.chance(500) {
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
