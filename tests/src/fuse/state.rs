//! [`State`]: the files of a mount, the script, the log, and the requests that wait for an answer.
//!
//! A WRITE brings its bytes and is applied when it is *answered*; an FSYNC that succeeds makes the
//! image durable that the file had when it *came*. Each answer is logged before it is sent, so
//! whoever has seen an answer finds it in the log.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use fuser::{ReplyAttr, ReplyData, ReplyEmpty, ReplyWrite};
use ringzero_core::{Errno, Outcome};

use super::{
    attributes::{TTL, attributes_of_file},
    log::Event,
};
use crate::{
    disk::{Ask, FileState, Injected, LARGEST_FILE_BYTES, Node},
    random::Random,
    script::{Action, Of, Rough, Rule},
};

/// Whom an answer goes to.
#[derive(Debug)]
pub(crate) enum Reply {
    Write(ReplyWrite),
    Sync(ReplyEmpty),
    Read(ReplyData),
    Allocate(ReplyEmpty),
    Resize(ReplyAttr),
}

/// A request that is not answered yet.
#[derive(Debug)]
struct Waiting {
    number: u64,
    inode: usize,
    ask: Ask,
    /// What a WRITE brought.
    data: Vec<u8>,
    /// What an FSYNC found.
    image: Vec<u8>,
    action: Action,
    due: Instant,
    reply: Reply,
}

/// Random delays, up to a longest one, of every WRITE and FSYNC.
#[derive(Clone, Copy, Debug)]
pub struct Delays {
    /// The generator.
    pub random: Random,
    /// The longest.
    pub longest: Duration,
}

/// Everything about a mount.
#[derive(Debug, Default)]
pub struct State {
    /// The files, by inode.
    pub files: Vec<FileState>,
    /// What the next requests answer; the first that matches counts.
    pub rules: VecDeque<Rule>,
    /// Random answers where no rule matches.
    pub rough: Option<Rough>,
    /// Random delays.
    pub delays: Option<Delays>,
    /// What was asked and answered, in order.
    pub log: Vec<Event>,
    /// Requests that were not answered with all they asked for.
    pub fault_count: u64,
    waiting: Vec<Waiting>,
    /// Closings that wait for the requests of a file.
    closing: Vec<(usize, ReplyEmpty)>,
    next_number: u64,
    is_stopped: bool,
}

impl State {
    /// The number of the file of this name.
    ///
    /// # Panics
    /// There is none.
    pub fn inode(&self, name: &str) -> usize {
        self.files.iter().position(|file| file.name == name).expect("a file of that name")
    }

    /// The file of this name.
    pub fn file(&self, name: &str) -> &FileState {
        &self.files[self.inode(name)]
    }

    /// The requests of a file that came, in order: number and what for.
    pub fn requests(&self, name: &str) -> Vec<(u64, Ask)> {
        let wanted = self.inode(name);
        let began = |event: &Event| match *event {
            Event::Began { number, inode, ask } if inode == wanted => Some((number, ask)),
            _ => None,
        };
        self.log.iter().filter_map(began).collect()
    }

    /// The requests that are held until they are released, in the order of coming.
    pub fn held(&self) -> Vec<u64> {
        let is_held = |it: &&Waiting| it.action == Action::Hang;
        self.waiting.iter().filter(is_held).map(|it| it.number).collect()
    }

    fn choose(&mut self, inode: usize, ask: Ask) -> Action {
        let name = &self.files[inode].name;
        if let Some(at) = self.rules.iter().position(|rule| rule.matches(name, ask)) {
            let rule = &mut self.rules[at];
            let action = rule.action;
            rule.times -= 1;
            if rule.times == 0 {
                self.rules.remove(at);
            }
            return action;
        }
        match (&mut self.rough, ask) {
            // Chance leaves them alone: a file is cut back by one too.
            (_, Ask::Alter(_)) | (None, _) => Action::Complete,
            (Some(rough), _) => rough.choose(ask),
        }
    }

    /// Takes a request, and answers it if it is due.
    pub(crate) fn take(&mut self, inode: usize, ask: Ask, data: &[u8], reply: Reply) {
        let number = self.next_number;
        self.next_number += 1;
        self.log.push(Event::Began { number, inode, ask });
        let action = if self.is_stopped { Action::Complete } else { self.choose(inode, ask) };
        let image = match ask {
            Ask::Sync(_) => self.files[inode].bytes.clone(),
            Ask::Write { .. } | Ask::Read { .. } | Ask::Alter(_) => Vec::new(),
        };
        let delay = match &mut self.delays {
            Some(delays) => {
                let longest = delays.longest.as_micros() as u64;
                Duration::from_micros(delays.random.below(longest + 1))
            }
            None => Duration::ZERO,
        };
        let due = Instant::now() + delay;
        let data = data.to_vec();
        self.waiting.push(Waiting { number, inode, ask, data, image, action, due, reply });
        if delay.is_zero() {
            self.answer_due(due);
        }
    }

