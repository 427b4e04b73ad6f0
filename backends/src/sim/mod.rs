//! [`SimBackend`]: the engine over a disk in memory that fails, reorders and crashes by a seed.
//!
//! For the tests of programs: the same guarantees as every backend, decided by the same engine,
//! over a [`SimDisk`] that does what disks and kernels may do and real ones seldom do while a test
//! looks. Everything is a pure function of the seed and the calls: no clock, no thread, no address,
//! no order of a hash table.
//!
//! | file | noun |
//! |---|---|
//! | `driver` | one turn, waiting, opening and closing |
//! | `event_loop` | a backend in an event loop |
//! | `schedule` | virtual time; requests on their way |
//! | `faults` | what goes wrong, and how often |
//! | `disk` | files; how errors of writing back are told |
//! | `sectors` | a file's bytes, durable or not; what a crash leaves |
//! | `promise` | what a caller may rely on |
//! | `trace` | what happened |
//! | `random` | the one source of chance |

mod disk;
mod driver;
mod event_loop;
mod faults;
mod promise;
mod random;
mod schedule;
mod sectors;
mod trace;

use std::{fmt, time::Duration};

use ringzero_core::{
    Claim, CompletionSink, FileStatus, IoFd, Stats, StorageIo, StorageIoError, StorageIoExt,
};

use crate::{config::Config, files::Purpose, fork::ProcessBound, setup_error::SetupError};
use driver::Driver;
use random::Random;

pub use disk::{SimDisk, SimFile};
pub use faults::{SimCounts, SimFaults};
pub use promise::SimPromise;
pub use trace::{SimEvent, SimTrace};

/// A backend over a disk in memory, for tests: seeded faults, virtual time, power cuts.
///
/// It implements [`ringzero_core::StorageIo`] and [`StorageIoExt`] with `File = SimFile`, and
/// [`EventSource`](crate::EventSource), so code to be tested is generic over those. From the start
/// it meets what no caller may notice ([`SimFaults::HARMLESS`]); [`SimBackend::inject`] makes it
/// worse, and [`SimBackend::crash`] ends it and gives the disk that a power cut leaves.
///
/// Unlike other backends it allocates and takes a lock on every path: it is for tests, not for hot
/// loops. Bytes that are not synced keep their history, so memory grows until they are.
///
/// # Time
/// Nothing sleeps. A poll or a wait takes 20 µs of virtual time, and a wait as much more as what it
/// waits for. `wait(min, None)` returns also when all that is left hangs.
///
/// # Testing the recovery of a log
/// A log of 8-byte records, each a number and its complement. `commit` returns when its record is
/// safe; then the power fails. With 100 seeds everything committed is there; without the datasync
/// it is not, and that shows.
///
/// ```
/// use ringzero::{Config, IoFd, SimBackend, SimDisk, StorageIoError, StorageIoExt};
/// use ringzero_core::StorageIo;
///
/// fn commit<S>(io: &mut S, log: IoFd, number: u32, syncs: bool) -> Result<(), StorageIoError>
/// where
///     S: StorageIo + StorageIoExt,
/// {
///     let record = u64::from(number) << 32 | u64::from(!number);
///     io.submit_append(log, &record.to_le_bytes())?;
///     if syncs {
///         io.submit_datasync(log)?;
///     }
///     let mut done = Vec::new();
///     while io.pending_count() > 0 {
///         io.wait(1, None)?;
///         io.poll_completions(&mut done);
///     }
///     assert!(done.iter().all(|completion| completion.result >= 0));
///     Ok(())
/// }
///
/// fn recover(bytes: &[u8]) -> Vec<u32> {
///     let words = bytes.chunks_exact(8).map(|it| u64::from_le_bytes(it.try_into().unwrap()));
///     let halves = words.map(|word| ((word >> 32) as u32, word as u32));
///     halves.map_while(|(number, check)| (number == !check).then_some(number)).collect()
/// }
///
/// fn survivors(seed: u64, syncs: bool) -> Result<Vec<u32>, StorageIoError> {
///     let disk = SimDisk::new();
///     let mut io = SimBackend::on(&Config::default(), &disk, seed).expect("limits in range");
///     let log = io.register_fd(disk.create("log", b""))?;
///     (0..20).try_for_each(|number| commit(&mut io, log, number, syncs))?;
///     Ok(recover(&io.crash().read("log").unwrap_or_default()))
/// }
///
/// let all: Vec<u32> = (0..20).collect();
/// assert!((0..100).all(|seed| survivors(seed, true).as_ref() == Ok(&all)));
/// assert!((0..100).any(|seed| survivors(seed, false).as_ref() != Ok(&all)), "it is caught");
/// ```
///
/// # A device that hangs
/// ```
/// use ringzero::{Config, SimBackend, SimFaults, StorageIoExt};
/// use ringzero_core::StorageIo;
///
/// let mut io = SimBackend::new(&Config::default(), 1)?;
/// let file = io.disk().create("log", b"");
/// let log = io.register_fd(file)?;
/// io.inject(SimFaults { hung: 1_000, ..SimFaults::NONE });
/// io.submit_append(log, b"a record")?;
/// io.submit_datasync(log)?;
/// assert_eq!(io.wait(1, None)?, 0, "it hangs");
///
/// io.inject(SimFaults::NONE);
/// io.release();
/// let mut done = Vec::new();
/// while io.pending_count() > 0 {
///     io.wait(1, None)?;
///     io.poll_completions(&mut done);
/// }
/// let promises = io.promises();
/// assert!((0..8).all(|seed| promises.iter().all(|it| io.crash_image(seed).keeps(it))));
/// println!("{:?}, {} events, {:?}", io.elapsed(), io.trace().count(), io.counts());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SimBackend {
    driver: ProcessBound<Driver>,
}

