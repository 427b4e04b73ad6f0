//! The loop of a stream processor: take events, change state, append the changes to a changelog,
//! datasync at checkpoints, poll. It never waits for the device, and neither does the backend.
//!
//! ```text
//! cargo run --release -p ringzero --example busy_loop -- [EVENTS]
//! ```
//!
//! The loop knows only the eight methods of [`StorageIo`]. Everything it needs is there before it
//! begins; what is refused is done again in a later turn. When all events are processed, the state
//! is rebuilt from the changelog and compared. The changelog is temporary.

use std::{
    env,
    error::Error,
    fs::{self, File},
    io::{Write, stdout},
};

use ringzero::{Config, IoCompletion, IoFd, StorageIo, StorageIoError, open};

const KEYS: usize = 1_024;
const EVENTS_PER_TURN: u64 = 32;
const EVENTS_PER_CHECKPOINT: u64 = 4_096;
/// A change in the changelog: the key (4 bytes) and its new total (8 bytes), little-endian.
const CHANGE_BYTES: usize = 12;

/// What the processor keeps: a total per key.
type Totals = [u64; KEYS];

/// An event of the stream. Its source is a generator here; it would be a network or another core.
struct Event {
    key: u32,
    amount: u64,
}

impl Event {
    /// The event with this number in the stream.
    fn at(number: u64) -> Self {
        let mixed = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        Self { key: (mixed >> 32) as u32 % KEYS as u32, amount: mixed & 0xFF }
    }
}

/// The processor: its state, and how far the changelog is.
struct Processor {
    totals: Box<Totals>,
    /// Events processed; each has its change accepted by the backend.
    processed: u64,
    /// Events that a datasync was submitted for, and its token while it is on its way.
    covered: u64,
    checkpoint: Option<u64>,
    /// Events whose changes survive a power cut.
    durable: u64,
    checkpoints: u64,
    turns: u64,
}

impl Processor {
    /// Processes events up to `end`, and returns when all of their changes are durable.
    fn run(
        &mut self,
        sio: &mut dyn StorageIo,
        changelog: IoFd,
        end: u64,
    ) -> Result<(), StorageIoError> {
        // Cleared and used again in every turn: the loop does not allocate.
        let mut completions = Vec::with_capacity(1_024);
        while self.durable < end || sio.pending_count() > 0 {
            self.turns += 1;
            self.process(sio, changelog, end)?;
            self.begin_checkpoint(sio, changelog, end)?;
            // All that was submitted leaves together, adjacent changes as one write.
            sio.flush()?;
            sio.poll_completions(&mut completions);
            for completion in completions.drain(..) {
                self.settle(completion)?;
            }
            // Here a program would look at its timers and its network, and at its other queues.
        }
        Ok(())
    }

    /// Some events of the stream, as far as the backend takes their changes.
    fn process(
        &mut self,
        sio: &mut dyn StorageIo,
        changelog: IoFd,
        end: u64,
    ) -> Result<(), StorageIoError> {
        let turn_end = (self.processed + EVENTS_PER_TURN).min(end);
        while self.processed < turn_end {
            let event = Event::at(self.processed);
            let Some(total) = self.totals.get_mut(event.key as usize) else { break };
            let changed = total.wrapping_add(event.amount);
            match sio.submit_append(changelog, &change(event.key, changed)) {
                Ok(_token) => *total = changed,
                // Nothing has happened. Polling makes room; the event is taken in a later turn.
                Err(StorageIoError::QueueFull | StorageIoError::BufferExhausted) => break,
                Err(error) => return Err(error),
            }
            self.processed += 1;
        }
        Ok(())
    }

    /// A datasync after every so many events and after the last one; one at a time. It covers every
    /// change accepted before it, wherever those are by now.
    fn begin_checkpoint(
        &mut self,
        sio: &mut dyn StorageIo,
        changelog: IoFd,
        end: u64,
    ) -> Result<(), StorageIoError> {
        let uncovered = self.processed - self.covered;
        let is_due = uncovered >= EVENTS_PER_CHECKPOINT || uncovered > 0 && self.processed == end;
        if self.checkpoint.is_none() && is_due {
            match sio.submit_datasync(changelog) {
                Ok(token) => (self.checkpoint, self.covered) = (Some(token), self.processed),
                Err(StorageIoError::QueueFull) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// A completion: an error ends the program, the datasync's token says what is durable now.
    fn settle(&mut self, completion: IoCompletion) -> Result<(), StorageIoError> {
        completion.outcome().map_err(StorageIoError::Io)?;
        if self.checkpoint == Some(completion.token) {
            self.durable = self.covered;
            self.checkpoint = None;
            self.checkpoints += 1;
        }
        Ok(())
    }
}

fn change(key: u32, total: u64) -> [u8; CHANGE_BYTES] {
    let mut bytes = [0; CHANGE_BYTES];
    let fields = key.to_le_bytes().into_iter().chain(total.to_le_bytes());
    bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
    bytes
}

/// The totals after this many events, computed without a changelog.
fn totals_after(events: u64) -> Box<Totals> {
    let mut totals = Box::new([0_u64; KEYS]);
    for Event { key, amount } in (0..events).map(Event::at) {
        if let Some(total) = totals.get_mut(key as usize) {
            *total = total.wrapping_add(amount);
        }
    }
    totals
}

/// What a restarted processor would begin with, and how many changes that took.
fn rebuild(changelog: &[u8]) -> Result<(Box<Totals>, u64), Box<dyn Error>> {
    let mut totals = Box::new([0; KEYS]);
    let (changes, rest) = changelog.as_chunks::<CHANGE_BYTES>();
    for bytes in changes {
        let (key, total) = bytes.split_at(4);
        let key = u32::from_le_bytes(key.try_into()?);
        let total = u64::from_le_bytes(total.try_into()?);
        *totals.get_mut(key as usize).ok_or("a change of a key that does not exist")? = total;
    }
    if !rest.is_empty() {
        return Err("the changelog ends inside a change".into());
    }
    Ok((totals, changes.len() as u64))
}

fn main() -> Result<(), Box<dyn Error>> {
    let events = env::args().nth(1).map_or(Ok(1_000_000), |count| count.parse())?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("changelog");

    let mut opened = open(&Config::default())?;
    let changelog = opened.io.register_fd(File::create_new(&path)?)?;
    let mut processor = Processor {
        totals: Box::new([0; KEYS]),
        processed: 0,
        covered: 0,
        checkpoint: None,
        durable: 0,
        checkpoints: 0,
        turns: 0,
    };
    processor.run(&mut *opened.io, changelog, events)?;
    opened.io.deregister_fd(changelog)?;

    let (rebuilt, changes) = rebuild(&fs::read(&path)?)?;
    let is_right = rebuilt == processor.totals && rebuilt == totals_after(events);
    if changes != events || !is_right {
        return Err(format!("{changes} changes of {events} events, or other totals").into());
    }
    let stats = opened.io.stats();
    writeln!(
        stdout(),
        "backend          {}\n\
         events           {events} in {} turns of the loop\n\
         appends          {changes}, {} of them in the write of another\n\
         checkpoints      {}\n\
         kernel requests  {} writes and {} syncs\n\
         the changelog was replayed: same totals",
        opened.report.backend,
        processor.turns,
        stats.merged_records,
        processor.checkpoints,
        stats.write_requests,
        stats.sync_requests,
    )?;
    Ok(())
}
