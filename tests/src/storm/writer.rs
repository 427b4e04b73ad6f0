//! The writer's side: works and reports, and does not end by itself while anybody listens.

use std::{
    collections::HashMap,
    error::Error,
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::Path,
};

use ringzero::{Backend, Config, Limits};
use ringzero_core::{IoFd, StorageIoError};

use super::{
    operations::{Operation, Operations},
    remains::{APPENDS, WRITES},
};
use crate::{random::bytes, session::PATIENCE};

/// Most operations that are submitted and not reported yet, beside the one being submitted.
pub(super) const IN_FLIGHT: usize = 64;

/// Then it waits to be killed: the files stay small.
const MOST_OPERATIONS: usize = 2_000;

/// Appends span several blocks, and there are few.
const LIMITS: Limits = Limits {
    files: 2,
    operations_per_file: IN_FLIGHT as u32,
    operations_common: 0,
    blocks_per_file: 4,
    blocks_common: 8,
    block_bytes: 4_096,
};

/// When an operation is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledge {
    /// When it is complete.
    Completed,
    /// Before it is submitted: a lie, for a control.
    Beforehand,
}

/// The configuration of the writer.
pub fn config() -> Config {
    Config { limits: LIMITS, ..Config::default() }
}

/// Works on the files in `folder` and writes the numbers of operations to standard output, eight
/// bytes each. Returns when standard input ends.
///
/// # Errors
/// Something failed: nothing should.
pub fn write_until_killed(
    io: Box<dyn Backend>,
    folder: &Path,
    seed: u64,
    acknowledge: Acknowledge,
) -> Result<(), Box<dyn Error>> {
    let open = |name| OpenOptions::new().write(true).open(folder.join(name));
    let mut writer = Writer::new(io, open(APPENDS)?, open(WRITES)?, acknowledge)?;
    for (number, operation) in Operations::new(seed).take(MOST_OPERATIONS).enumerate() {
        writer.perform(number as u64, operation)?;
    }
    while writer.io.pending_count() > 0 {
        writer.report()?;
    }
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

struct Writer {
    io: Box<dyn Backend>,
    appends: IoFd,
    writes: IoFd,
    append_end: u64,
    acknowledge: Acknowledge,
    /// Number and expected result by token.
    waiting: HashMap<u64, (u64, i32)>,
}

impl Writer {
    fn new(
        mut io: Box<dyn Backend>,
        appends: File,
        writes: File,
        acknowledge: Acknowledge,
    ) -> Result<Self, StorageIoError> {
        let (appends, writes) = (io.register_fd(appends)?, io.register_fd(writes)?);
        let waiting = HashMap::new();
        Ok(Self { io, appends, writes, append_end: 0, acknowledge, waiting })
    }

    fn perform(&mut self, number: u64, operation: Operation) -> Result<(), Box<dyn Error>> {
        while self.io.pending_count() >= IN_FLIGHT {
            self.report()?;
        }
        if self.acknowledge == Acknowledge::Beforehand {
            io::stdout().write_all(&number.to_le_bytes())?;
        }
        let id = number + 1;
        let token = loop {
            let (appends, writes) = (self.appends, self.writes);
            let answer = match operation {
                Operation::Append { len } => {
                    self.io.submit_append(appends, &bytes(id, self.append_end, len))
                }
                Operation::Write { offset, len } => {
                    self.io.submit_write(writes, &bytes(id, offset, len), offset)
                }
                Operation::Datasync => self.io.submit_datasync(appends),
            };
            match answer {
                Ok(token) => break token,
                Err(StorageIoError::QueueFull | StorageIoError::BufferExhausted) => {
                    self.report()?;
                }
                Err(error) => return Err(error.into()),
            }
        };
        let len = match operation {
            Operation::Append { len } => {
                self.append_end += len as u64;
                len
            }
            Operation::Write { len, .. } => len,
            Operation::Datasync => 0,
        };
        self.waiting.insert(token, (number, len as i32));
        // Now and then what is queued goes out, and what is finished is looked at.
        match number % 7 {
            0 => Ok(self.io.flush().map(|_| ())?),
            3 => self.report(),
            _ => Ok(()),
        }
    }

    /// Waits for a completion and reports all that are there.
    fn report(&mut self) -> Result<(), Box<dyn Error>> {
        if self.io.wait(1, Some(PATIENCE))? == 0 {
            return Err(format!("{} operations are not answered", self.io.pending_count()).into());
        }
        let mut completions = Vec::new();
        self.io.poll_completions(&mut completions);
        let mut report = Vec::new();
        for completion in completions {
            let (number, len) = self.waiting.remove(&completion.token).ok_or("a strange token")?;
            if completion.result != len {
                return Err(format!("operation {number}: {completion:?}, expected {len}").into());
            }
            report.extend(number.to_le_bytes());
        }
        if self.acknowledge == Acknowledge::Completed {
            io::stdout().write_all(&report)?;
            io::stdout().flush()?;
        }
        Ok(())
    }
}