impl SimBackend {
    /// A backend over an empty disk of its own, see [`SimBackend::disk`]. Of the configuration it
    /// uses the limits and, in virtual time, the deadlines.
    ///
    /// # Errors
    /// `SetupError::Config`, `SetupError::Memory`.
    pub fn new(config: &Config, seed: u64) -> Result<Self, SetupError> {
        Self::on(config, &SimDisk::new(), seed)
    }

    /// A backend over a disk that exists, as after a crash.
    ///
    /// # Errors
    /// As [`SimBackend::new`].
    pub fn on(config: &Config, disk: &SimDisk, seed: u64) -> Result<Self, SetupError> {
        let driver = Driver::new(config, disk.clone(), seed)?;
        Ok(Self { driver: ProcessBound::new(driver).map_err(SetupError::Memory)? })
    }

    /// The disk: to make and open files, and to see what a reader sees.
    pub fn disk(&self) -> &SimDisk {
        self.driver.peek().schedule.disk()
    }

    /// From now on, requests meet these faults.
    pub fn inject(&mut self, faults: SimFaults) {
        if let Ok(driver) = self.driver.get_mut() {
            driver.schedule.faults = faults;
        }
    }

    /// Lets every request that hangs end, in its time.
    pub fn release(&mut self) {
        if let Ok(driver) = self.driver.get_mut() {
            driver.schedule.release();
            driver.signal();
        }
    }

    /// What the caller may rely on now: every crash from now on leaves these bytes where they are,
    /// until they are written again. In particular everything that a datasync covers whose success
    /// [`poll_completions`](StorageIo::poll_completions) has delivered.
    ///
    /// Derived from what was accepted and delivered, not from the disk, so the disk that a crash
    /// leaves can be checked against it with [`SimDisk::keeps`]. A byte is promised if the last
    /// write of it is covered by a datasync that was delivered with success, did not fail, and no
    /// write of it was accepted since. What a file durably held when it was first registered is
    /// promised too; what an earlier registration left unsynced never is, nor what
    /// [`SimDisk::create`] has replaced since.
    pub fn promises(&self) -> Vec<SimPromise> {
        let disk = self.disk();
        self.driver.peek().promises.list(|file| disk.remade_count(file))
    }

    /// Cuts the power, and gives the disk as it is then.
    ///
    /// Durable bytes are there. Each 512-byte sector that is not holds, by the seed, its durable
    /// bytes, any version written since, or a part of one and a part of another; writes on their
    /// way may have got through in part; the size is any between the smallest and the largest since
    /// the last sync. Bytes never written are zero. Files exist: directory entries are not
    /// modelled.
    pub fn crash(self) -> SimDisk {
        let mut random = self.driver.peek().schedule.random;
        self.crash_image(random.next())
    }

