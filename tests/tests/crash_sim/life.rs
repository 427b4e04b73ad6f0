//! [`Life`]: one random program over one seed, with a power cut after every step, several ways.
//!
//! A life of the program ends when the power fails, by chance or because its log's file failed;
//! the next begins with the recovery of what the cut left.

use std::hash::{DefaultHasher, Hasher};

use ringzero::{Config, IoCompletion, SimBackend, SimCounts, SimDisk, SimFaults, StorageIoExt};
use ringzero_core::{IoFd, StorageIo};
use ringzero_tests::{fixture::SMALL, random::Random};

use crate::{
    log::{Discipline, Log, Policy},
    record::{History, recover},
};

const LIVES: u64 = 2;
const STEPS_PER_LIFE: u64 = 24;
const CRASHES_PER_STEP: u64 = 3;
/// Bytes of the file that is written all over.
const DATA_BYTES: u64 = 2_048;

/// What was done and checked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) steps: u64,
    pub(crate) crashes: u64,
    pub(crate) promised_bytes: u64,
    /// Bytes below the durable tail of the log.
    pub(crate) durable_bytes: u64,
    pub(crate) found: u64,
    /// Crashes that took something away.
    pub(crate) losses: u64,
    pub(crate) resumed: u64,
    pub(crate) reopened: u64,
    pub(crate) failed_lives: u64,
    pub(crate) faults: SimCounts,
}

/// One seed's program.
pub(crate) struct Life {
    random: Random,
    faults: SimFaults,
    discipline: Discipline,
    policy: Policy,
    alignment: u32,
    history: History,
    next_number: u32,
    /// By position of the other file: bytes that were ever accepted there.
    written: Vec<Bytes>,
    /// Of every trace and every image at the end of a life.
    seen: DefaultHasher,
    pub(crate) tally: Tally,
}

/// The backend and what the program has open.
struct Open {
    io: SimBackend,
    log: Log,
    data: Option<IoFd>,
}

impl Open {
    fn is_failed(&self, fd: IoFd) -> bool {
        self.io.file_status(fd).is_ok_and(|status| status.failed.is_some())
    }
}

impl Life {
    /// A program whose files are opened with O_DIRECT and this alignment, or buffered (1).
    pub(crate) fn new(seed: u64, discipline: Discipline, alignment: u32) -> Self {
        let mut random = Random::new(seed);
        let faults = faults(&mut random);
        let policy = if random.chance(500) { Policy::Retry } else { Policy::Abandon };
        Self {
            random,
            faults,
            discipline,
            policy,
            alignment,
            history: History::default(),
            next_number: 1,
            written: vec![Bytes::only(0); DATA_BYTES as usize],
            seen: DefaultHasher::new(),
            tally: Tally::default(),
        }
    }

