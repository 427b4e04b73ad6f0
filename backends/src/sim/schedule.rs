//! [`Schedule`]: virtual time, and the requests on their way to the disk.
//!
//! A request is given a duration by chance when it is handed over, so requests end in any order,
//! also across files. A write takes effect when it *ends*; a data-sync covers what had taken effect
//! when it *began*. The bytes are copied when they are handed over, so nothing here touches memory
//! of the engine later. So a read, too, sees what the file has when it is handed over; the engine
//! keeps writes over the same bytes apart from it, so it could not see anything else later.
//!
//! Time is a number that only this file moves; no clock is read.

use ringzero_core::{
    Alteration, Boxed, Engine, Errno, Executor, FileSlot, Outcome, Piece, Pieces, PiecesMut,
    RequestId, StableMemory, SyncKind, WriteKind,
};

use super::{
    disk::{Effect, SimDisk, SimFile},
    faults::{Fate, SimCounts, SimFaults},
    random::Random,
    trace::{SimEvent, SimTrace},
};

/// How long a write takes at least, and at most beyond that.
const WRITE_NS: (u64, u64) = (10_000, 90_000);
/// The same for a data-sync.
const SYNC_NS: (u64, u64) = (50_000, 450_000);
/// So many times as long is slow.
const SLOW_FACTOR: u64 = 50;

/// What a request does when it ends.
#[derive(Debug)]
enum Work {
    Write {
        offset: u64,
        data: Vec<u8>,
        fate: Fate,
        kind: WriteKind,
        /// Of a durable one: the error with which writing it back fails.
        loss: Option<Errno>,
    },
    /// The bytes are in their place already.
    Read { offset: u64, byte_count: u32, outcome: Outcome },
    /// `refusal`: it never ran.
    Sync { stamp: u64, refusal: Option<Errno> },
    /// `refusal`: it did nothing.
    Alter { what: Alteration, refusal: Option<Errno> },
    /// A data-sync of somebody else, through an open file of their own.
    ForeignSync { stamp: u64, file: SimFile },
}

/// One request on its way.
#[derive(Debug)]
struct Request {
    number: u64,
    id: RequestId,
    slot: usize,
    inode: usize,
    /// `None`: it hangs.
    due_ns: Option<u64>,
    work: Work,
}

/// Virtual time and what is on its way.
#[derive(Debug)]
pub(super) struct Schedule {
    now_ns: u64,
    next_number: u64,
    disk: SimDisk,
    requests: Vec<Request>,
    pub(super) random: Random,
    pub(super) faults: SimFaults,
    pub(super) counts: SimCounts,
    pub(super) trace: SimTrace,
}

impl Schedule {
    pub(super) fn new(disk: SimDisk, seed: u64) -> Self {
        Self {
            now_ns: 0,
            next_number: 0,
            disk,
            requests: Vec::new(),
            random: Random::new(seed),
            faults: SimFaults::default(),
            counts: SimCounts::default(),
            trace: SimTrace::default(),
        }
    }

    pub(super) const fn now_ns(&self) -> u64 {
        self.now_ns
    }

    pub(super) const fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// Lets time pass until `ns`, if that is not past.
    pub(super) fn advance_to(&mut self, ns: u64) {
        self.now_ns = self.now_ns.max(ns);
    }

    pub(super) fn advance_by(&mut self, ns: u64) {
        self.now_ns = self.now_ns.saturating_add(ns);
    }

    /// When the next request ends; `None` if none will.
    pub(super) fn next_due_ns(&self) -> Option<u64> {
        self.requests.iter().filter_map(|request| request.due_ns).min()
    }

    /// Lets everything that hangs end, in its time.
    pub(super) fn release(&mut self) {
        for request in self.requests.iter_mut().filter(|request| request.due_ns.is_none()) {
            let ns = WRITE_NS.0 + self.random.below(SYNC_NS.1);
            request.due_ns = Some(self.now_ns.saturating_add(ns));
        }
    }

