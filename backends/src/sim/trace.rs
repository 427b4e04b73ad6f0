//! [`SimTrace`]: what happened, in order, as one number and the last few events.
//!
//! Two runs with the same seed and the same calls have the same trace; that is how it is shown that
//! a simulation is a pure function of them.

use std::collections::VecDeque;

use ringzero_core::{Alteration, IoCompletion, Outcome, WriteKind};

use super::random::mixed;

/// Events that a trace remembers one by one.
const REMEMBERED: usize = 256;

/// One thing that happened. Requests have numbers in the order in which they were handed over.
///
/// ```
/// use ringzero::{SimEvent, SimTrace};
///
/// /// The numbers of the requests that failed lately.
/// fn failed(trace: &SimTrace) -> Vec<u64> {
///     let failure = |event: &SimEvent| match event {
///         SimEvent::Ended { number, outcome: Err(_) } => Some(*number),
///         _ => None,
///     };
///     trace.recent().filter_map(|(_when_ns, event)| failure(event)).collect()
/// }
/// assert_eq!(failed(&SimTrace::default()), []);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimEvent {
    /// A write was handed over.
    Write {
        /// Its number.
        number: u64,
        /// Which file, in the order in which they were made.
        file: usize,
        /// Where it begins.
        offset: u64,
        /// How many bytes.
        byte_count: u32,
        /// Whether it carries the data-sync of what it writes.
        kind: WriteKind,
    },
    /// A read was handed over.
    Read {
        /// Its number.
        number: u64,
        /// Which file.
        file: usize,
        /// Where it begins.
        offset: u64,
        /// How many bytes.
        byte_count: u32,
    },
    /// A data-sync was handed over.
    Sync {
        /// Its number.
        number: u64,
        /// Which file.
        file: usize,
    },
    /// An alteration was handed over.
    Alter {
        /// Its number.
        number: u64,
        /// Which file.
        file: usize,
        /// What it does.
        what: Alteration,
    },
    /// A request was answered.
    Ended {
        /// Its number.
        number: u64,
        /// How.
        outcome: Outcome,
    },
    /// A completion was delivered to the caller.
    Delivered(IoCompletion),
}

/// What happened so far.
///
/// ```
/// use ringzero::{Config, SimBackend};
/// use ringzero_core::StorageIo;
///
/// let run = |seed| {
///     let mut io = SimBackend::new(&Config::default(), seed)?;
///     let file = io.disk().create("log", b"");
///     let log = io.register_fd(file)?;
///     io.submit_append(log, b"a record")?;
///     io.flush()?;
///     Ok::<_, Box<dyn std::error::Error>>(io.trace().clone())
/// };
/// assert_eq!(run(7)?.hash(), run(7)?.hash(), "a pure function of seed and calls");
/// assert_eq!(run(7)?.count(), run(7)?.recent().count() as u64, "few enough to be remembered");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SimTrace {
    hash: u64,
    count: u64,
    recent: VecDeque<(u64, SimEvent)>,
}

impl SimTrace {
    /// A number that depends on every event, its order and its time.
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// Events so far.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The last few events and when they happened, in virtual nanoseconds; the oldest first.
    pub fn recent(&self) -> impl Iterator<Item = &(u64, SimEvent)> {
        self.recent.iter()
    }

    pub(super) fn push(&mut self, now_ns: u64, event: SimEvent) {
        let words = match event {
            SimEvent::Write { number, file, offset, byte_count, kind } => {
                let kind = match kind {
                    WriteKind::Plain => 1,
                    WriteKind::Durable => 6,
                };
                [kind + (u64::from(byte_count) << 3), number, file as u64, offset]
            }
            SimEvent::Read { number, file, offset, byte_count } => {
                [7 + (u64::from(byte_count) << 3), number, file as u64, offset]
            }
            SimEvent::Sync { number, file } => [2, number, file as u64, 0],
            SimEvent::Alter { number, file, what } => {
                let (kind, offset, len) = match what {
                    Alteration::Allocate { offset, len } => (7, offset, len),
                    Alteration::Truncate { len } => (15, 0, len),
                    Alteration::Punch { offset, len } => (23, offset, len),
                    Alteration::Close => (31, 0, 0),
                };
                [kind, number, file as u64, mixed(offset) ^ len]
            }
            SimEvent::Ended { number, outcome } => {
                let (kind, value) = match outcome {
                    Ok(byte_count) => (3, u64::from(byte_count)),
                    Err(errno) => (4, errno.number() as u64),
                };
                [kind, number, value, 0]
            }
            SimEvent::Delivered(IoCompletion { token, result }) => [5, token, result as u64, 0],
        };
        for word in [now_ns].into_iter().chain(words) {
            self.hash = mixed(self.hash.rotate_left(5) ^ word);
        }
        self.count += 1;
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back((now_ns, event));
    }
}
