//! The callers' loops that are measured: what a program around the library does per operation, and
//! nothing else. Every result is checked.
//!
//! Each loop keeps up to [`Shape::window`] operations accepted, flushes, polls, looks at each
//! completion, and waits when there was none. The figures include this loop.

use std::{fs::File, hint::black_box, io, os::unix::fs::FileExt};

use ringzero::{IoCompletion, IoFd, StorageIo, StorageIoError, StorageIoExt, to_io_error};

use crate::Failure;

/// What is written, and how far the loop runs ahead.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Operations accepted and not yet delivered, at most.
    pub window: u64,
    /// Where each operation goes.
    pub place: Place,
}

/// Where each operation goes.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// Positional writes, this many bytes from the start of one to the start of the next.
    Every(u64),
    /// Positional writes in no order: at multiples of 64 below 2 to the power of this.
    Scattered(u32),
    /// Appends.
    Tail,
}

/// Pushes `count` operations of `BYTES` bytes through a backend.
///
/// # Errors
/// The first refusal other than *later*, and the first completion that is not a full success.
pub fn run<const BYTES: usize>(
    io: &mut (impl StorageIo + StorageIoExt),
    fd: IoFd,
    shape: Shape,
    count: u64,
) -> Result<(), Failure> {
    match shape.place {
        Place::Every(stride) => drive::<_, BYTES>(io, shape, count, |io, data, index| {
            io.submit_write(fd, data, index * stride)
        }),
        Place::Scattered(bits) => drive::<_, BYTES>(io, shape, count, |io, data, index| {
            io.submit_write(fd, data, scattered(index, bits))
        }),
        Place::Tail => {
            drive::<_, BYTES>(io, shape, count, |io, data, _| io.submit_append(fd, data))
        }
    }
}

/// Appends `count` claims of `BYTES` bytes with what is in them, `window` of them accepted at most.
///
/// # Errors
/// As [`run`].
pub fn run_claims<const BYTES: usize>(
    io: &mut (impl StorageIo + StorageIoExt),
    fd: IoFd,
    window: u64,
    count: u64,
) -> Result<(), Failure> {
    let shape = Shape { window, place: Place::Tail };
    drive::<_, BYTES>(io, shape, count, |io, _, _| {
        let mut claim = io.claim_append(fd, BYTES)?;
        black_box(claim.parts());
        claim.submit()
    })
}

/// A multiple of 64 below 2 to the power of `bits`, in no order: the high bits of a multiplication
/// by 2⁶⁴/φ, whose low bits are mixed in first.
#[inline]
fn scattered(index: u64, bits: u32) -> u64 {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let mixed = index.wrapping_mul(GOLDEN);
    (mixed ^ mixed >> 29).wrapping_mul(GOLDEN) >> (64 - bits) & !63
}

#[inline]
fn drive<I: StorageIo + StorageIoExt, const BYTES: usize>(
    io: &mut I,
    shape: Shape,
    count: u64,
    mut submit: impl FnMut(&mut I, &[u8; BYTES], u64) -> Result<u64, StorageIoError>,
) -> Result<(), Failure> {
    let data = &[0x5A; BYTES];
    let expected = BYTES as i32;
    let mut completions: Vec<IoCompletion> = Vec::with_capacity(shape.window as usize);
    let mut submitted = 0;
    let mut completed = 0;
    while completed < count {
        let end = count.min(completed + shape.window);
        while submitted < end {
            match submit(io, data, submitted) {
                Ok(_) => submitted += 1,
                Err(StorageIoError::QueueFull | StorageIoError::BufferExhausted) => break,
                Err(error) => return Err(to_io_error(error).into()),
            }
        }
        io.flush().map_err(to_io_error)?;
        completions.clear();
        io.poll_completions(&mut completions);
        for completion in &completions {
            if completion.result != expected {
                return Err(io::Error::from_raw_os_error(-completion.result).into());
            }
        }
        completed += completions.len() as u64;
        if completions.is_empty() {
            // Sleep rather than spin: the figures do not depend on how long the kernel takes.
            io.wait(1, None).map_err(to_io_error)?;
        }
    }
    Ok(())
}

/// One data-sync at a time, each waited for: submit, wait, poll.
///
/// # Errors
/// The first refusal, and the first sync that fails.
pub fn run_datasyncs(
    io: &mut (impl StorageIo + StorageIoExt),
    fd: IoFd,
    count: u64,
) -> Result<(), Failure> {
    let mut completions: Vec<IoCompletion> = Vec::with_capacity(1);
    for _ in 0..count {
        let token = io.submit_datasync(fd).map_err(to_io_error)?;
        io.wait(1, None).map_err(to_io_error)?;
        completions.clear();
        io.poll_completions(&mut completions);
        if completions != [IoCompletion { token, result: 0 }] {
            return Err(format!("not the answer to {token}: {completions:?}").into());
        }
    }
    Ok(())
}

/// `count` polls that each find `batch` finished writes; only [`measured_poll`] is of interest.
///
/// # Errors
/// The first refusal, and a poll that found another number.
pub fn run_polls(
    io: &mut (impl StorageIo + StorageIoExt),
    fd: IoFd,
    batch: u64,
    count: u64,
) -> Result<(), Failure> {
    let mut completions: Vec<IoCompletion> = Vec::with_capacity(batch as usize);
    for round in 0..count {
        for index in 0..batch {
            let offset = (round * batch + index) * 128;
            io.submit_write(fd, &[0x5A; 64], offset).map_err(to_io_error)?;
        }
        io.flush().map_err(to_io_error)?;
        completions.clear();
        measured_poll(io, &mut completions);
        if completions.len() as u64 != batch {
            return Err(format!("{} instead of {batch} at once", completions.len()).into());
        }
    }
    Ok(())
}

/// One poll: what a profiler is told to count alone.
#[inline(never)]
pub fn measured_poll(io: &mut impl StorageIo, completions: &mut Vec<IoCompletion>) {
    io.poll_completions(completions);
}

/// `count` waits, each for one write that was accepted just before; only [`measured_wait`] is of
/// interest.
///
/// # Errors
/// The first refusal, and a wait that ended without the write.
pub fn run_waits(
    io: &mut (impl StorageIo + StorageIoExt),
    fd: IoFd,
    count: u64,
) -> Result<(), Failure> {
    let mut completions: Vec<IoCompletion> = Vec::with_capacity(1);
    for index in 0..count {
        io.submit_write(fd, &[0x5A; 64], index * 128).map_err(to_io_error)?;
        if measured_wait(io)? != 1 {
            return Err("a wait ended too early".into());
        }
        completions.clear();
        io.poll_completions(&mut completions);
    }
    Ok(())
}

/// One wait: what a profiler is told to count alone.
///
/// # Errors
/// Those of the wait.
#[inline(never)]
pub fn measured_wait(io: &mut impl StorageIoExt) -> Result<usize, Failure> {
    Ok(io.wait(1, None).map_err(to_io_error)?)
}

/// The same records by one `pwrite` each: what a program does without a library.
///
/// # Errors
/// The first write that fails or is short.
pub fn run_pwrite<const BYTES: usize>(
    file: &File,
    shape: Shape,
    count: u64,
) -> Result<(), Failure> {
    let data = &[0x5A; BYTES];
    let stride = match shape.place {
        Place::Every(stride) => stride,
        Place::Tail | Place::Scattered(_) => BYTES as u64,
    };
    for index in 0..count {
        if file.write_at(data, index * stride)? != data.len() {
            return Err("a short write".into());
        }
    }
    Ok(())
}
