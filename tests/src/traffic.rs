//! [`State`]: a disk's files and the requests on their way to them.
//!
//! A write is applied when it *ends*, by reading the bytes through the engine's raw pointers at
//! that moment, so that memory reused or freed too early shows in the file. A sync that succeeds
//! makes the image *durable* that the file had when the sync *began*; a durable write that succeeds
//! makes durable what it wrote, and nothing else. Every request is logged, in
//! order, with its begin and its end.
//!
//! Things that no engine may ever do (two overlapping writes in flight, two data-syncs of a file in
//! flight, a data-sync on a failed file, bytes that change in flight, a request that is not aligned
//! as its file asks for) are noted in [`State::violations`] and make the test fail
//! when the disk is dropped.
//!
//! # Safety
//! Pieces are read, or written, while their request is pending: the engine promised that they stay
//! unchanged at their addresses until the request is answered. That promise is what is tested here.
#![allow(unsafe_code)]

mod forbidden;

use std::collections::VecDeque;

use ringzero_core::{Errno, Outcome, Piece, WriteKind};

use crate::{
    choices::Choices,
    disk::{Ask, Doubt, Event, FileState, Injected, LARGEST_FILE_BYTES},
    script::{Action, Order, Rough, Rule},
};

/// Times that a request is sent back by chance: fewer than the engine bears.
const MOST_RETRIES: usize = 12;

/// Whether the engine sends a write again that is answered so.
pub(crate) const fn is_retried(errno: Errno) -> bool {
    matches!(errno, Errno::INTR | Errno::AGAIN | Errno::CANCELED)
}

#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) owner: u64,
    pub(crate) id: u64,
    pub(crate) number: u64,
    inode: usize,
    ask: Ask,
    data: Vec<Piece>,
    pub(crate) action: Action,
    /// Of a sync: what the file held when it began. Of a write: the bytes handed over.
    image: Vec<u8>,
}

// SAFETY: the pieces are addresses of memory that the engine keeps unchanged until the request is
// answered, whichever thread reads them.
unsafe impl Send for Pending {}

/// Everything about a disk.
#[derive(Debug, Default)]
pub struct State {
    /// The files, by inode.
    pub files: Vec<FileState>,
    /// What the next requests answer; the first that matches counts.
    pub rules: VecDeque<Rule>,
    /// Random behaviour where no rule matches.
    pub rough: Option<Rough>,
    /// In which order requests end.
    pub order: Order,
    /// Most requests taken at a time (0: any number).
    pub room: usize,
    /// The log, unless [`State::is_quiet`].
    pub log: Vec<Event>,
    /// No request is logged.
    pub is_quiet: bool,
    /// What no engine may do.
    pub violations: Vec<String>,
    pub(crate) pending: Vec<Pending>,
    next_number: u64,
    /// Most requests in flight at one time.
    pub pending_peak: usize,
}

impl State {
    /// The file of this name.
    pub fn file(&self, name: &str) -> &FileState {
        &self.files[self.inode(name)]
    }

    pub(crate) fn inode(&self, name: &str) -> usize {
        self.files.iter().position(|file| file.name == name).expect("a file of that name")
    }

    fn violation(&mut self, text: String) {
        self.violations.push(text);
    }

