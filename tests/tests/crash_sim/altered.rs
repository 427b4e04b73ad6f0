//! [`Program`]: one file whose size and holes change while it is written, appended to, read and
//! closed, with a power cut after every step, several ways.
//!
//! What a cut may leave, byte by byte: what the last delivered datasync covers, or what anything
//! accepted since may have made of it. A truncation that no datasync covers yet leaves the old
//! bytes, none, or zeros where the file grew again; one that is covered leaves exactly its size,
//! until something else is accepted. Every promise of `SimBackend::promises` is kept, and every
//! byte appended below the durable tail is there, unless a truncation or a hole that takes it away
//! was accepted.
//!
//! [`Discipline::Reckless`] is the control: an observer who takes an alteration for durable when it
//! is delivered.

use ringzero::{Config, Errno, IoCompletion, SimBackend, SimDisk, SimFaults, StorageIoExt};
use ringzero_core::{IoFd, StorageIo, StorageIoError};
use ringzero_tests::{
    content::{Change, Content, Span},
    fixture::SMALL,
    random::{Random, bytes},
};

use crate::log::Discipline;

const LIVES: u64 = 2;
const STEPS_PER_LIFE: u64 = 40;
const CUTS_PER_STEP: u64 = 2;
/// So many bytes below the durable tail are looked at.
const WINDOW_BYTES: u64 = 600;

/// How much was met.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) cuts: u64,
    /// Cuts that took something away.
    pub(crate) losses: u64,
    /// Alterations that succeeded: truncations, holes, allocations, closes.
    pub(crate) truncated: u64,
    pub(crate) punched: u64,
    pub(crate) allocated: u64,
    pub(crate) closed: u64,
    /// Alterations that failed.
    pub(crate) refused: u64,
    /// Cuts with a truncation that no datasync covers; of them, those that left the file longer
    /// than that, and those that did not.
    pub(crate) undone: u64,
    pub(crate) done: u64,
    /// Cuts after which the file had exactly the size that it was to have.
    pub(crate) exact: u64,
    pub(crate) claimed: u64,
    pub(crate) dropped: u64,
    pub(crate) gathered: u64,
    pub(crate) read: u64,
    pub(crate) read_failed_file: u64,
    /// Bytes below the durable tail that were looked at.
    pub(crate) durable_bytes: u64,
}

impl Tally {
    pub(crate) fn all(&self) -> [u64; 16] {
        let Self { cuts, losses, truncated, punched, allocated, closed, refused, undone, .. } =
            *self;
        let Self { done, exact, claimed, dropped, gathered, read, read_failed_file, .. } = *self;
        let first = [cuts, losses, truncated, punched, allocated, closed, refused, undone];
        let second = [done, exact, claimed, dropped, gathered, read, read_failed_file];
        let mut all = [self.durable_bytes; 16];
        all[..8].copy_from_slice(&first);
        all[8..15].copy_from_slice(&second);
        all
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Write,
    Append,
    Alteration,
}

/// What was accepted.
#[derive(Clone, Copy, Debug)]
struct Operation {
    token: u64,
    kind: Kind,
    change: Change,
    result: Option<i32>,
}

impl Operation {
    fn has_failed(&self) -> bool {
        self.result.is_some_and(|result| result < 0)
    }

    /// Whether it may have changed something.
    fn may_count(&self) -> bool {
        self.kind != Kind::Alteration || !self.has_failed()
    }
}

/// One seed's program.
pub(crate) struct Program {
    random: Random,
    faults: SimFaults,
    discipline: Discipline,
    alignment: u64,
    next_id: u64,
    pub(crate) tally: Tally,
}

/// The file, from a recovery to a power cut.
struct Life {
    io: SimBackend,
    fd: IoFd,
    /// Of this registration: what a reader saw first, and what was accepted since.
    initial: Vec<u8>,
    log: Vec<Operation>,
    /// Operations before this one are covered by a datasync that succeeded.
    settled: usize,
    /// What those left.
    durable: Content,
    /// Changes through earlier registrations that no datasync of theirs covers.
    old: Vec<Change>,
    syncs: Vec<u64>,
    /// Token, first byte, and where it ends at the latest.
    reads: Vec<(u64, u64, u64)>,
    close: Option<u64>,
    /// Where anything accepted may end.
    furthest: u64,
    has_failure: bool,
}

impl Life {
    fn tail(&self) -> Result<u64, String> {
        self.io.tail(self.fd).map_err(|error| format!("tail: {error}"))
    }