    /// What is on its way to a file's bytes, and which file's.
    pub(super) fn under_way(&self) -> impl Iterator<Item = (usize, Effect<'_>)> {
        self.requests.iter().filter_map(|request| {
            let effect = match &request.work {
                Work::Write { offset, data, .. } => Effect::Write(*offset, data),
                Work::Alter { what, .. } => Effect::Alter(*what),
                Work::Read { .. } | Work::Sync { .. } | Work::ForeignSync { .. } => return None,
            };
            Some((request.inode, effect))
        })
    }

    /// How long a request takes; `None`: it hangs.
    fn due_ns(&mut self, (least, beyond): (u64, u64)) -> Option<u64> {
        if self.random.chance(self.faults.hung) {
            self.counts.hung += 1;
            return None;
        }
        let ns = least + self.random.below(beyond);
        let factor = if self.random.chance(self.faults.slow) { SLOW_FACTOR } else { 1 };
        Some(self.now_ns.saturating_add(ns * factor))
    }

    /// Takes a request; its answer, if it ends at once.
    fn begin(
        &mut self,
        id: RequestId,
        slot: usize,
        work: Work,
        files: &mut [Option<SimFile>],
    ) -> Option<Outcome> {
        let number = self.next_number;
        self.next_number += 1;
        let inode = files.get(slot).and_then(Option::as_ref).map_or(usize::MAX, SimFile::inode);
        let (event, span) = match &work {
            Work::Write { offset, data, kind, .. } => {
                let (offset, byte_count, kind) = (*offset, data.len() as u32, *kind);
                let span = match kind {
                    WriteKind::Plain => WRITE_NS,
                    WriteKind::Durable => SYNC_NS,
                };
                (SimEvent::Write { number, file: inode, offset, byte_count, kind }, span)
            }
            Work::Read { offset, byte_count, .. } => {
                let (offset, byte_count) = (*offset, *byte_count);
                (SimEvent::Read { number, file: inode, offset, byte_count }, WRITE_NS)
            }
            Work::Alter { what, .. } => {
                (SimEvent::Alter { number, file: inode, what: *what }, WRITE_NS)
            }
            Work::Sync { .. } | Work::ForeignSync { .. } => {
                (SimEvent::Sync { number, file: inode }, SYNC_NS)
            }
        };
        self.trace.push(self.now_ns, event);
        let due_ns = self.due_ns(span);
        let request = Request { number, id, slot, inode, due_ns, work };
        let is_ours = !matches!(request.work, Work::ForeignSync { .. });
        if is_ours && due_ns.is_some() && self.random.chance(self.faults.at_once) {
            self.counts.at_once += 1;
            return Some(self.end(request, files));
        }
        self.requests.push(request);
        None
    }

    /// Ends what is due, in the order of time, and tells the engine.
    pub(super) fn end_due<M: StableMemory>(
        &mut self,
        engine: &mut Engine<Boxed<M>>,
        files: &mut [Option<SimFile>],
    ) {
        while let Some(request) = self.take_due() {
            let id = request.id;
            let is_ours = !matches!(request.work, Work::ForeignSync { .. });
            let outcome = self.end(request, files);
            if is_ours {
                engine.complete(id, outcome);
            }
        }
    }

    /// Takes out what ends first, if that is due.
    fn take_due(&mut self) -> Option<Request> {
        let key = |request: &Request| Some((request.due_ns?, request.number));
        let due = self.requests.iter().enumerate().filter_map(|(at, it)| Some((key(it)?, at)));
        let ((due_ns, _), at) = due.min()?;
        (due_ns <= self.now_ns).then(|| self.requests.swap_remove(at))
    }