    /// Takes a request.
    pub(crate) fn begin(
        &mut self,
        owner: u64,
        id: u64,
        inode: usize,
        ask: Ask,
        data: Vec<Piece>,
    ) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        if !self.is_quiet {
            self.log.push(Event::Began { number, inode, ask });
        }
        self.check_begin(owner, inode, ask);
        if self.pending.iter().any(|p| p.owner == owner && p.id == id) {
            self.violation(format!("two requests in flight with id {id:#x}"));
        }
        let action = self.choose(inode, ask);
        if std::env::var_os("RINGZERO_TRACE").is_some() {
            println!("    request {number} of file {inode}: {ask:?}, {action:?}");
        }
        let image = match ask {
            Ask::Sync(_) => self.files[inode].bytes.clone(),
            Ask::Alter(_) => Vec::new(),
            Ask::Write { offset, .. } | Ask::Read { offset, .. } => {
                let mask = self.files[inode].alignment as usize - 1;
                let bits = |all, piece: &Piece| all | piece.base.addr() | piece.byte_count;
                if data.iter().fold(offset as usize, bits) & mask != 0 {
                    self.violation(format!("misaligned: {ask:?}, {data:?}"));
                }
                gather(&data)
            }
        };
        self.pending.push(Pending { owner, id, number, inode, ask, data, action, image });
        self.pending_peak = self.pending_peak.max(self.pending.len());
        number
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
        let Some(rough) = &mut self.rough else { return Action::Complete };
        match (rough.choose(ask), ask) {
            // Chance never uses up the retries of a request: scripts do, on purpose.
            (Action::Fail(errno), Ask::Write { .. } | Ask::Read { .. } | Ask::Alter(_))
                if is_retried(errno) && self.files[inode].retry_count(ask) >= MOST_RETRIES =>
            {
                Action::Complete
            }
            (action, _) => action,
        }
    }

    /// Whether a request of `owner` will end without being released.
    pub(crate) fn has_endable(&self, owner: u64) -> bool {
        self.pending.iter().any(|p| p.owner == owner && p.action != Action::Hang)
    }

    /// Ends some requests of `owner`, in an order of the script's choice.
    pub(crate) fn end_some(&mut self, owner: u64) -> Vec<(u64, Outcome)> {
        let mut order: Vec<u64> = self
            .pending
            .iter()
            .filter(|p| p.owner == owner && p.action != Action::Hang)
            .map(|p| p.number)
            .collect();
        match &mut self.order {
            Order::Oldest => {}
            Order::Newest => order.reverse(),
            Order::Shuffled(choices) => shuffle(&mut order, choices),
        }
        order.into_iter().map(|number| self.end(number)).collect()
    }

    /// Ends the request of this number, which does not hang.
    pub fn end(&mut self, number: u64) -> (u64, Outcome) {
        let at = self.pending.iter().position(|p| p.number == number).expect("a pending request");
        let pending = self.pending.swap_remove(at);
        let Pending { id, inode, ask, data, action, image, .. } = pending;
        let outcome = match ask {
            Ask::Write { offset, len, kind, .. } => {
                if gather(&data) != image {
                    self.violation(format!("bytes of {ask:?} changed in flight"));
                }
                let outcome = self.write(inode, offset, len, &data, action);
                self.settle_durably((inode, kind), (offset, len), outcome);
                outcome
            }
            Ask::Read { offset, len, .. } => {
                if gather(&data) != image {
                    self.violation(format!("somebody wrote to the room of {ask:?}"));
                }
                self.read(inode, (offset, len), &data, action)
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
        if std::env::var_os("RINGZERO_TRACE").is_some() {
            println!("    request {number} ended: {outcome:?}");
        }
        if !self.is_quiet {
            self.log.push(Event::Ended { number, outcome });
        }
        (id, outcome)
    }

    /// What an answer says of the file.
    fn note(&mut self, inode: usize, ask: Ask, outcome: Outcome) {
        let file = &mut self.files[inode];
        let errno = match (ask, outcome) {
            // No progress is an error too.
            (Ask::Write { .. }, Ok(0)) => Errno::IO,
            (Ask::Alter(what), Ok(_)) => return file.altered.push(what),
            (_, Ok(_)) => return,
            // The file takes no durable write: nothing happened to it.
            (Ask::Write { kind: WriteKind::Durable, .. }, Err(Errno::OPNOTSUPP)) => return,
            (_, Err(errno)) => errno,
        };
        let offset = match ask {
            Ask::Read { .. } | Ask::Alter(_) => return file.harmless.push((ask, errno)),
            Ask::Write { offset, .. } => Some(offset),
            Ask::Sync(_) => None,
        };
        file.injected.push(Injected { offset, errno });
        file.is_failed |= offset.is_none() || !is_retried(errno) && !errno.keeps_file_usable();
    }

    /// What the end of a write says about what is durable, and about an answer that was in doubt.
    fn settle_durably(
        &mut self,
        (inode, kind): (usize, WriteKind),
        (offset, len): (u64, u64),
        outcome: Outcome,
    ) {
        let file = &mut self.files[inode];
        let end = offset + len;
        match (kind, outcome) {
            (WriteKind::Durable, Ok(count)) => {
                let range = offset as usize..(offset + u64::from(count)) as usize;
                if file.durable.len() < range.end {
                    file.durable.resize(range.end, 0);
                }
                file.durable[range.clone()].copy_from_slice(&file.bytes[range]);
            }
            (WriteKind::Durable, Err(errno)) if errno.keeps_file_usable() => {
                file.doubt = Some(Doubt { end, errno });
            }
            (WriteKind::Durable, Err(_)) => {}
            (WriteKind::Plain, outcome) => {
                let Some(doubt) = file.doubt.filter(|doubt| doubt.end == end) else { return };
                match outcome {
                    Ok(count) if u64::from(count) == len => {
                        file.doubt = None;
                        file.injected.push(Injected { offset: None, errno: doubt.errno });
                        file.is_failed = true;
                    }
                    Ok(1..) => {}
                    Err(errno) if is_retried(errno) => {}
                    Ok(0) | Err(_) => file.doubt = None,
                }
            }
        }
    }

    fn write(
        &mut self,
        inode: usize,
        offset: u64,
        len: u64,
        data: &[Piece],
        action: Action,
    ) -> Outcome {
        let (want, errno) = match action {
            Action::Fail(errno) => return Err(errno),
            Action::Zero => return Ok(0),
            Action::Complete | Action::Hang => (len, None),
            Action::Short(count) => (count.clamp(1, len), None),
            Action::Torn(count, errno) => (count.min(len), Some(errno)),
        };
        if offset.saturating_add(want) > LARGEST_FILE_BYTES {
            return Err(Errno::FBIG);
        }
        let file = &mut self.files[inode];
        let mut at = offset as usize;
        let end = at + want as usize;
        if file.bytes.len() < end {
            file.bytes.resize(end, 0);
        }
        for piece in data {
            let count = piece.byte_count.min(end - at);
            // SAFETY: the request is not answered yet, so the engine keeps the piece's bytes at
            // their address; see the header.
            let bytes = unsafe { std::slice::from_raw_parts(piece.base, count) };
            file.bytes[at..at + count].copy_from_slice(bytes);
            at += count;
        }
        errno.map_or(Ok(want as u32), Err)
    }
}

impl State {
    fn read(
        &mut self,
        inode: usize,
        (offset, len): (u64, u64),
        room: &[Piece],
        action: Action,
    ) -> Outcome {
        let file = &self.files[inode];
        let want = match action {
            Action::Fail(errno) | Action::Torn(_, errno) => return Err(errno),
            Action::Zero => return Ok(0),
            Action::Complete | Action::Hang => len,
            // A device reads whole blocks.
            Action::Short(count) => {
                (count / u64::from(file.alignment) * u64::from(file.alignment)).clamp(1, len)
            }
        };
        if file.alignment > 1 && want == 1 {
            return Err(Errno::INTR);
        }
        let read = file.bytes_from(offset, want);
        let mut bytes = read.iter();
        for piece in room {
            // SAFETY: the request is not answered yet, so the room is nobody else's; see the
            // header.
            let room =
                unsafe { std::slice::from_raw_parts_mut(piece.base.cast_mut(), piece.byte_count) };
            for (to, from) in room.iter_mut().zip(&mut bytes) {
                *to = *from;
            }
        }
        Ok(read.len() as u32)
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.violations.is_empty(), "{:#?}", self.violations);
        }
    }
}

/// The bytes of a request.
fn gather(pieces: &[Piece]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces {
        // SAFETY: the request is not answered yet, so the engine keeps the piece's bytes at their
        // address; see the header.
        bytes
            .extend_from_slice(unsafe { std::slice::from_raw_parts(piece.base, piece.byte_count) });
    }
    bytes
}

fn shuffle(numbers: &mut Vec<u64>, choices: &mut Choices) {
    for at in (1..numbers.len()).rev() {
        numbers.swap(at, choices.below(at as u64 + 1) as usize);
    }
    // Some stay for the next round.
    let keep = numbers.len() - choices.below(numbers.len() as u64 / 2 + 1) as usize;
    numbers.truncate(keep);
}
