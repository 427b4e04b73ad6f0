//! The callers' loops that are measured: what a program around the library does per operation, and
//! nothing else. Every result is checked.
//!
//! Each loop keeps up to [`Shape::window`] operations accepted, flushes, polls, looks at each
//! completion, and waits when there was none. The figures include this loop.

use std::{fs::File, io, os::unix::fs::FileExt};

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
        Place::Tail => {
            drive::<_, BYTES>(io, shape, count, |io, data, _| io.submit_append(fd, data))
        }
    }
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
        Place::Tail => BYTES as u64,
    };
    for index in 0..count {
        if file.write_at(data, index * stride)? != data.len() {
            return Err("a short write".into());
        }
    }
    Ok(())
}