    /// What [`SimBackend::crash`] with this seed would leave now; the backend goes on. Many seeds
    /// are many crashes at the same moment.
    pub fn crash_image(&self, seed: u64) -> SimDisk {
        let schedule = &self.driver.peek().schedule;
        schedule.disk().crash(schedule.under_way(), &mut Random::new(seed))
    }

    /// What happened so far.
    pub fn trace(&self) -> &SimTrace {
        &self.driver.peek().schedule.trace
    }

    /// How often what happened so far.
    pub fn counts(&self) -> SimCounts {
        self.driver.peek().schedule.counts
    }

    /// Virtual time since construction.
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.driver.peek().schedule.now_ns())
    }
}

impl fmt::Debug for SimBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (elapsed, counts) = (self.elapsed(), self.counts());
        let mut fields = f.debug_struct("SimBackend");
        fields.field("elapsed", &elapsed).field("counts", &counts).finish_non_exhaustive()
    }
}

impl StorageIo for SimBackend {
    type File = SimFile;

    fn register_fd(&mut self, file: SimFile) -> Result<IoFd, StorageIoError> {
        self.driver.get_mut()?.register(file, Purpose::WholeFile)
    }

    fn deregister_fd(&mut self, fd: IoFd) -> Result<(), StorageIoError> {
        self.driver.get_mut()?.deregister(fd)
    }

    fn submit_write(&mut self, fd: IoFd, data: &[u8], offset: u64) -> Result<u64, StorageIoError> {
        let driver = self.driver.get_mut()?;
        let token = driver.engine.submit_write(fd, data, offset)?;
        if let Some(inode) = driver.inode(fd) {
            driver.promises.write_accepted(inode, token, offset, data);
        }
        Ok(token)
    }

    fn submit_append(&mut self, fd: IoFd, data: &[u8]) -> Result<u64, StorageIoError> {
        let driver = self.driver.get_mut()?;
        let tail = driver.engine.tail(fd);
        let token = driver.engine.submit_append(fd, data)?;
        if let (Some(inode), Ok(offset)) = (driver.inode(fd), tail) {
            driver.promises.write_accepted(inode, token, offset, data);
        }
        Ok(token)
    }

    fn submit_datasync(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        let driver = self.driver.get_mut()?;
        let token = driver.engine.submit_datasync(fd)?;
        if let Some(inode) = driver.inode(fd) {
            driver.promises.sync_accepted(inode, token);
        }
        Ok(token)
    }

    fn flush(&mut self) -> Result<usize, StorageIoError> {
        let driver = self.driver.get_mut()?;
        if driver.engine.is_closed() {
            return Err(StorageIoError::Closed);
        }
        let count = driver.start();
        if count > 0 {
            driver.signal();
        }
        Ok(count)
    }

    fn poll_completions(&mut self, out: &mut dyn CompletionSink) {
        if let Ok(driver) = self.driver.get_mut() {
            driver.poll(out);
        }
    }

    fn pending_count(&self) -> usize {
        self.driver.peek().engine.pending_count()
    }
}

impl StorageIoExt for SimBackend {
    type File = SimFile;

    /// Lets virtual time pass. Returns also when all that is left hangs.
    fn wait(&mut self, min: usize, timeout: Option<Duration>) -> Result<usize, StorageIoError> {
        Ok(self.driver.get_mut()?.wait(min, timeout))
    }

    fn tail(&self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.driver.get()?.engine.tail(fd)
    }

    fn room(&self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.driver.get()?.engine.room(fd)
    }

    fn alignment(&self, fd: IoFd) -> Result<u32, StorageIoError> {
        self.driver.get()?.engine.alignment(fd)
    }

    fn resume_append(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.driver.get_mut()?.engine.resume_append(fd)
    }

    fn max_write(&self) -> usize {
        self.driver.peek().engine.max_write()
    }

    fn can_accept(&self, fd: IoFd, len: usize) -> Result<(), StorageIoError> {
        self.driver.get()?.engine.can_accept(fd, len)
    }

    fn register_segment(
        &mut self,
        file: SimFile,
        tail: u64,
        limit: u64,
    ) -> Result<IoFd, StorageIoError> {
        self.driver.get_mut()?.register(file, Purpose::Segment { tail, limit })
    }

