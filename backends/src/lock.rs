//! [`lock_file`]: the advisory lock with which one program keeps a file to itself.
//!
//! A backend must be its files' only writer; this is how two programs that agree on it find out
//! about each other. It locks nothing out that does not ask.

use std::{
    fs::File,
    io, thread,
    time::{Duration, Instant},
};

use crate::platform;

/// How long to sleep between two attempts.
const NAP: Duration = Duration::from_millis(2);

/// Locks an open file for this program alone: flock(2) with LOCK_EX, of the open file description.
/// Cold path: sleeps for up to `patience` while somebody else has the lock, and tries at least
/// once.
///
/// To be called before the file is registered. The lock goes with the description: it is released
/// when the last descriptor of it is closed, so also when the backend has closed the file, or when
/// the process has ended. A request that a kernel still works on for a process that died is a
/// reference too, and keeps the lock until it has ended; who opens the file again after a crash
/// gives it a few seconds of patience for that. After a close by token the kernel may still hold
/// the last reference for a moment.
///
/// ```
/// use std::{fs::File, io::ErrorKind, time::Duration};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("log");
/// let log = File::create(&path)?;
/// ringzero::lock_file(&log, Duration::from_secs(2))?;
///
/// let other = File::open(&path)?;
/// let refused = ringzero::lock_file(&other, Duration::ZERO).unwrap_err();
/// assert_eq!(refused.kind(), ErrorKind::WouldBlock);
/// drop(log);
/// ringzero::lock_file(&other, Duration::ZERO)?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// `WouldBlock`: another open file description has the lock, and had it when the patience was over.
/// `Unsupported`: not a Unix system. Others of flock(2).
pub fn lock_file(file: &File, patience: Duration) -> io::Result<()> {
    let begin = Instant::now();
    loop {
        let refused = match platform::try_lock(file) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => error,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            answer => return answer,
        };
        let left = patience.saturating_sub(begin.elapsed());
        if left.is_zero() {
            return Err(refused);
        }
        thread::sleep(NAP.min(left));
    }
}