    fn end(&mut self, request: Request, files: &mut [Option<SimFile>]) -> Outcome {
        let Request { number, slot, inode, work, .. } = request;
        let outcome = match work {
            Work::Write { offset, data, fate, kind, loss } => {
                let outcome = self.write(inode, offset, &data, fate);
                self.write_back(inode);
                match (kind, outcome, files.get_mut(slot)) {
                    (WriteKind::Durable, Ok(byte_count), Some(Some(file))) => {
                        let end = offset + u64::from(byte_count);
                        self.sync_range(file, (offset, end), loss).and(outcome)
                    }
                    _ => outcome,
                }
            }
            Work::Read { outcome, .. } => outcome,
            Work::Sync { stamp, refusal } => {
                let outcome = match (refusal, files.get_mut(slot)) {
                    (Some(errno), _) => Err(errno),
                    (None, Some(Some(file))) => file.end_sync(stamp),
                    (None, _) => Err(Errno::BADF),
                };
                self.counts.syncs_failed += u64::from(outcome.is_err());
                outcome
            }
            Work::Alter { what, refusal } => match refusal {
                Some(errno) => Err(errno),
                None => self.disk.alter(inode, what).map(|()| 0),
            },
            Work::ForeignSync { stamp, mut file } => file.end_sync(stamp),
        };
        self.trace.push(self.now_ns, SimEvent::Ended { number, outcome });
        outcome
    }

    /// The second half of a durable write. Whoever asks first is told of a loss; here nobody is
    /// ahead.
    fn sync_range(
        &mut self,
        file: &mut SimFile,
        range: (u64, u64),
        loss: Option<Errno>,
    ) -> Outcome {
        if let Some(errno) = loss {
            self.disk.fail_write_back(file.inode(), errno, &mut self.random);
        }
        let outcome = file.sync_range(range);
        self.counts.syncs_failed += u64::from(outcome.is_err());
        outcome
    }

    fn write(&self, inode: usize, offset: u64, data: &[u8], fate: Fate) -> Outcome {
        let (begin, byte_count, errno) = match fate {
            Fate::Whole => (0, data.len() as u32, None),
            Fate::Short(byte_count) => (0, byte_count, None),
            Fate::Torn { begin, byte_count, errno } => (begin, byte_count, Some(errno)),
        };
        let bytes = data.get(begin as usize..(begin + byte_count) as usize).unwrap_or_default();
        let written = self.disk.write(inode, offset + u64::from(begin), bytes);
        match (errno, written) {
            (Some(errno), _) => Err(errno),
            (None, written) => written.map(|()| byte_count),
        }
    }

    /// The kernel may write back what it has, at any time.
    fn write_back(&mut self, inode: usize) {
        if self.random.chance(self.faults.written_back) {
            self.counts.written_back += 1;
            self.disk.write_back(inode, &mut self.random);
        }
        if self.random.chance(self.faults.write_back_failed) {
            self.counts.write_backs_failed += 1;
            let errno = self.random.pick(&[Errno::IO, Errno::NOSPC]).unwrap_or(Errno::IO);
            self.disk.fail_write_back(inode, errno, &mut self.random);
        }
    }

    /// Somebody else may sync the same file beside us.
    fn begin_foreign_sync(&mut self, slot: usize, files: &mut [Option<SimFile>]) {
        if !self.random.chance(self.faults.foreign_sync) {
            return;
        }
        if let Some(file) = files.get(slot).and_then(Option::as_ref).map(SimFile::open_again) {
            self.counts.foreign_syncs += 1;
            let stamp = self.disk.begin_sync(file.inode());
            let work = Work::ForeignSync { stamp, file };
            self.begin(RequestId::from_u64(RequestId::NONE), slot, work, files);
        }
    }

    /// Lets what is on its way end, up to `until_ns`, when nobody listens any more.
    pub(super) fn run_out(&mut self, until_ns: u64, files: &mut [Option<SimFile>]) {
        while let Some(due_ns) = self.next_due_ns().filter(|due_ns| *due_ns <= until_ns) {
            self.advance_to(due_ns);
            if let Some(request) = self.take_due() {
                let _nobody_asks = self.end(request, files);
            }
        }
    }
}

/// Whether a request is not what its file's alignment asks for.
fn is_misaligned(file: &SimFile, pieces: &[Piece], offset: u64) -> bool {
    let bits = |all: u64, piece: &Piece| all | piece.base.addr() as u64 | piece.byte_count as u64;
    pieces.iter().fold(offset, bits) % u64::from(file.alignment()) != 0
}

