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

mod life;
mod tally;

use ringzero::{Config, IoCompletion, SimBackend, SimDisk, SimFaults, StorageIoExt};
use ringzero_core::{IoFd, StorageIo, StorageIoError};
use ringzero_tests::{
    content::{Change, Content, Span},
    fixture::SMALL,
    random::{Random, bytes},
};

use crate::log::Discipline;
use life::{Kind, Life, Operation};
pub(crate) use tally::Tally;

const LIVES: u64 = 2;
const STEPS_PER_LIFE: u64 = 40;
const CUTS_PER_STEP: u64 = 2;
/// So many bytes below the durable tail are looked at.
const WINDOW_BYTES: u64 = 600;

/// One seed's program.
pub(crate) struct Program {
    random: Random,
    faults: SimFaults,
    discipline: Discipline,
    alignment: u64,
    next_id: u64,
    pub(crate) tally: Tally,
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
            resumed_at: 0,
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
            _ => life.resume(),
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
