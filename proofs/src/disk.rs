//! [`Disk`]: a device of 4 KiB that answers later, in the reverse order, and can be told to fail.

use heapless::Vec;
use ringzero_core::{
    Alteration, Engine, Errno, Executor, FileSlot, Outcome, Pieces, RequestId, Storage, SyncKind,
    WriteKind,
};

/// How many bytes it has, for all files together.
pub const DISK_BYTES: usize = 4_096;
const REQUESTS: usize = 16;

/// Whether what is written is what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Honesty {
    /// Yes.
    Honest,
    /// The first byte of the first write is changed: whoever checks must notice.
    SpoilsOneByte,
}

/// When a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Inside the call that hands it over.
    AtOnce,
    /// By [`Disk::answer`] and [`Disk::answer_youngest`].
    Later,
}

/// The device.
#[derive(Debug)]
pub struct Disk {
    /// What it holds.
    pub bytes: [u8; DISK_BYTES],
    /// The next write ends so, with as many bytes written as it says.
    pub next_write: Option<Outcome>,
    /// The next sync ends so.
    pub next_sync: Option<Errno>,
    /// Data-syncs it was asked for.
    pub sync_count: u32,
    honesty: Honesty,
    answers: Answers,
    waiting: Vec<(RequestId, Outcome), REQUESTS>,
}

impl Disk {
    /// An empty disk.
    pub const fn new(honesty: Honesty, answers: Answers) -> Self {
        Self {
            bytes: [0; DISK_BYTES],
            next_write: None,
            next_sync: None,
            sync_count: 0,
            honesty,
            answers,
            waiting: Vec::new(),
        }
    }

    /// Answers the youngest request. Returns how many there were.
    pub fn answer_youngest<S: Storage>(&mut self, engine: &mut Engine<S>) -> usize {
        let count = self.waiting.len();
        if let Some((id, outcome)) = self.waiting.pop() {
            engine.complete(id, outcome);
        }
        count
    }

    /// Answers all it has, the youngest request first. Returns how many.
    pub fn answer<S: Storage>(&mut self, engine: &mut Engine<S>) -> usize {
        let count = self.waiting.len();
        while self.answer_youngest(engine) > 0 {}
        count
    }

    fn end(&mut self, id: RequestId, outcome: Outcome) -> Option<Outcome> {
        match self.answers {
            Answers::AtOnce => Some(outcome),
            // Never full: `room` is asked before each request.
            Answers::Later => self.waiting.push((id, outcome)).err().map(|(_, outcome)| outcome),
        }
    }
}

impl Executor for Disk {
    fn room(&self) -> usize {
        self.waiting.capacity() - self.waiting.len()
    }

    fn write(
        &mut self,
        id: RequestId,
        _: FileSlot,
        pieces: Pieces<'_>,
        offset: u64,
        _: WriteKind,
    ) -> Option<Outcome> {
        let outcome = self.next_write.take().unwrap_or(Ok(pieces.byte_count()));
        let byte_count = outcome.unwrap_or(0) as usize;
        let kept = self.bytes.iter_mut().skip(offset as usize).take(byte_count);
        for (to, from) in kept.zip(pieces.iter().flatten()) {
            *to = *from;
            if self.honesty == Honesty::SpoilsOneByte {
                *to = !*from;
                self.honesty = Honesty::Honest;
            }
        }
        self.end(id, outcome)
    }

    fn sync(&mut self, id: RequestId, _: FileSlot, _: SyncKind) -> Option<Outcome> {
        self.sync_count += 1;
        let outcome = self.next_sync.take().map_or(Ok(0), Err);
        self.end(id, outcome)
    }

    /// Its files have no sizes and no blocks of their own: a hole is zeros, the rest is done.
    fn alter(&mut self, id: RequestId, _: FileSlot, what: Alteration) -> Option<Outcome> {
        if let Alteration::Punch { offset, len } = what {
            self.bytes.iter_mut().skip(offset as usize).take(len as usize).for_each(|it| *it = 0);
        }
        self.end(id, Ok(0))
    }
}
