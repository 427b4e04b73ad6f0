//! [`Event`]: one line of what a mount was asked, and [`check`]: whether syncs came in time.
//!
//! The test writes into the same log what the backend accepted and delivered, so that the check is
//! a function of the log alone. The log says what came first; it knows no clock.

use ringzero_core::Outcome;

use crate::disk::Ask;

/// One line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A file was opened.
    Opened {
        /// Which.
        inode: usize,
    },
    /// It was asked whether a file is ready. The kernel asks once per mount.
    Polled {
        /// Which.
        inode: usize,
    },
    /// A request came.
    Began {
        /// Its number, in the order of coming, from 0.
        number: u64,
        /// Of which file.
        inode: usize,
        /// What for.
        ask: Ask,
    },
    /// It was answered.
    Ended {
        /// Its number.
        number: u64,
        /// How.
        outcome: Outcome,
    },
    /// The backend accepted a write or append, says the test.
    Accepted {
        /// Its token.
        token: u64,
        /// Of which file.
        inode: usize,
        /// Where its bytes go; `None` for a datasync.
        span: Option<(u64, u64)>,
    },
    /// The backend delivered a completion, says the test.
    Delivered {
        /// Its token.
        token: u64,
        /// Its result.
        result: i32,
    },
}

/// The requests of one file, with their lines in the log.
fn requests(log: &[Event], inode: usize) -> impl Iterator<Item = (usize, u64, Ask)> + '_ {
    log.iter().enumerate().filter_map(move |(line, event)| match *event {
        Event::Began { number, inode: of, ask } if of == inode => Some((line, number, ask)),
        _ => None,
    })
}

/// The line on which a request was answered, and how.
fn end(log: &[Event], wanted: u64) -> Option<(usize, Outcome)> {
    log.iter().enumerate().find_map(|(line, event)| match *event {
        Event::Ended { number, outcome } if number == wanted => Some((line, outcome)),
        _ => None,
    })
}

/// The line before which every part of a span was written, `None` if it never was.
fn written(log: &[Event], inode: usize, since: usize, (offset, len): (u64, u64)) -> Option<usize> {
    let mut missing = vec![(offset, offset + len)];
    let mut last = since;
    for (line, number, ask) in requests(log, inode) {
        let Ask::Write { offset, .. } = ask else { continue };
        let Some((ended, Ok(count))) = end(log, number) else { continue };
        if line < since {
            continue;
        }
        let (begin, end) = (offset, offset + u64::from(count));
        let is_needed = missing.iter().any(|&(from, to)| from < end && begin < to);
        if !is_needed {
            continue;
        }
        last = last.max(ended);
        missing = missing
            .iter()
            .flat_map(|&(from, to)| [(from, to.min(begin)), (from.max(end), to)])
            .filter(|(from, to)| from < to)
            .collect();
        if missing.is_empty() {
            return Some(last);
        }
    }
    missing.is_empty().then_some(last)
}

/// Checks the syncs of one file against its writes.
///
/// - Each datasync delivered as success was served by an FSYNC that succeeded, that began after
///   every WRITE of every operation accepted before the datasync had ended, and that ended before
///   the delivery.
/// - After an FSYNC that failed, or a WRITE that failed the file, no FSYNC begins.
///
/// Returns how many datasyncs were delivered as success.
///
/// # Errors
/// What is wrong, and where in the log.
pub fn check(log: &[Event], inode: usize) -> Result<usize, String> {
    failures_are_final(log, inode)?;
    let mut checked = 0;
    for (accepted, event) in log.iter().enumerate() {
        let Event::Accepted { token, inode: of, span: None } = *event else { continue };
        if of != inode {
            continue;
        }
        let Some(delivered) = log.iter().position(
            |event| matches!(*event, Event::Delivered { token: of, result: 0 } if of == token),
        ) else {
            continue;
        };
        let covered = last_covered(log, inode, accepted)
            .map_err(|covered| format!("sync {token} succeeded, write {covered} never ended"))?;
        let is_served = requests(log, inode).any(|(began, number, ask)| {
            matches!(ask, Ask::Sync(_))
                && began >= covered
                && matches!(end(log, number), Some((ended, Ok(_))) if ended < delivered)
        });
        if !is_served {
            return Err(format!(
                "sync {token} (line {accepted}) was delivered on line {delivered}, and no FSYNC \
                 began after line {covered}, where the last write it covers ended"
            ));
        }
        checked += 1;
    }
    Ok(checked)
}

/// The line on which the last of the writes accepted before `accepted` had all its bytes written.
/// `Err`: the token of one that had not.
fn last_covered(log: &[Event], inode: usize, accepted: usize) -> Result<usize, u64> {
    let mut last = 0;
    for (line, event) in log[..accepted].iter().enumerate() {
        let Event::Accepted { token, inode: of, span: Some(span) } = *event else { continue };
        if of != inode || span.1 == 0 || has_failed(log, token) {
            continue;
        }
        last = last.max(written(log, inode, line, span).ok_or(token)?);
    }
    Ok(last)
}

fn has_failed(log: &[Event], wanted: u64) -> bool {
    log.iter().any(|event| {
        matches!(*event, Event::Delivered { token, result } if token == wanted && result < 0)
    })
}

fn failures_are_final(log: &[Event], inode: usize) -> Result<(), String> {
    let mut failed = None;
    for (line, event) in log.iter().enumerate() {
        match *event {
            Event::Opened { inode: of } if of == inode => failed = None,
            Event::Began { number, inode: of, ask: Ask::Sync(_) } if of == inode => {
                if let Some(at) = failed {
                    return Err(format!("FSYNC {number} on line {line}, after line {at} failed"));
                }
            }
            Event::Ended { number, outcome: Err(errno) } => {
                let request = requests(log, inode).find(|&(_, other, _)| other == number);
                failed = match request {
                    Some((_, _, Ask::Sync(_))) => Some(line),
                    Some((_, _, Ask::Write { .. })) if is_fatal(errno) => Some(line),
                    _ => failed,
                };
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a WRITE that is answered with this fails its file at once.
fn is_fatal(errno: ringzero_core::Errno) -> bool {
    use ringzero_core::Errno;
    !errno.keeps_file_usable() && !matches!(errno, Errno::INTR | Errno::AGAIN | Errno::CANCELED)
}