    fn is_failed(&self) -> bool {
        self.io.file_status(self.fd).is_ok_and(|status| status.failed.is_some())
    }

    fn accepted(&mut self, token: u64, kind: Kind, change: Change) {
        let end = match change {
            Change::Write(span) => span.offset + span.len,
            Change::Truncate(end) => end,
            Change::Punch(..) | Change::Nothing => 0,
        };
        self.furthest = self.furthest.max(end);
        self.log.push(Operation { token, kind, change, result: None });
    }

    /// Changes that no datasync covers.
    fn later(&self) -> Vec<Change> {
        let open = self.log[self.settled..].iter().filter(|operation| operation.may_count());
        let open = open.map(|operation| operation.change);
        self.old.iter().copied().chain(open).filter(|change| *change != Change::Nothing).collect()
    }

    fn settle_before(&mut self, token: u64) -> Result<(), String> {
        while let Some(operation) = self.log.get(self.settled).filter(|it| it.token < token) {
            let Some(result) = operation.result else {
                return Err(format!("{token} delivered before {operation:?}"));
            };
            self.durable.settle(operation.change, result >= 0);
            self.settled += 1;
        }
        Ok(())
    }

    /// What a read showed is what was accepted before it and succeeded.
    fn check_read(&mut self, at: usize, result: i32) -> Result<(), String> {
        let (token, begin, end) = self.reads.swap_remove(at);
        if result < 0 {
            return if result == -Errno::IO.number() { Ok(()) } else { Err(format!("{result}")) };
        }
        let mut seen = Vec::new();
        while seen.len() < result as usize {
            let part = self.io.read_bytes(token, seen.len()).map_err(|error| error.to_string())?;
            seen.extend_from_slice(part);
        }
        self.io.release_read(token).map_err(|error| error.to_string())?;
        let mut content = Content::of_part(&self.initial, begin..end);
        for operation in self.log.iter().take_while(|operation| operation.token < token) {
            content.settle(operation.change, operation.result.is_some_and(|result| result >= 0));
        }
        let missing = (end - begin) as i32 - result;
        if missing < 0 || missing > 0 && !self.has_failure {
            return Err(format!("a read of {begin}..{end} returns {result}"));
        }
        content.check_bytes(&seen).map_err(|what| format!("a read of {begin}..{end}: {what}"))
    }

    /// Whether what a cut left of the file is allowed.
    fn check(&self, image: &[u8], alignment: u64) -> Result<(), String> {
        self.durable.check_cut(image, &self.later())?;
        let most = self.furthest.next_multiple_of(alignment);
        if image.len() as u64 > most {
            return Err(format!("{} bytes, nothing ends beyond {most}", image.len()));
        }
        Ok(())
    }

    /// Whether what was appended at a position is there. While the status says that an append
    /// failed, those that are owed may have.
    fn check_appended(&self, at: u64, byte: Option<u8>) -> Result<(), String> {
        let position = at..at + 1;
        let status = self.io.file_status(self.fd);
        let is_broken = status.is_ok_and(|status| status.append_failed.is_some());
        let counts = self.log.iter().rev().filter(|operation| operation.may_count());
        for operation in counts.filter(|operation| operation.change.touches(&position)) {
            if operation.change.may_leave(at, byte) {
                return Ok(());
            }
            let is_unknown = is_broken && operation.result.is_none();
            if operation.kind == Kind::Append && !operation.has_failed() && !is_unknown {
                return Err(format!("lost: byte {at} is {byte:?}, after {operation:?}"));
            }
        }
        Ok(())
    }
}

impl Program {
    pub(crate) fn new(
        seed: u64,
        faults: SimFaults,
        discipline: Discipline,
        alignment: u32,
    ) -> Self {
        Self {
            random: Random::new(seed ^ 0xA17E_8ED0),
            faults,
            discipline,
            alignment: u64::from(alignment),
            next_id: 1,
            tally: Tally::default(),
        }
    }

    pub(crate) fn run(&mut self) -> Result<(), String> {
        let disk = SimDisk::new();
        drop(disk.create("file", &[7; 300]));
        (0..LIVES).try_fold(disk, |disk, _| self.live(&disk)).map(|_| ())
    }