    /// Answers what is due at `now`; says when the next answer is.
    pub(crate) fn answer_due(&mut self, now: Instant) -> Option<Instant> {
        loop {
            let moving = self.waiting.iter().filter(|it| it.action != Action::Hang);
            let next = moving.min_by_key(|it| (it.due, it.number))?;
            if next.due > now {
                return Some(next.due);
            }
            let number = next.number;
            self.answer(number);
        }
    }

    fn answer(&mut self, number: u64) {
        let at = self.waiting.iter().position(|it| it.number == number).expect("it waits");
        let Waiting { inode, ask, data, image, action, reply, .. } = self.waiting.remove(at);
        let mut read_bytes = Vec::new();
        let outcome = match ask {
            Ask::Write { offset, .. } => self.write(inode, offset, &data, action),
            Ask::Read { offset, len, .. } => {
                let read = self.read(inode, (offset, len), action);
                let outcome = read.as_ref().map(|it| it.len() as u32).map_err(|errno| *errno);
                read_bytes = read.unwrap_or_default();
                outcome
            }
            Ask::Alter(what) => match action {
                Action::Fail(errno) | Action::Torn(_, errno) => Err(errno),
                _ => self.files[inode].alter(what),
            },
            Ask::Sync(_) => match action {
                Action::Fail(errno) | Action::Torn(_, errno) => Err(errno),
                _ => {
                    self.files[inode].durable = image;
                    Ok(0)
                }
            },
        };
        self.note(inode, ask, outcome);
        self.log.push(Event::Ended { number, outcome });
        match (reply, outcome) {
            (Reply::Write(reply), Ok(count)) => reply.written(count),
            (Reply::Sync(reply) | Reply::Allocate(reply), Ok(_)) => reply.ok(),
            (Reply::Resize(reply), Ok(_)) => {
                let byte_count = self.files[inode].bytes.len() as u64;
                reply.attr(&TTL, &attributes_of_file(inode, byte_count));
            }
            (Reply::Resize(reply), Err(errno)) => reply.error(to_fuser(errno)),
            (Reply::Read(reply), Ok(_)) => reply.data(&read_bytes),
            (Reply::Read(reply), Err(errno)) => reply.error(to_fuser(errno)),
            (Reply::Write(reply), Err(errno)) => reply.error(to_fuser(errno)),
            (Reply::Sync(reply) | Reply::Allocate(reply), Err(errno)) => {
                reply.error(to_fuser(errno));
            }
        }
        self.close_idle();
    }

    /// Lets the closing of a file go on if no request of it is unanswered.
    fn close_idle(&mut self) {
        let is_busy = |inode| self.waiting.iter().any(|it| it.inode == inode);
        let (busy, idle): (Vec<_>, Vec<_>) =
            mem::take(&mut self.closing).into_iter().partition(|it| is_busy(it.0));
        self.closing = busy;
        idle.into_iter().for_each(|(_, reply)| reply.ok());
    }

    /// Notes what was not answered with all it asked for.
    fn note(&mut self, inode: usize, ask: Ask, outcome: Outcome) {
        let (offset, wanted) = match ask {
            Ask::Write { offset, len, .. } => (Some(offset), len),
            // What comes at the end of a file is no fault; an error is counted, and noted nowhere:
            // it is the read's own.
            Ask::Read { .. } => {
                self.fault_count += u64::from(outcome.is_err());
                return;
            }
            Ask::Sync(_) | Ask::Alter(_) => (None, 0),
        };
        self.fault_count += u64::from(outcome != Ok(wanted as u32));
        let error = match outcome {
            // No progress is an error too: see the header of the folder for which.
            Ok(0) if wanted > 0 => [Some(Errno::IO), Some(Errno::AGAIN)],
            Ok(_) => [None; 2],
            Err(errno) => [Some(errno), None],
        };
        let injected = &mut self.files[inode].injected;
        injected.extend(error.into_iter().flatten().map(|errno| Injected { offset, errno }));
    }

    fn read(
        &self,
        inode: usize,
        (offset, len): (u64, u64),
        action: Action,
    ) -> Result<Vec<u8>, Errno> {
        let most = match action {
            Action::Fail(errno) | Action::Torn(_, errno) => return Err(errno),
            Action::Zero => 0,
            Action::Complete | Action::Hang => len,
            Action::Short(count) => count.clamp(1, len),
        };
        Ok(self.files[inode].bytes_from(offset, most).to_vec())
    }