    /// A number that depends on everything that happened.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.seen.finish()
    }

    /// Runs the program to its end.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        let disk = SimDisk::new();
        drop((disk.create("log", b""), disk.create("data", b"")));
        (0..LIVES).try_fold(disk, |disk, _| self.live(&disk)).map(|_| ())
    }

    /// From a recovery to a power cut.
    fn live(&mut self, disk: &SimDisk) -> Result<SimDisk, String> {
        let config = Config { limits: SMALL, ..Config::default() };
        let mut io = SimBackend::on(&config, disk, self.random.next()).expect("in range");
        io.inject(self.faults);
        let bytes = disk.read("log").unwrap_or_default();
        let recovered = recover(&bytes);
        let file = disk.create("log", &bytes[..recovered.byte_count]).direct(self.alignment);
        let fd = io.register_fd(file).map_err(|error| format!("register: {error}"))?;
        let known = &bytes[..recovered.byte_count];
        let log = Log::new(fd, known, recovered, self.discipline, self.policy);
        let mut open = Open { io, log, data: None };
        self.open_data(&mut open);
        for _ in 0..STEPS_PER_LIFE {
            let is_over = self.step(&mut open)?;
            self.tally.steps += 1;
            self.cut_power(&mut open)?;
            if is_over {
                self.tally.failed_lives += 1;
                break;
            }
        }
        add(&mut self.tally.faults, &open.io.counts());
        let durable = open.log.durable();
        self.seen.write_u64(open.io.trace().hash());
        self.see(open.io.disk());
        let image = open.io.crash();
        self.see(&image);
        self.check(&image, durable)?;
        Ok(image)
    }

    fn see(&mut self, disk: &SimDisk) {
        for name in disk.names() {
            self.seen.write(&disk.read(&name).unwrap_or_default());
        }
    }

    /// Whether the program gives up.
    fn step(&mut self, open: &mut Open) -> Result<bool, String> {
        if open.is_failed(open.log.fd) && self.random.chance(300) {
            return Ok(true);
        }
        if open.data.is_none_or(|fd| open.is_failed(fd)) {
            self.open_data(open);
        }
        match self.random.below(100) {
            0..38 => self.append(open)?,
            38..52 => open.log.sync(&mut open.io),
            52..68 => self.write(open),
            68..74 => drop(open.data.map(|fd| open.io.submit_datasync(fd))),
            74..80 => drop(open.io.flush()),
            80..85 => drop(open.io.wait(1, None)),
            85..88 => self.reopen(open)?,
            88..90 => open.io.release(),
            90..92 => self.open_data(open),
            _ => {}
        }
        if open.log.is_broken() && self.random.chance(500) && open.log.resume(&mut open.io) {
            self.tally.resumed += 1;
        }
        if self.random.chance(600) {
            poll(open)?;
        }
        open.log.pump(&mut open.io, &mut self.history)?;
        Ok(false)
    }

    fn append(&mut self, open: &mut Open) -> Result<(), String> {
        let count = if self.random.chance(200) { 4 } else { 1 };
        // The same length often: then what is left of one record ends where another begins.
        let filler_bytes = match self.random.below(4) {
            0 => self.random.below(900),
            1 => self.random.below(60),
            _ => 40,
        };
        let most = 20 + self.random.below(400) as usize;
        for _ in 0..count {
            open.log.push(self.next_number, filler_bytes as usize, most);
            self.next_number += 1;
        }
        open.log.pump(&mut open.io, &mut self.history)
    }

    /// Writes somewhere in the other file.
    fn write(&mut self, open: &mut Open) {
        let Some(fd) = open.data else { return };
        let offset = self.random.below(DATA_BYTES);
        let most = if self.random.chance(300) { 700 } else { 80 };
        let len = (1 + self.random.below(most)).min(DATA_BYTES - offset);
        let (alignment, end) = (u64::from(self.alignment), offset + len);
        let offset = offset / alignment * alignment;
        let len = end.next_multiple_of(alignment) - offset;
        let value = 1 + self.random.below(255) as u8;
        if open.io.submit_write(fd, &vec![value; len as usize], offset).is_ok() {
            for bytes in &mut self.written[offset as usize..(offset + len) as usize] {
                bytes.insert(value);
            }
        }
    }

    /// Opens the other file, again if it failed.
    fn open_data(&mut self, open: &mut Open) {
        if let Some(fd) = open.data.take() {
            let _may_hang = open.io.deregister_fd(fd);
        }
        let file = open.io.disk().open("data").expect("it exists").direct(self.alignment);
        // Refused while I/O on it hangs.
        open.data = open.io.register_fd(file).ok();
    }

    /// Closes the log, once all of it is safe, and opens it again. What failed is cut off by then.
    fn reopen(&mut self, open: &mut Open) -> Result<(), String> {
        // The first datasync reports a failed append, the second speaks for the rest.
        for _ in 0..2 {
            open.log.sync(&mut open.io);
            let _all = open.io.wait(usize::MAX, None);
            poll(open)?;
        }
        // A failed file is not cut back, and its readers may see what is lost: no way to go on.
        let may_go_on = open.log.is_settled() && !open.is_failed(open.log.fd);
        if !may_go_on || open.io.deregister_fd(open.log.fd).is_err() {
            return Ok(());
        }
        let file = open.io.disk().open("log").expect("it exists").direct(self.alignment);
        let fd = open.io.register_fd(file).map_err(|error| format!("again: {error}"))?;
        open.log.registered_again(fd);
        self.tally.reopened += 1;
        Ok(())
    }

    /// Cuts the power at this moment, in several ways, and goes on.
    fn cut_power(&mut self, open: &mut Open) -> Result<(), String> {
        let promises = open.io.promises();
        let appended = open.log.appended_durably(&open.io)?.to_vec();
        self.tally.durable_bytes += appended.len() as u64;
        let before = open.io.disk().read("log").unwrap_or_default();
        for _ in 0..CRASHES_PER_STEP {
            let image = open.io.crash_image(self.random.next());
            self.check(&image, open.log.durable())?;
            if !image.read("log").is_some_and(|bytes| bytes.starts_with(&appended)) {
                return Err(format!("lost: a byte below the durable tail {}", appended.len()));
            }
            if let Some(broken) = promises.iter().find(|promise| !image.keeps(promise)) {
                let (file, offset, count) = (&broken.file, broken.offset, broken.bytes.len());
                return Err(format!("a broken promise: {count} bytes at {offset} of {file}"));
            }
            self.tally.losses += u64::from(image.read("log").as_ref() != Some(&before));
        }
        self.tally.promised_bytes += promises.iter().map(|it| it.bytes.len() as u64).sum::<u64>();
        Ok(())
    }

    /// Everything safe is there and whole, in order, and nothing else but what was accepted.
    fn check(&mut self, image: &SimDisk, durable: u32) -> Result<(), String> {
        self.tally.crashes += 1;
        let recovered = recover(&image.read("log").unwrap_or_default());
        for found in &recovered.records {
            self.history.check(found)?;
        }
        self.tally.found += recovered.records.len() as u64;
        if durable > 0 && !recovered.records.iter().any(|found| found.number == durable) {
            let last = recovered.records.last().map_or(0, |found| found.number);
            return Err(format!("lost: record {durable} was safe, the last found is {last}"));
        }
        let data = image.read("data").unwrap_or_default();
        let foreign = data.iter().zip(&self.written).position(|(is, may)| !may.contains(*is));
        match foreign {
            Some(at) => Err(format!("foreign: byte {at} of the data is {}", data[at])),
            None => Ok(()),
        }
    }
}

