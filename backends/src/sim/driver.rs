//! [`Driver`]: one schedule working for one engine, and the files that it has open.
//!
//! The order of a turn is that of every driver: what is due ends; continuations and data-syncs go
//! at once; a new group starts only if it is due (`Engine::is_group_due`); what has ended is
//! delivered. Where another driver would sleep, virtual time jumps to the next end of a request.
//!
//! Invariant: a slot of the engine is taken if and only if it has a file here; it has a handle here
//! as long as the caller's handle is good.
//!
//! # Safety
//! `ClaimHost` asks that a claim finds the same engine as long as it lives: a driver has one, from
//! construction to drop.
#![allow(unsafe_code)]

use std::{sync::Arc, time::Duration};

use ringzero_core::{
    Boxed, ClaimHost, CompletionSink, Engine, Errno, FileSlot, IoCompletion, IoFd, Registration,
    StorageIoError,
};

use super::{
    disk::{Access, Kind, SimDisk, SimFile},
    promise::Promises,
    schedule::{Handover, Schedule},
    trace::{SimEvent, SimTrace},
};
use crate::{
    config::{Config, ConfigError},
    files::Purpose,
    fork::ProcessBound,
    memory::{self, Region},
    platform::Notifier,
    setup_error::SetupError,
};

/// How much time a poll or a wait takes, so that a caller who only polls sees requests end.
const CALL_NS: u64 = 20_000;

/// How a drive ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Done,
    /// The time was up, or nothing will come any more.
    NotDone,
}

#[derive(Debug)]
pub(super) struct Driver {
    pub(super) engine: Engine<Boxed<Region>>,
    pub(super) schedule: Schedule,
    pub(super) promises: Promises,
    files: Box<[Option<SimFile>]>,
    handles: Box<[Option<IoFd>]>,
    close_deadline: Duration,
    drop_deadline: Duration,
    /// Made when it is first asked for.
    pub(super) notifier: Option<Arc<Notifier>>,
    /// Whether an event loop may be asleep on it.
    pub(super) is_armed: bool,
}

// SAFETY: the engine is a field, and nothing here touches the field itself.
unsafe impl ClaimHost for ProcessBound<Driver> {
    type Storage = Boxed<Region>;

    fn claim_engine(&mut self) -> Result<&mut Engine<Boxed<Region>>, StorageIoError> {
        Ok(&mut self.get_mut()?.engine)
    }

    fn claim_submitted(&mut self, fd: IoFd, token: u64, offset: u64, parts: [&[u8]; 2]) {
        if let Ok(driver) = self.get_mut()
            && let Some(inode) = driver.inode(fd)
        {
            driver.promises.write_accepted(inode, token, offset, &parts.concat());
        }
    }
}

impl Driver {
    pub(super) fn new(config: &Config, disk: SimDisk, seed: u64) -> Result<Self, SetupError> {
        config.check()?;
        let limits = &config.limits;
        let region = Region::new(limits.memory_bytes()).map_err(SetupError::Memory)?;
        let parts = memory::tables(limits, region)?;
        Ok(Self {
            engine: Engine::new(limits, parts).map_err(ConfigError::Limits)?,
            schedule: Schedule::new(disk, seed),
            promises: Promises::default(),
            files: (0..limits.files).map(|_| None).collect(),
            handles: vec![None; limits.files as usize].into_boxed_slice(),
            close_deadline: config.close_deadline,
            drop_deadline: config.drop_deadline,
            notifier: None,
            is_armed: false,
        })
    }

    /// Hands over everything that may run. Returns the number of requests.
    pub(super) fn start(&mut self) -> usize {
        let now_ns = self.schedule.now_ns();
        let mut handover = Handover { schedule: &mut self.schedule, files: &mut self.files };
        self.engine.start(now_ns, &mut handover)
    }

    /// Something that an event loop sleeps for may have changed without it.
    pub(super) fn signal(&mut self) {
        if std::mem::take(&mut self.is_armed) {
            self.notifier.iter().for_each(|it| it.notify());
        }
    }

