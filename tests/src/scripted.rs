//! [`ScriptedBackend`]: the engine over a [`Disk`] that does what the test says.
//!
//! The driver is the smallest that keeps the contract, and behaves as the real ones do: a poll
//! takes what has ended, continues what has to go on, delivers, and only if there was nothing to
//! deliver starts new groups. Time is virtual: where a real driver would sleep with nothing left to
//! happen, the deadline has passed.

mod handoff;

use std::{
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use ringzero_core::{
    Boxed, Claim, CompletionSink, Engine, Errno, FileSlot, FileStatus, IoFd, Parts, Registration,
    RequestId, Stats, StorageIo, StorageIoError, StorageIoExt,
};

use crate::{
    disk::{Disk, Node, ScriptedFile},
    fixture::Setup,
    heap::Heap,
};
use handoff::Handoff;

/// Rounds without an end after which a call is taken to hang.
const MOST_ROUNDS: u32 = 100_000;

static OWNERS: AtomicU64 = AtomicU64::new(1);

/// What a file is registered for.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    WholeFile,
    Segment(Registration),
    Directory,
}

/// A backend over a [`Disk`].
#[derive(Debug)]
pub struct ScriptedBackend {
    engine: Option<Engine<Boxed<Heap>>>,
    handoff: Handoff,
    drop_deadline: Duration,
    now_ns: u64,
}

impl ScriptedBackend {
    /// A backend with these limits.
    ///
    /// # Panics
    /// If the limits are out of range.
    pub fn new(disk: &Disk, setup: &Setup) -> Self {
        let limits = setup.limits;
        let parts = Parts::boxed(&limits, Heap::new(limits.memory_bytes())).expect("limits");
        let owner = OWNERS.fetch_add(1, Ordering::Relaxed);
        let files = (0..limits.files).map(|_| None).collect();
        Self {
            engine: Some(Engine::new(&limits, parts).expect("limits")),
            handoff: Handoff { disk: disk.clone(), owner, files },
            drop_deadline: setup.drop_deadline,
            now_ns: 0,
        }
    }

    /// The engine, to ask what no trait method tells.
    pub fn engine(&mut self) -> &mut Engine<Boxed<Heap>> {
        self.engine.as_mut().expect("present until drop")
    }

    fn engine_ref(&self) -> &Engine<Boxed<Heap>> {
        self.engine.as_ref().expect("present until drop")
    }

    fn start(&mut self) -> usize {
        self.now_ns += 1;
        let engine = self.engine.as_mut().expect("present until drop");
        engine.start(self.now_ns, &mut self.handoff)
    }

    /// Takes the answers that have come and continues what they allow.
    fn reap(&mut self) -> usize {
        let answers = self.handoff.disk.state().end_some(self.handoff.owner);
        let engine = self.engine.as_mut().expect("present until drop");
        for (id, outcome) in &answers {
            engine.complete(RequestId::from_u64(*id), *outcome);
        }
        self.now_ns += 1;
        engine.proceed(self.now_ns, &mut self.handoff);
        assert!(
            engine.in_flight() <= engine.limits().operation_count(),
            "more in flight than a completion queue holds"
        );
        answers.len()
    }

    /// Whether anything will still happen by itself.
    fn is_stuck(&self) -> bool {
        !self.handoff.disk.state().has_endable(self.handoff.owner) && !self.engine_ref().has_ready()
    }

    /// Frees the slots of files whose close was cut off and whose I/O has ended since.
    fn finish_late_closes(&mut self) {
        while let Some(slot) = self.engine_ref().next_idle_closing() {
            self.finish_close(slot);
        }
    }

    fn finish_close(&mut self, slot: FileSlot) {
        let cut = self.engine().finish_close(slot);
        let file = self.handoff.files[slot.index()].take().expect("an open file");
        if let Some(byte_count) = cut {
            let mut state = file.disk.state();
            state.files[file.inode].bytes.truncate(byte_count as usize);
        }
    }