    fn register_directory(&mut self, file: SimFile) -> Result<IoFd, StorageIoError> {
        self.driver.get_mut()?.register(file, Purpose::Directory)
    }

    fn submit_fsync(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        let driver = self.driver.get_mut()?;
        let token = driver.engine.submit_fsync(fd)?;
        if let Some(inode) = driver.inode(fd) {
            driver.promises.sync_accepted(inode, token);
        }
        Ok(token)
    }

    fn submit_allocate(&mut self, fd: IoFd, offset: u64, len: u64) -> Result<u64, StorageIoError> {
        self.driver.get_mut()?.engine.submit_allocate(fd, offset, len)
    }

    fn submit_truncate(&mut self, fd: IoFd, len: u64) -> Result<u64, StorageIoError> {
        let range = (len, u64::MAX);
        let driver = self.driver.get_mut()?;
        driver.submit_alteration(fd, range, |engine| engine.submit_truncate(fd, len))
    }

    fn submit_punch(&mut self, fd: IoFd, offset: u64, len: u64) -> Result<u64, StorageIoError> {
        let range = (offset, offset.saturating_add(len));
        let driver = self.driver.get_mut()?;
        driver.submit_alteration(fd, range, |engine| engine.submit_punch(fd, offset, len))
    }

    fn submit_close(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.driver.get_mut()?.submit_close(fd)
    }

    fn durable_tail(&self, fd: IoFd) -> Result<u64, StorageIoError> {
        self.driver.get()?.engine.durable_tail(fd)
    }

    fn max_claim(&self) -> usize {
        self.driver.peek().engine.max_claim()
    }

    fn claim_write(
        &mut self,
        fd: IoFd,
        len: usize,
        offset: u64,
    ) -> Result<Claim<'_>, StorageIoError> {
        Claim::write(&mut self.driver, fd, len, offset)
    }

    fn claim_append(&mut self, fd: IoFd, len: usize) -> Result<Claim<'_>, StorageIoError> {
        Claim::append(&mut self.driver, fd, len)
    }

    fn submit_writev(
        &mut self,
        fd: IoFd,
        slices: &[&[u8]],
        offset: u64,
    ) -> Result<u64, StorageIoError> {
        let driver = self.driver.get_mut()?;
        let token = driver.engine.submit_writev(fd, slices, offset)?;
        if let Some(inode) = driver.inode(fd) {
            driver.promises.write_accepted(inode, token, offset, &slices.concat());
        }
        Ok(token)
    }

    fn submit_appendv(&mut self, fd: IoFd, slices: &[&[u8]]) -> Result<u64, StorageIoError> {
        let driver = self.driver.get_mut()?;
        let tail = driver.engine.tail(fd);
        let token = driver.engine.submit_appendv(fd, slices)?;
        if let (Some(inode), Ok(offset)) = (driver.inode(fd), tail) {
            driver.promises.write_accepted(inode, token, offset, &slices.concat());
        }
        Ok(token)
    }

    fn stats(&self) -> Stats {
        self.driver.peek().engine.stats()
    }

    fn file_status(&self, fd: IoFd) -> Result<FileStatus, StorageIoError> {
        let driver = self.driver.get()?;
        driver.engine.status(fd, driver.schedule.now_ns())
    }

    fn submit_read(&mut self, fd: IoFd, len: usize, offset: u64) -> Result<u64, StorageIoError> {
        self.driver.get_mut()?.engine.submit_read(fd, len, offset)
    }

    fn read_bytes(&self, token: u64, skip: usize) -> Result<&[u8], StorageIoError> {
        self.driver.get()?.engine.read_bytes(token, skip)
    }

    fn release_read(&mut self, token: u64) -> Result<(), StorageIoError> {
        self.driver.get_mut()?.engine.release_read(token)
    }

    fn shutdown(&mut self, deadline: Duration) -> Result<(), StorageIoError> {
        self.driver.get_mut()?.shutdown(deadline)
    }
}

static_assertions::assert_impl_all!(SimBackend: Send, StorageIo<File = SimFile>);
static_assertions::assert_impl_all!(SimDisk: Send, Sync);