/// The executor: takes requests of the engine into the schedule.
pub(super) struct Handover<'a> {
    pub(super) schedule: &'a mut Schedule,
    pub(super) files: &'a mut [Option<SimFile>],
}

impl Executor for Handover<'_> {
    fn room(&self) -> usize {
        usize::MAX
    }

    fn can_write_durably(&self, _file: FileSlot) -> bool {
        true
    }

    fn write(
        &mut self,
        id: RequestId,
        file: FileSlot,
        pieces: Pieces<'_>,
        offset: u64,
        kind: WriteKind,
    ) -> Option<Outcome> {
        let open = self.files.get(file.index()).and_then(Option::as_ref);
        if open.is_some_and(|open| is_misaligned(open, pieces.as_raw(), offset)) {
            self.schedule.counts.misaligned += 1;
            return Some(Err(Errno::INVAL));
        }
        let data = pieces.iter().collect::<Vec<_>>().concat();
        let Schedule { faults, random, counts, .. } = &mut *self.schedule;
        let fate = faults.of_write(data.len() as u32, random, counts);
        let loss = match kind {
            WriteKind::Plain => None,
            WriteKind::Durable => faults.of_durable_write(random, counts),
        };
        let work = Work::Write { offset, data, fate, kind, loss };
        self.schedule.begin(id, file.index(), work, self.files)
    }

    fn read(
        &mut self,
        id: RequestId,
        file: FileSlot,
        pieces: PiecesMut<'_>,
        offset: u64,
    ) -> Option<Outcome> {
        let Some(open) = self.files.get(file.index()).and_then(Option::as_ref) else {
            return Some(Err(Errno::BADF));
        };
        let byte_count = pieces.byte_count();
        if is_misaligned(open, pieces.as_raw(), offset) {
            self.schedule.counts.misaligned += 1;
            return Some(Err(Errno::INVAL));
        }
        let Schedule { faults, random, counts, .. } = &mut *self.schedule;
        let fate = faults.of_read(byte_count, random, counts);
        // A device reads whole blocks, but for the end of the file.
        let mask = !(open.alignment() - 1);
        let most = fate.map(|count| if count < byte_count { count & mask } else { count });
        let mut bytes = open.existing(offset..offset + u64::from(most.unwrap_or(0))).into_iter();
        let read = bytes.len() as u32;
        let mut fill = random.next() as u8;
        for byte in pieces.into_iter_mut().flatten() {
            // What is not read is anything.
            fill = fill.wrapping_add(1);
            *byte = bytes.next().unwrap_or(fill);
        }
        let outcome = match most {
            // Short of a whole block: nothing was read, and nobody says that the file ends.
            Ok(0) => Err(Errno::INTR),
            most => most.map(|_| read),
        };
        let work = Work::Read { offset, byte_count, outcome };
        self.schedule.begin(id, file.index(), work, self.files)
    }

    fn sync(&mut self, id: RequestId, file: FileSlot, _kind: SyncKind) -> Option<Outcome> {
        let slot = file.index();
        self.schedule.begin_foreign_sync(slot, self.files);
        let Some(inode) = self.files.get(slot).and_then(Option::as_ref).map(SimFile::inode) else {
            return Some(Err(Errno::BADF));
        };
        let Schedule { faults, random, counts, disk, .. } = &mut *self.schedule;
        let stamp = disk.begin_sync(inode);
        let refusal = match faults.of_sync(random, counts) {
            Some(errno) if errno == Errno::CANCELED => Some(errno),
            Some(errno) => {
                // Whoever asks first is told, which need not be this call.
                disk.fail_write_back(inode, errno, random);
                None
            }
            None => None,
        };
        self.schedule.begin(id, slot, Work::Sync { stamp, refusal }, self.files)
    }

    fn alter(&mut self, id: RequestId, file: FileSlot, what: Alteration) -> Option<Outcome> {
        let Schedule { faults, random, counts, .. } = &mut *self.schedule;
        let refusal = faults.of_alteration(what, random, counts);
        self.schedule.begin(id, file.index(), Work::Alter { what, refusal }, self.files)
    }
}