    fn admit(&mut self, file: ScriptedFile, purpose: Purpose) -> Result<IoFd, StorageIoError> {
        self.finish_late_closes();
        if self.engine_ref().is_closed() {
            return Err(StorageIoError::Closed);
        }
        let (node, alignment, bytes) = {
            let state = file.disk.state();
            let known = &state.files[file.inode];
            (known.node, known.alignment, known.bytes.clone())
        };
        let registration = match (node, purpose) {
            (Node::Directory, Purpose::Directory) => Registration::directory(),
            (Node::Other | Node::Directory, _) | (_, Purpose::Directory) => {
                return Err(StorageIoError::Io(Errno::INVAL));
            }
            (Node::ReadOnly, _) => return Err(StorageIoError::Io(Errno::BADF)),
            (_, Purpose::Segment(segment)) => segment,
            (Node::Regular, Purpose::WholeFile) => Registration::file(bytes.len() as u64),
            (Node::Device, Purpose::WholeFile) => Registration::device(),
        };
        let is_known = |known: &&ScriptedFile| known.inode == file.inode;
        if self.handoff.files.iter().flatten().any(|known| is_known(&known)) {
            return Err(StorageIoError::Io(Errno::BUSY));
        }
        let registration = registration.aligned(alignment)?;
        let Range { start, end } = registration.lead();
        let known = bytes.into_iter().skip(start as usize).chain(std::iter::repeat(0));
        let lead: Vec<u8> = known.take((end - start) as usize).collect();
        let (fd, slot) = self.engine().register_behind(registration, &lead)?;
        {
            let mut state = file.disk.state();
            let known = &mut state.files[file.inode];
            known.is_failed = false;
            known.injected.clear();
            known.harmless.clear();
            known.altered.clear();
            known.doubt = None;
        }
        self.handoff.files[slot.index()] = Some(file);
        Ok(fd)
    }

    fn is_sendable(&self) -> bool
    where
        Self: Send,
    {
        true
    }
}

impl StorageIo for ScriptedBackend {
    type File = ScriptedFile;

    fn register_fd(&mut self, file: ScriptedFile) -> Result<IoFd, StorageIoError> {
        debug_assert!(self.is_sendable());
        self.admit(file, Purpose::WholeFile)
    }

    fn deregister_fd(&mut self, fd: IoFd) -> Result<(), StorageIoError> {
        let slot = self.engine().begin_close(fd)?;
        for _ in 0..MOST_ROUNDS {
            if self.engine_ref().is_idle(slot) {
                self.finish_close(slot);
                return Ok(());
            }
            if self.start() + self.reap() == 0
                && self.is_stuck()
                && !self.engine_ref().is_idle(slot)
            {
                return Err(StorageIoError::Io(Errno::TIMEDOUT));
            }
        }
        panic!("deregistration never ends");
    }

    fn submit_write(&mut self, fd: IoFd, data: &[u8], offset: u64) -> Result<u64, StorageIoError> {
        self.engine().submit_write(fd, data, offset)
    }

    fn submit_append(&mut self, fd: IoFd, data: &[u8]) -> Result<u64, StorageIoError> {
        self.engine().submit_append(fd, data)
    }

    fn submit_datasync(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.engine().submit_datasync(fd)
    }

    fn flush(&mut self) -> Result<usize, StorageIoError> {
        if self.engine_ref().is_closed() {
            return Err(StorageIoError::Closed);
        }
        Ok(self.start())
    }

    fn poll_completions(&mut self, out: &mut dyn CompletionSink) {
        self.reap();
        if self.engine().is_group_due() {
            self.start();
        }
        self.finish_late_closes();
        self.engine().deliver(out);
    }

    fn pending_count(&self) -> usize {
        self.engine_ref().pending_count()
    }
}

impl StorageIoExt for ScriptedBackend {
    type File = ScriptedFile;

    fn wait(&mut self, min: usize, timeout: Option<Duration>) -> Result<usize, StorageIoError> {
        for _ in 0..MOST_ROUNDS {
            let ended = self.reap();
            let ready = self.engine_ref().deliverable();
            if ready >= min.min(self.pending_count()) {
                return Ok(ready);
            }
            if self.start() + ended == 0 && self.is_stuck() {
                assert!(
                    timeout.is_some() || self.engine_ref().deliverable() >= min,
                    "a wait without a limit would never end: {:?}",
                    self.stats()
                );
                return Ok(self.engine_ref().deliverable());
            }
        }
        panic!("wait never ends");
    }

    fn tail(&self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.engine_ref().tail(fd)
    }

    fn room(&self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.engine_ref().room(fd)
    }

    fn alignment(&self, fd: IoFd) -> Result<u32, StorageIoError> {
        self.engine_ref().alignment(fd)
    }

    fn resume_append(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.engine().resume_append(fd)
    }

    fn max_write(&self) -> usize {
        self.engine_ref().max_write()
    }