    /// Takes in what is due, and hands over what follows from it at once.
    fn collect(&mut self) {
        self.is_armed = false;
        self.schedule.end_due(&mut self.engine, &mut self.files);
        let now_ns = self.schedule.now_ns();
        let mut handover = Handover { schedule: &mut self.schedule, files: &mut self.files };
        self.engine.proceed(now_ns, &mut handover);
    }

    /// One turn of a poll.
    pub(super) fn poll(&mut self, out: &mut dyn CompletionSink) {
        self.schedule.advance_by(CALL_NS);
        self.collect();
        if self.engine.is_group_due() {
            self.start();
        }
        let Self { engine, schedule, promises, .. } = self;
        let now_ns = schedule.now_ns();
        engine.deliver(&mut Witness { out, promises, trace: &mut schedule.trace, now_ns });
    }

    /// Waits for `min` completions, in virtual time.
    pub(super) fn wait(&mut self, min: usize, timeout: Option<Duration>) -> usize {
        self.schedule.advance_by(CALL_NS);
        self.drive(timeout, |engine| engine.deliverable() >= min.min(engine.pending_count()));
        self.release_ended();
        self.engine.deliverable()
    }

    /// Starts everything and lets time pass until `is_done`, or the time is up.
    fn drive(
        &mut self,
        timeout: Option<Duration>,
        is_done: impl Fn(&Engine<Boxed<Region>>) -> bool,
    ) -> Ending {
        let until_ns = timeout.map(|timeout| self.in_ns(timeout));
        loop {
            self.collect();
            if is_done(&self.engine) {
                return Ending::Done;
            }
            let started = self.start();
            if is_done(&self.engine) {
                return Ending::Done;
            }
            match (self.schedule.next_due_ns(), until_ns) {
                // What ended inside the call may let more start.
                (None, _) if started > 0 => {}
                (Some(due_ns), None) => self.schedule.advance_to(due_ns),
                (Some(due_ns), Some(until_ns)) if due_ns <= until_ns => {
                    self.schedule.advance_to(due_ns);
                }
                (_, until_ns) => {
                    self.schedule.advance_to(until_ns.unwrap_or(0));
                    return Ending::NotDone;
                }
            }
        }
    }

    /// The virtual time after `timeout`.
    fn in_ns(&self, timeout: Duration) -> u64 {
        let timeout_ns = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        self.schedule.now_ns().saturating_add(timeout_ns)
    }

    /// The file of a good handle.
    pub(super) fn inode(&self, fd: IoFd) -> Option<usize> {
        let slot = self.handles.iter().position(|handle| *handle == Some(fd))?;
        self.files.get(slot)?.as_ref().map(SimFile::inode)
    }

    /// Registers a file.
    ///
    /// # Errors
    /// As `register_fd`; also `Io(EINVAL)` for a file of another disk.
    pub(super) fn register(
        &mut self,
        file: SimFile,
        purpose: Purpose,
    ) -> Result<IoFd, StorageIoError> {
        if self.engine.is_closed() {
            return Err(StorageIoError::Closed);
        }
        self.collect();
        self.release_ended();
        let registration = match (file.kind(), purpose) {
            (Kind::Other, _) => return Err(StorageIoError::Io(Errno::INVAL)),
            (Kind::Directory, Purpose::Directory) => Registration::directory(),
            (Kind::Directory, _) | (_, Purpose::Directory) => {
                return Err(StorageIoError::Io(Errno::INVAL));
            }
            _ if !file.disk().is(self.schedule.disk()) => {
                return Err(StorageIoError::Io(Errno::INVAL));
            }
            _ if file.access() == Access::Read => return Err(StorageIoError::Io(Errno::BADF)),
            (_, Purpose::Segment { tail, limit }) => Registration::segment(tail, limit)?,
            (Kind::Regular, Purpose::WholeFile) => Registration::file(file.byte_count()),
            (Kind::Device, Purpose::WholeFile) => Registration::device(),
        };
        if self.files.iter().flatten().any(|known| known.inode() == file.inode()) {
            return Err(StorageIoError::Io(Errno::BUSY));
        }
        let registration = registration.aligned(file.alignment())?;
        let lead = file.bytes(registration.lead());
        let (fd, slot) = self.engine.register_behind(registration, &lead)?;
        let remade_count = file.disk().remade_count(file.inode());
        let durable = file.durable();
        self.promises.registered(file.inode(), remade_count, &file.name(), durable.as_deref());
        if let Some(place) = self.files.get_mut(slot.index()) {
            *place = Some(file);
        }
        if let Some(place) = self.handles.get_mut(slot.index()) {
            *place = Some(fd);
        }
        Ok(fd)
    }

