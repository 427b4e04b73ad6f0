//! The recorder: samples of a sensor, appended to a log in flash until it is full, and made durable
//! in batches. Everything it has is static; nothing it does waits.
//!
//! Samples come faster than the chip takes them, so the engine's few blocks fill up. It then
//! refuses the next sample and nothing has happened: the recorder keeps it and offers it again.

use core::mem::MaybeUninit;

use ringzero_core::{
    Engine, Inline, IoCompletion, IoFd, Limits, Parts, Registration, SliceSink, StorageIoError,
};

use super::{
    flash::{FLASH_BYTES, Flash},
    once::Once,
};

/// One file; 48 operations; 2 blocks of 512 bytes, one to fill while the other is programmed.
const LIMITS: Limits = Limits {
    files: 1,
    operations_per_file: 48,
    operations_common: 0,
    blocks_per_file: 2,
    blocks_common: 0,
    block_bytes: 512,
};

/// The tables of the engine inline, sized by the limits.
type Tables = Inline<
    { LIMITS.files as usize },
    { LIMITS.queue_count() as usize },
    { LIMITS.operation_count() as usize },
    { LIMITS.range_count() as usize },
    { LIMITS.block_count() as usize },
>;

// The engine aligns what it is given, and leaves up to 7 bytes out for that.
const MEMORY_BYTES: usize = LIMITS.memory_bytes() + 7;

static ENGINE: Once<MaybeUninit<Engine<Tables>>> = Once::new(MaybeUninit::uninit());
static MEMORY: Once<[u8; MEMORY_BYTES]> = Once::new([0; MEMORY_BYTES]);
static FLASH: Once<Flash> = Once::new(Flash::erased());

const SAMPLE_BYTES: usize = 16;
const SAMPLES_PER_TICK: u32 = 8;
const SAMPLES_PER_COMMIT: u32 = 64;
/// Far more than it takes: a recorder that is not done by then is stuck.
const MOST_TICKS: u64 = 100_000;

/// Why recording ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The static memory is in use: it is handed out once.
    Taken,
    /// The engine does not fit what it was given.
    Storage,
    /// A submission was refused for good.
    Refused(StorageIoError),
    /// An operation failed with this result.
    Failed(i32),
    /// Something that was accepted never ended.
    Stuck,
    /// The flash does not hold this sample.
    Lost(u32),
}

impl From<StorageIoError> for Flaw {
    fn from(error: StorageIoError) -> Self {
        Self::Refused(error)
    }
}

/// What was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Samples in the log, each read back and right.
    pub samples: u32,
    /// Times a sample was offered in vain, and kept.
    pub deferred: u32,
    /// Moments from the first sample to the last answer.
    pub ticks: u64,
    /// Writes handed to the flash.
    pub write_requests: u64,
    /// Of these, the rests of requests that ran into the end of a page.
    pub short_results: u64,
    /// Syncs handed to the flash.
    pub sync_requests: u64,
}

/// Records until the flash is full, then reads everything back.
///
/// # Errors
/// What went wrong first; `Flaw::Taken` at the second call.
pub fn record() -> Result<Report, Flaw> {
    let memory = MEMORY.take().ok_or(Flaw::Taken)?;
    let flash = FLASH.take().ok_or(Flaw::Taken)?;
    let engine = Engine::new(&LIMITS, Parts::inline(memory)).map_err(|_| Flaw::Storage)?;
    let engine = ENGINE.take().ok_or(Flaw::Taken)?.write(engine);
    let (deferred, ticks) = fill(engine, flash)?;
    let stats = engine.stats();
    Ok(Report {
        samples: check(flash.cells())?,
        deferred,
        ticks,
        write_requests: stats.write_requests,
        short_results: stats.short_results,
        sync_requests: stats.sync_requests,
    })
}

/// A datasync on its way, and how many samples it covers.
#[derive(Debug)]
struct Commit {
    token: u64,
    covers: u32,
}

/// The loop's state.
#[derive(Debug, Default)]
struct Recorder {
    accepted: u32,
    durable: u32,
    deferred: u32,
    commit: Option<Commit>,
}

impl Recorder {
    /// Appends what the sensor has. True when the log has no room for another sample.
    fn append(&mut self, engine: &mut Engine<Tables>, fd: IoFd) -> Result<bool, Flaw> {
        for _ in 0..SAMPLES_PER_TICK {
            if engine.room(fd)? < SAMPLE_BYTES as u64 {
                return Ok(true);
            }
            match engine.submit_append(fd, &sample(self.accepted)) {
                Ok(_) => self.accepted += 1,
                Err(StorageIoError::QueueFull | StorageIoError::BufferExhausted) => {
                    self.deferred += 1;
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    /// Begins a commit when a batch is complete or nothing more will come. One at a time.
    fn commit(&mut self, engine: &mut Engine<Tables>, fd: IoFd, is_full: bool) -> Result<(), Flaw> {
        let uncovered = self.accepted - self.durable;
        let is_due = uncovered >= SAMPLES_PER_COMMIT || is_full && uncovered > 0;
        if self.commit.is_some() || !is_due {
            return Ok(());
        }
        match engine.submit_datasync(fd) {
            Ok(token) => self.commit = Some(Commit { token, covers: self.accepted }),
            Err(StorageIoError::QueueFull) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn settle(&mut self, IoCompletion { token, result }: IoCompletion) -> Result<(), Flaw> {
        if result < 0 {
            return Err(Flaw::Failed(result));
        }
        if let Some(commit) = self.commit.take_if(|commit| commit.token == token) {
            self.durable = commit.covers;
        }
        Ok(())
    }
}

/// The loop of the device, until the log is full and durable. Returns how often a sample was
/// deferred, and the ticks it took.
fn fill(engine: &mut Engine<Tables>, flash: &mut Flash) -> Result<(u32, u64), Flaw> {
    let (fd, slot) = engine.register(Registration::segment(0, FLASH_BYTES as u64)?)?;
    let mut recorder = Recorder::default();
    let mut completions = [IoCompletion::default(); 16];
    for tick in 1..=MOST_TICKS {
        let is_full = recorder.append(engine, fd)?;
        recorder.commit(engine, fd, is_full)?;

        // Hand over what may run. The chip answers in a later tick, not inside these calls.
        engine.start(tick, flash);
        if let Some((id, outcome)) = flash.tick() {
            engine.complete(id, outcome);
            engine.proceed(tick, flash);
        }

        let mut sink = SliceSink::new(&mut completions);
        engine.deliver(&mut sink);
        for completion in sink.filled() {
            recorder.settle(*completion)?;
        }
        if is_full && recorder.durable == recorder.accepted {
            engine.begin_close(fd)?;
            engine.finish_close(slot);
            return Ok((recorder.deferred, tick));
        }
    }
    Err(Flaw::Stuck)
}

/// The bytes of a sample: its number, what was measured, and a sum over both.
fn sample(number: u32) -> [u8; SAMPLE_BYTES] {
    let measured = u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let sum = number ^ measured as u32 ^ (measured >> 32) as u32;
    let mut bytes = [0; SAMPLE_BYTES];
    let fields = number.to_le_bytes().into_iter().chain(measured.to_le_bytes());
    let fields = fields.chain(sum.to_le_bytes());
    bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
    bytes
}

/// Every sample in its place. Returns how many.
fn check(cells: &[u8]) -> Result<u32, Flaw> {
    let mut count = 0;
    for bytes in cells.chunks_exact(SAMPLE_BYTES) {
        if bytes != sample(count) {
            return Err(Flaw::Lost(count));
        }
        count += 1;
    }
    Ok(count)
}