    fn can_accept(&self, fd: IoFd, len: usize) -> Result<(), StorageIoError> {
        self.engine_ref().can_accept(fd, len)
    }

    fn register_segment(
        &mut self,
        file: ScriptedFile,
        tail: u64,
        limit: u64,
    ) -> Result<IoFd, StorageIoError> {
        self.admit(file, Purpose::Segment(Registration::segment(tail, limit)?))
    }

    fn register_directory(&mut self, file: ScriptedFile) -> Result<IoFd, StorageIoError> {
        self.admit(file, Purpose::Directory)
    }

    fn submit_fsync(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.engine().submit_fsync(fd)
    }

    fn submit_allocate(&mut self, fd: IoFd, offset: u64, len: u64) -> Result<u64, StorageIoError> {
        self.engine().submit_allocate(fd, offset, len)
    }

    fn submit_truncate(&mut self, fd: IoFd, len: u64) -> Result<u64, StorageIoError> {
        self.engine().submit_truncate(fd, len)
    }

    fn submit_punch(&mut self, fd: IoFd, offset: u64, len: u64) -> Result<u64, StorageIoError> {
        self.engine().submit_punch(fd, offset, len)
    }

    fn submit_close(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.engine().submit_close(fd)
    }

    fn durable_tail(&self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.engine_ref().durable_tail(fd)
    }

    fn max_claim(&self) -> usize {
        self.engine_ref().max_claim()
    }

    fn claim_write(
        &mut self,
        fd: IoFd,
        len: usize,
        offset: u64,
    ) -> Result<Claim<'_>, StorageIoError> {
        Claim::write(self.engine(), fd, len, offset)
    }

    fn claim_append(&mut self, fd: IoFd, len: usize) -> Result<Claim<'_>, StorageIoError> {
        Claim::append(self.engine(), fd, len)
    }

    fn submit_writev(
        &mut self,
        fd: IoFd,
        slices: &[&[u8]],
        offset: u64,
    ) -> Result<u64, StorageIoError> {
        self.engine().submit_writev(fd, slices, offset)
    }

    fn submit_appendv(&mut self, fd: IoFd, slices: &[&[u8]]) -> Result<u64, StorageIoError> {
        self.engine().submit_appendv(fd, slices)
    }

    fn stats(&self) -> Stats {
        self.engine_ref().stats()
    }

    fn file_status(&self, fd: IoFd) -> Result<FileStatus, StorageIoError> {
        self.engine_ref().status(fd, self.now_ns)
    }

    fn submit_read(&mut self, fd: IoFd, len: usize, offset: u64) -> Result<u64, StorageIoError> {
        self.engine().submit_read(fd, len, offset)
    }

    fn read_bytes(&self, token: u64, skip: usize) -> Result<&[u8], StorageIoError> {
        self.engine_ref().read_bytes(token, skip)
    }

    fn release_read(&mut self, token: u64) -> Result<(), StorageIoError> {
        self.engine().release_read(token)
    }

    fn shutdown(&mut self, _deadline: Duration) -> Result<(), StorageIoError> {
        if self.engine_ref().is_closed() {
            return Err(StorageIoError::Closed);
        }
        self.engine().close_admission();
        let mut is_cut_off = false;
        for _ in 0..MOST_ROUNDS {
            if self.engine_ref().file_slots().all(|slot| self.engine_ref().is_idle(slot)) {
                break;
            }
            let is_over = self.start() + self.reap() == 0 && self.is_stuck();
            is_cut_off = is_over
                && self.engine_ref().file_slots().any(|slot| !self.engine_ref().is_idle(slot));
            if is_over {
                break;
            }
        }
        let slots: Vec<FileSlot> = self.engine_ref().file_slots().collect();
        for slot in slots {
            if self.engine_ref().is_idle(slot) {
                self.finish_close(slot);
            }
        }
        if is_cut_off {
            self.engine().abandon();
            return Err(StorageIoError::Io(Errno::TIMEDOUT));
        }
        Ok(())
    }
}

impl Drop for ScriptedBackend {
    fn drop(&mut self) {
        let Some(mut engine) = self.engine.take() else { return };
        let mut state = self.handoff.disk.state();
        while state.has_endable(self.handoff.owner) && !self.drop_deadline.is_zero() {
            for (id, outcome) in state.end_some(self.handoff.owner) {
                engine.complete(RequestId::from_u64(id), outcome);
            }
        }
        drop(state);
        if engine.in_flight() > 0 {
            std::mem::forget(engine);
        }
    }
}