    /// Finishes what was accepted on a file, then closes it.
    ///
    /// # Errors
    /// As `deregister_fd`.
    pub(super) fn deregister(&mut self, fd: IoFd) -> Result<(), StorageIoError> {
        let slot = self.engine.begin_close(fd)?;
        self.forget(fd);
        match self.drive(Some(self.close_deadline), |engine| engine.is_idle(slot)) {
            Ending::Done => {
                self.release(slot);
                Ok(())
            }
            Ending::NotDone => Err(StorageIoError::Io(Errno::TIMEDOUT)),
        }
    }

    /// Accepts the closing of a file.
    ///
    /// # Errors
    /// As `submit_close`.
    pub(super) fn submit_close(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        let token = self.engine.submit_close(fd)?;
        self.forget(fd);
        Ok(token)
    }

    /// Accepts an alteration of a file, which may change every byte of a range.
    ///
    /// # Errors
    /// Those of `submit`.
    pub(super) fn submit_alteration(
        &mut self,
        fd: IoFd,
        range: (u64, u64),
        submit: impl FnOnce(&mut Engine<Boxed<Region>>) -> Result<u64, StorageIoError>,
    ) -> Result<u64, StorageIoError> {
        let token = submit(&mut self.engine)?;
        if let Some(inode) = self.inode(fd) {
            self.promises.alteration_accepted(inode, token, range);
        }
        Ok(token)
    }

    /// The handle is dead.
    fn forget(&mut self, fd: IoFd) {
        for handle in self.handles.iter_mut().filter(|handle| **handle == Some(fd)) {
            *handle = None;
        }
    }

    /// Gives back a slot on which no I/O is left.
    fn release(&mut self, slot: FileSlot) {
        let cut_to = self.engine.finish_close(slot);
        let file = self.files.get_mut(slot.index()).and_then(Option::take);
        if let (Some(file), Some(byte_count)) = (file, cut_to) {
            self.schedule.disk().cut_back(file.inode(), byte_count);
        }
    }

    /// Gives back the slots of files whose closing ran into its deadline and has ended since.
    fn release_ended(&mut self) {
        while let Some(slot) = self.engine.next_idle_closing() {
            self.release(slot);
        }
    }

    /// Finishes everything accepted and closes all files.
    ///
    /// # Errors
    /// As `shutdown`.
    pub(super) fn shutdown(&mut self, deadline: Duration) -> Result<(), StorageIoError> {
        if self.engine.is_closed() {
            return Err(StorageIoError::Closed);
        }
        self.engine.close_admission();
        let ending =
            self.drive(Some(deadline), |engine| engine.deliverable() == engine.pending_count());
        let slots: Vec<FileSlot> = self.engine.file_slots().collect();
        for slot in slots {
            if self.engine.is_idle(slot) {
                self.release(slot);
            }
        }
        match ending {
            Ending::Done => Ok(()),
            Ending::NotDone => {
                self.engine.abandon();
                Err(StorageIoError::Io(Errno::TIMEDOUT))
            }
        }
    }
}

impl Drop for Driver {
    /// What is on its way still gets to the disk, within the drop deadline. Starts nothing.
    fn drop(&mut self) {
        let until_ns = self.in_ns(self.drop_deadline);
        self.schedule.run_out(until_ns, &mut self.files);
    }
}

/// Passes completions on, and remembers which were taken.
struct Witness<'a> {
    out: &'a mut dyn CompletionSink,
    promises: &'a mut Promises,
    trace: &'a mut SimTrace,
    now_ns: u64,
}

impl CompletionSink for Witness<'_> {
    fn take(&mut self, batch: &[IoCompletion]) -> usize {
        let taken = self.out.take(batch).min(batch.len());
        for completion in batch.iter().take(taken) {
            self.promises.delivered(*completion);
            self.trace.push(self.now_ns, SimEvent::Delivered(*completion));
        }
        taken
    }
}