    fn write(&mut self, inode: usize, offset: u64, data: &[u8], action: Action) -> Outcome {
        let (want, errno) = match action {
            Action::Fail(errno) => return Err(errno),
            Action::Zero => return Ok(0),
            Action::Complete | Action::Hang => (data.len() as u64, None),
            Action::Short(count) => (count.clamp(1, data.len() as u64), None),
            Action::Torn(count, errno) => (count.min(data.len() as u64), Some(errno)),
        };
        if offset.saturating_add(want) > LARGEST_FILE_BYTES {
            return Err(Errno::FBIG);
        }
        let file = &mut self.files[inode];
        let (at, end) = (offset as usize, (offset + want) as usize);
        if file.bytes.len() < end {
            file.bytes.resize(end, 0);
        }
        file.bytes[at..end].copy_from_slice(&data[..want as usize]);
        errno.map_or(Ok(want as u32), Err)
    }
}

fn to_fuser(errno: Errno) -> fuser::Errno {
    fuser::Errno::from_i32(errno.number())
}

/// A shared handle of a [`State`].
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<(Mutex<State>, Condvar)>);

impl Shared {
    /// The state. Not to be held across anything that touches the mount.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many WRITEs of a file came.
    pub fn write_count(&self, name: &str) -> usize {
        let requests = self.state().requests(name);
        requests.iter().filter(|(_, ask)| matches!(ask, Ask::Write { .. })).count()
    }

    /// How many FSYNCs of a file came.
    pub fn sync_count(&self, name: &str) -> usize {
        let requests = self.state().requests(name);
        requests.iter().filter(|(_, ask)| matches!(ask, Ask::Sync(_))).count()
    }

    /// What is in a file.
    pub fn read(&self, name: &str) -> Vec<u8> {
        self.state().file(name).bytes.clone()
    }

    /// Takes a request.
    pub(crate) fn take(&self, inode: usize, ask: Ask, data: &[u8], reply: Reply) {
        self.state().take(inode, ask, data, reply);
        self.0.1.notify_all();
    }

    /// Answers the closing of a file once no request of it is unanswered.
    pub(crate) fn close(&self, inode: usize, reply: ReplyEmpty) {
        let mut state = self.state();
        state.closing.push((inode, reply));
        state.close_idle();
    }

    /// Makes a file, or empties and refills it.
    pub fn create(&self, name: &str, content: &[u8]) {
        let mut state = self.state();
        let (bytes, durable) = (content.to_vec(), content.to_vec());
        let (name, node, injected) = (name.to_owned(), Node::Regular, Vec::new());
        let (alignment, is_failed, doubt) = (1, false, None);
        let (harmless, altered) = (Vec::new(), Vec::new());
        let file = FileState {
            name,
            node,
            alignment,
            bytes,
            durable,
            injected,
            harmless,
            altered,
            is_failed,
            doubt,
        };
        match state.files.iter().position(|known| known.name == file.name) {
            Some(inode) => state.files[inode] = file,
            None => state.files.push(file),
        }
    }

    /// Appends a rule.
    pub fn script(&self, rule: Rule) {
        self.state().rules.push_back(rule);
    }

    /// The next `times` requests of this kind are held until they are released, at the latest when
    /// the guard is dropped.
    pub fn hold(&self, file: &'static str, of: Of, times: u32) -> Holding {
        self.script(Rule::times(file, of, Action::Hang, times));
        Holding(self.clone())
    }

    /// Answers everything that is held, with `action`, in the order of coming.
    pub fn release(&self, action: Action) {
        let numbers = self.state().held();
        self.release_these(&numbers, action);
    }

    /// Answers these requests, in this order, with `action`. What was answered meanwhile is left
    /// alone.
    pub fn release_these(&self, numbers: &[u64], action: Action) {
        let mut state = self.state();
        for &number in numbers {
            if let Some(held) = state.waiting.iter_mut().find(|it| it.number == number) {
                held.action = action;
                state.answer(number);
            }
        }
    }

    /// Answers everything, now and from now on.
    pub(crate) fn stop(&self) {
        let mut state = self.state();
        state.is_stopped = true;
        state.rules.clear();
        state.rough = None;
        state.delays = None;
        while let Some(number) = state.waiting.first().map(|it| it.number) {
            state.answer(number);
        }
        drop(state);
        self.0.1.notify_all();
    }

    /// Answers what becomes due, until [`Shared::stop`].
    pub(crate) fn answer_in_time(&self) {
        const AT_MOST: Duration = Duration::from_secs(1);
        let mut state = self.state();
        while !state.is_stopped {
            let next = state.answer_due(Instant::now());
            let left = next.map_or(AT_MOST, |next| next.saturating_duration_since(Instant::now()));
            let woken = self.0.1.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Releases what is held when it is dropped, so that a test that fails hangs nobody.
#[derive(Debug)]
#[must_use]
pub struct Holding(Shared);

impl Drop for Holding {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.rules.retain(|rule| rule.action != Action::Hang);
        drop(state);
        self.0.release(Action::Complete);
    }
}
