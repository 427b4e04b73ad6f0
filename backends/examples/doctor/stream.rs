//! How fast small records get into a file when nobody waits for each: [`stream`].

use std::{
    io,
    time::{Duration, Instant},
};

use ringzero::{Backend, IoFd, StorageIoError};

use crate::{failure::Failure, platform};

const RECORD_BYTES: usize = 1_024;
const PATIENCE: Duration = Duration::from_millis(100);

/// Appends records as fast as they are taken, for `time` or to the end of the segment. Returns
/// bytes per second.
///
/// # Errors
/// Any error of the backend or of an append.
pub(crate) fn stream(io: &mut dyn Backend, fd: IoFd, time: Duration) -> Result<f64, Failure> {
    let mut completions = Vec::with_capacity(8_192);
    let began = Instant::now();
    let end = began + time;
    let mut bytes = 0;
    loop {
        // At least once.
        let is_over = bytes > 0 && Instant::now() >= end || platform::is_interrupted();
        while !is_over && io.room(fd)? >= RECORD_BYTES as u64 {
            match io.submit_append(fd, &[0xA5; RECORD_BYTES]) {
                Ok(_) => {}
                Err(StorageIoError::QueueFull | StorageIoError::BufferExhausted) => break,
                Err(error) => return Err(error.into()),
            }
        }
        if io.pending_count() == 0 {
            break;
        }
        io.wait(1, Some(PATIENCE))?;
        completions.clear();
        io.poll_completions(&mut completions);
        for completion in &completions {
            match u64::try_from(completion.result) {
                Ok(written) => bytes += written,
                Err(_) => return Err(io::Error::from_raw_os_error(-completion.result).into()),
            }
        }
    }
    Ok(bytes as f64 / began.elapsed().as_secs_f64().max(f64::MIN_POSITIVE))
}