/// What goes wrong in a program.
pub(crate) fn faults(random: &mut Random) -> SimFaults {
    let worse = SimFaults { short: 250, slow: 100, ..SimFaults::default() };
    match random.below(4) {
        0 => worse,
        1 => SimFaults { refused: 120, ..worse },
        2 => SimFaults { lost: 15, sync_failed: 80, write_back_failed: 30, ..worse },
        _ => SimFaults { refused: 60, sync_failed: 40, write_back_failed: 15, hung: 8, ..worse },
    }
}

/// A set of byte values.
#[derive(Clone, Copy, Debug)]
struct Bytes([u64; 4]);

impl Bytes {
    fn only(byte: u8) -> Self {
        let mut bytes = Self([0; 4]);
        bytes.insert(byte);
        bytes
    }

    fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte / 64)] |= 1 << (byte % 64);
    }

    fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte / 64)] >> (byte % 64) & 1 == 1
    }
}

/// Polls once, and tells the log.
fn poll(open: &mut Open) -> Result<(), String> {
    let mut batch: Vec<IoCompletion> = Vec::new();
    open.io.poll_completions(&mut batch);
    for IoCompletion { token, result } in batch {
        open.log.delivered(token, result)?;
    }
    Ok(())
}

/// Adds the counts of one backend to a sum.
pub(crate) fn add(sum: &mut SimCounts, counts: &SimCounts) {
    let SimCounts { writes, syncs, durable_writes, short, retried, at_once, written_back, .. } =
        counts;
    let SimCounts { foreign_syncs, refused, lost, syncs_failed, write_backs_failed, .. } = counts;
    let SimCounts { hung, misaligned, .. } = counts;
    sum.writes += writes;
    sum.syncs += syncs;
    sum.durable_writes += durable_writes;
    sum.short += short;
    sum.retried += retried;
    sum.at_once += at_once;
    sum.written_back += written_back;
    sum.foreign_syncs += foreign_syncs;
    sum.refused += refused;
    sum.lost += lost;
    sum.syncs_failed += syncs_failed;
    sum.write_backs_failed += write_backs_failed;
    sum.hung += hung;
    sum.misaligned += misaligned;
}