    /// From a recovery to a power cut.
    fn live(&mut self, disk: &SimDisk) -> Result<SimDisk, String> {
        let config = Config { limits: SMALL, ..Config::default() };
        let mut io = SimBackend::on(&config, disk, self.random.next()).expect("in range");
        io.inject(self.faults);
        let initial = disk.read("file").expect("it exists");
        let fd = self.register(&mut io)?;
        let mut life = Life {
            io,
            fd,
            durable: Content::new(&initial),
            furthest: initial.len() as u64,
            initial,
            log: Vec::new(),
            settled: 0,
            old: Vec::new(),
            syncs: Vec::new(),
            reads: Vec::new(),
            close: None,
            has_failure: false,
        };
        for _ in 0..STEPS_PER_LIFE {
            self.step(&mut life)?;
            self.cut(&life)?;
            if life.is_failed() && self.random.chance(200) {
                break;
            }
        }
        let image = life.io.crash_image(self.random.next());
        Ok(image)
    }

    fn register(&self, io: &mut SimBackend) -> Result<IoFd, String> {
        let file = io.disk().open("file").expect("it exists").direct(self.alignment as u32);
        io.register_fd(file).map_err(|error| format!("register: {error}"))
    }

    fn step(&mut self, life: &mut Life) -> Result<(), String> {
        if life.close.is_none() {
            self.call(life)?;
        }
        match self.random.below(10) {
            0..2 => _ = life.io.flush(),
            2..4 => _ = life.io.wait(1, None),
            4 => life.io.release(),
            _ => {}
        }
        if self.random.chance(700) {
            self.poll(life)?;
        }
        Ok(())
    }

    fn call(&mut self, life: &mut Life) -> Result<(), String> {
        let tail = life.tail()?;
        let floor = |at: u64| at / self.alignment * self.alignment;
        let (offset, len) = (self.random.below(tail + 100), self.random.below(700));
        match self.random.below(100) {
            0..25 => self.append(life, tail)?,
            25..40 => self.write(life, (floor(offset), len)),
            40..58 => {
                let answer = match self.random.below(4) {
                    0 => life.io.submit_fsync(life.fd),
                    _ => life.io.submit_datasync(life.fd),
                };
                life.syncs.extend(answer.ok());
            }
            58..68 => {
                self.tally.read_failed_file += u64::from(life.is_failed());
                if let Ok(token) = life.io.submit_read(life.fd, len as usize, offset) {
                    life.reads.push((token, offset, (offset + len).min(tail).max(offset)));
                }
            }
            68..80 => {
                let end = floor(if len % 2 == 0 { offset } else { tail + len / 4 });
                let answer = life.io.submit_truncate(life.fd, end);
                self.altered(life, answer, Change::Truncate(end));
            }
            80..87 => {
                let (begin, len) = (floor(offset), floor(len));
                let answer = life.io.submit_punch(life.fd, begin, len);
                self.altered(life, answer, Change::Punch(begin, begin + len));
            }
            87..92 => {
                let answer = life.io.submit_allocate(life.fd, offset, len);
                self.altered(life, answer, Change::Nothing);
            }
            92..96 => {
                // Mostly when everything is safe: what is not stays uncertain for ever.
                if life.later().is_empty() || self.random.chance(100) {
                    life.close = life.io.submit_close(life.fd).ok();
                }
            }
            _ => _ = life.io.resume_append(life.fd),
        }
        Ok(())
    }

    fn altered(&mut self, life: &mut Life, answer: Result<u64, StorageIoError>, change: Change) {
        if let Ok(token) = answer {
            life.accepted(token, Kind::Alteration, change);
        }
    }

    fn write(&mut self, life: &mut Life, (offset, len): (u64, u64)) {
        let len = len.next_multiple_of(self.alignment);
        let span = Span { id: self.next_id, offset, len };
        self.next_id += 1;
        let data = bytes(span.id, offset, len as usize);
        let (io, fd) = (&mut life.io, life.fd);
        let answer = match self.random.below(3) {
            0 => io.submit_write(fd, &data, offset),
            1 => io.submit_writev(
                fd,
                &[&data[..len as usize / 2], &data[len as usize / 2..]],
                offset,
            ),
            _ => io.claim_write(fd, len as usize, offset).and_then(|mut claim| {
                claim.copy_in(0, &data);
                claim.submit()
            }),
        };
        if let Ok(token) = answer {
            life.accepted(token, Kind::Write, Change::Write(span));
        }
    }

