//! [`Episode`]: a backend over a disk with faults, its model, and a run of calls on it.
//!
//! Every call, its arguments, the limits of the backend, the faults of the disk and the order in
//! which its requests end are decided by [`Choices`], so an episode is a pure function of a seed or
//! of a string of bytes; tests with random seeds and the fuzzer run the same. Each answer,
//! completion and byte is judged by the [`Model`].

mod commands;
mod reads;

use std::collections::BTreeMap;

use ringzero_core::{
    Alteration, IoCompletion, IoFd, Limits, SliceSink, Stats, StorageIo, StorageIoError,
    StorageIoExt,
};

use crate::{
    choices::Choices,
    counts::{Counts, Met},
    disk::{Disk, FileState, Node},
    ensure,
    file_model::{CANCELED, FileModel},
    fixture::Setup,
    model::{Model, Submitted, Verdict},
    script::{Order, Rough},
    scripted::ScriptedBackend,
};
use reads::Kept;

const NAMES: [&str; 3] = ["a", "b", "c"];

/// One registered file.
#[derive(Clone, Copy, Debug)]
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
    /// Closes were accepted of these, and not delivered.
    closing: Vec<Open>,
    /// What the file of a closed registration looked like when it was closed.
    closed: Vec<Option<FileState>>,
    /// Reads that were delivered and not released.
    kept: Vec<Kept>,
    names: &'static [&'static str],
    /// By token: what is met if it succeeds.
    if_good: BTreeMap<u64, Vec<Met>>,
    next_id: u64,
    counts: Counts,
    trace: Trace,
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
            closing: Vec::new(),
            closed: Vec::new(),
            kept: Vec::new(),
            if_good: BTreeMap::new(),
            names: &NAMES[..limits.files as usize],
            next_id: 1,
            counts: Counts::default(),
            trace,
        };
        episode.register_closed();
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
        while self.counts[Met::Call] < most_calls && !self.choices.is_over() {
            self.register_closed();
            self.counts.add(Met::Call);
            self.step()?;
            self.check_numbers()?;
        }
        self.finish()
    }

    /// Registers what is not registered.
    fn register_closed(&mut self) {
        for name in self.names {
            let is_there = |known: &Open| known.name == *name;
            if !self.open.iter().chain(&self.closing).any(is_there) {
                self.register(name);
            }
        }
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

    /// What can be asked after each call.
    fn check_numbers(&mut self) -> Verdict {
        let (owed, expected) = (self.io.pending_count(), self.model.owed());
        if owed != expected {
            return Err(format!("G1: pending_count {owed}, owed {expected}"));
        }
        for &Open { name, fd, model } in &self.open {
            let state = self.disk.state();
            let (model, disk) = (&mut self.model.files[model], state.file(name));
            model.follow(disk)?;
            let status = self.io.file_status(fd).map_err(|error| error.to_string())?;
            if status.pending as usize != model.owed() {
                return Err(format!("status: {} pending, owed {}", status.pending, model.owed()));
            }
            let tail = self.io.tail(fd).expect("known");
            if status.append_failed.is_none() && status.failed.is_none() {
                model.tail_is(tail)?;
            }
            let durable_tail = self.io.durable_tail(fd).expect("known");
            let has_moved =
                model.durable_tail_is(durable_tail, (tail, status.append_failed), disk)?;
            self.counts.add_if(has_moved, Met::DurableTailMoved);
            self.counts.add_if(model.was_durable_tail_cut(), Met::DurableTailCut);
        }
        Ok(())
    }

    fn judge(
        &mut self,
        Open { name, model, .. }: Open,
        what: Submitted,
        answer: Result<u64, StorageIoError>,
    ) -> Verdict {
        self.tell(|| format!("{name}: {what:?} {answer:?}"));
        let state = self.disk.state();
        self.model.submitted(model, what, answer, state.file(name))
    }

    /// Prints what happens, if that is wanted.
    fn tell(&self, text: impl FnOnce() -> String) {
        if self.trace == Trace::Calls {
            println!("{}", text());
        }
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
        let Some(owner) = self.model.owner(token) else {
            return Err(format!("G1: token {token} is not owed"));
        };
        self.tell(|| format!("file {owner}: {token} delivered with {result}"));
        self.count(owner, token, result);
        let bytes = self.read_bytes(owner, token, result)?;
        let altered = self.model.files[owner].alteration(token);
        let state = self.disk.state();
        let disk = match &self.closed[owner] {
            Some(closed) => closed,
            None => {
                let mut open = self.open.iter().chain(&self.closing);
                let open = open.find(|open| open.model == owner);
                state.file(open.expect("open, since it is not closed").name)
            }
        };
        match &bytes {
            Some(bytes) => self.model.read_delivered(token, result, bytes, disk)?,
            None => self.model.delivered(token, result, disk)?,
        }
        drop(state);
        if let Some(bytes) = bytes.filter(|_| result >= 0) {
            self.kept.push(Kept { token, model: owner, bytes });
        }
        if altered == Some(Alteration::Close) {
            self.closed(owner, result)
        } else {
            self.model.look_at_closed(owner, self.closed[owner].as_ref())
        }
    }

    /// Counts what the delivery of a token says.
    fn count(&mut self, owner: usize, token: u64, result: i32) {
        let (model, counts) = (&self.model.files[owner], &mut self.counts);
        let met = self.if_good.remove(&token).unwrap_or_default();
        if result >= 0 {
            counts.add(Met::Good);
            met.into_iter().for_each(|met| counts.add(met));
        } else {
            counts.add(Met::Failed);
            counts.add_if(model.is_read(token), Met::ReadFailed);
            let is_altered = model.alteration(token).is_some();
            let met =
                if result == CANCELED { Met::AlterationCancelled } else { Met::AlterationFailed };
            counts.add_if(is_altered, met);
        }
        let is_sync = model.is_sync(token);
        counts.add_if(is_sync, Met::Sync);
        counts.add_if(is_sync && result < 0, Met::FailedSync);
    }

    /// The close of a file was delivered, the last of its completions.
    fn closed(&mut self, model: usize, result: i32) -> Verdict {
        let at = self.closing.iter().position(|open| open.model == model);
        let open = self.closing.swap_remove(at.expect("a close was accepted"));
        let owed = self.model.files[model].owed();
        ensure!(owed == 0, "G10: {} is closed, and {owed} are owed", open.name);
        let file = self.note_closed(open);
        let is_cut = !FileModel::is_lost(&file) && result == 0;
        self.model.files[model].settled(&file.bytes, is_cut)
    }

    /// A file is closed; it is looked at once its last completion was delivered.
    fn note_closed(&mut self, Open { name, model, .. }: Open) -> FileState {
        let file = self.disk.state().file(name).clone();
        let loss_count = FileModel::loss_count(&file);
        self.counts.add_if(loss_count > 0, Met::LostFile);
        self.counts.add_if(loss_count > 1, Met::LostTwice);
        self.model.files[model].is_closed = true;
        self.closed[model] = Some(file.clone());
        file
    }

    /// Deregisters a file.
    fn close(&mut self, which: usize) -> Verdict {
        let open = self.open.swap_remove(which);
        let Open { name, fd, model } = open;
        self.tell(|| format!("{name}: deregister, file {model}"));
        self.io.deregister_fd(fd).map_err(|error| format!("G10: deregister: {error}"))?;
        self.note_closed(open);
        self.model.look_at_closed(model, self.closed[model].as_ref())
    }

    fn finish(&mut self) -> Verdict {
        while !self.open.is_empty() {
            if self.choices.chance(500) {
                self.drain()?;
            }
            self.close(0)?;
        }
        self.drain()?;
        while !self.kept.is_empty() {
            self.release()?;
        }
        let Stats { short_results, retries, .. } = self.io.stats();
        self.counts.add_if(short_results > 0, Met::Continued);
        self.counts.add_if(retries > 0, Met::SentAgain);
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