    fn append(&mut self, life: &mut Life, tail: u64) -> Result<(), String> {
        let len = self.random.below(500);
        let span = Span { id: self.next_id, offset: tail, len };
        self.next_id += 1;
        let data = bytes(span.id, tail, len as usize);
        let (io, fd, tally) = (&mut life.io, life.fd, &mut self.tally);
        let answer = match self.random.below(4) {
            0 => io.submit_append(fd, &data),
            1 => {
                let answer =
                    io.submit_appendv(fd, &[&data[..len as usize / 3], &data[len as usize / 3..]]);
                tally.gathered += u64::from(answer.is_ok());
                answer
            }
            2 => io.claim_append(fd, len as usize).and_then(|mut claim| {
                claim.copy_in(0, &data);
                tally.claimed += 1;
                claim.submit()
            }),
            _ => {
                if let Ok(mut claim) = io.claim_append(fd, len as usize) {
                    claim.copy_in(0, &data);
                    tally.dropped += 1;
                }
                let now = io.tail(fd);
                return if now == Ok(tail) { Ok(()) } else { Err(format!("{now:?}, {tail}")) };
            }
        };
        if let Ok(token) = answer {
            life.accepted(token, Kind::Append, Change::Write(span));
        }
        Ok(())
    }

    fn poll(&mut self, life: &mut Life) -> Result<(), String> {
        let mut batch: Vec<IoCompletion> = Vec::new();
        life.io.poll_completions(&mut batch);
        batch.into_iter().try_for_each(|it| self.delivered(life, it.token, it.result))
    }

    fn delivered(&mut self, life: &mut Life, token: u64, result: i32) -> Result<(), String> {
        if let Some(at) = life.syncs.iter().position(|sync| *sync == token) {
            life.syncs.remove(at);
            return if result == 0 { life.settle_before(token) } else { Ok(()) };
        }
        if let Some(at) = life.reads.iter().position(|(read, ..)| *read == token) {
            self.tally.read += u64::from(result > 0);
            return life.check_read(at, result);
        }
        if life.close == Some(token) {
            return self.closed(life);
        }
        let at = life.log.binary_search_by_key(&token, |operation| operation.token);
        let operation = &mut life.log[at.map_err(|_| format!("{token} is not owed"))?];
        operation.result = Some(result);
        let Operation { kind, change, .. } = *operation;
        life.has_failure |= result < 0 && kind != Kind::Alteration;
        let count = match change {
            _ if kind != Kind::Alteration => return Ok(()),
            _ if result < 0 => &mut self.tally.refused,
            Change::Truncate(_) => &mut self.tally.truncated,
            Change::Punch(..) => &mut self.tally.punched,
            _ => &mut self.tally.allocated,
        };
        *count += 1;
        match self.discipline {
            Discipline::Sound => Ok(()),
            Discipline::Reckless => life.settle_before(token + 1),
        }
    }

    /// The file was closed: it is opened again.
    fn closed(&mut self, life: &mut Life) -> Result<(), String> {
        self.tally.closed += 1;
        life.old = life.later();
        life.log.clear();
        (life.settled, life.close) = (0, None);
        life.initial = life.io.disk().read("file").expect("it exists");
        life.fd = self.register(&mut life.io)?;
        Ok(())
    }

    /// Cuts the power at this moment, in several ways, and goes on.
    fn cut(&mut self, life: &Life) -> Result<(), String> {
        let promises = life.io.promises();
        let before = life.io.disk().read("file");
        let durable_tail = life.io.durable_tail(life.fd).unwrap_or(0);
        let window = durable_tail.saturating_sub(WINDOW_BYTES)..durable_tail;
        let later = life.later();
        let cut_at = later.iter().rev().find_map(|change| match change {
            Change::Truncate(end) => Some(*end),
            _ => None,
        });
        let is_settled = later.is_empty() && !life.has_failure && life.close.is_none();
        for _ in 0..CUTS_PER_STEP {
            let image = life.io.crash_image(self.random.next());
            let left = image.read("file").unwrap_or_default();
            let len = left.len() as u64;
            life.check(&left, self.alignment)?;
            for at in window.clone() {
                life.check_appended(at, left.get(at as usize).copied())?;
            }
            if let Some(broken) = promises.iter().find(|promise| !image.keeps(promise)) {
                return Err(format!(
                    "a broken promise: {} at {}",
                    broken.bytes.len(),
                    broken.offset
                ));
            }
            if is_settled {
                let tail = life.tail()?;
                if !(tail..=tail.next_multiple_of(self.alignment)).contains(&len) {
                    return Err(format!("{len} bytes, the tail is {tail} and durable"));
                }
                self.tally.exact += 1;
            }
            self.tally.undone += u64::from(cut_at.is_some_and(|end| len > end));
            self.tally.done += u64::from(cut_at.is_some_and(|end| len <= end));
            self.tally.durable_bytes += window.end - window.start;
            self.tally.losses += u64::from(Some(left) != before);
            self.tally.cuts += 1;
        }
        Ok(())
    }
}
