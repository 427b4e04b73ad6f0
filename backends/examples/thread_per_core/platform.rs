//! The processors this process may run on, and binding a thread to one. The only file of the
//! example with `cfg`.
//!
//! # Safety
//! Two calls of libc, and its macros for their argument: a set of processors on the stack, of the
//! size that is told, which no call keeps.
#![allow(unsafe_code)]

#[cfg(target_os = "linux")]
pub(crate) use linux::{pin, processors};

#[cfg(not(target_os = "linux"))]
pub(crate) use other::{pin, processors};

#[cfg(target_os = "linux")]
mod linux {
    use std::{io, mem};

    type Set = libc::cpu_set_t;

    /// The processors that this thread may run on (sched_getaffinity(2)). Empty if there are more
    /// than a set holds (1,024).
    pub(crate) fn processors() -> Vec<usize> {
        // SAFETY: an array of integers, for which zeros are the empty set.
        let mut set: Set = unsafe { mem::zeroed() };
        // SAFETY: the set is live and as large as is told. 0 is the calling thread.
        let status = unsafe { libc::sched_getaffinity(0, size_of::<Set>(), &raw mut set) };
        if status != 0 {
            return Vec::new();
        }
        // SAFETY: every index is inside the set.
        (0..8 * size_of::<Set>()).filter(|at| unsafe { libc::CPU_ISSET(*at, &set) }).collect()
    }

    /// Binds the calling thread, and threads it starts later, to one processor
    /// (sched_setaffinity(2)).
    pub(crate) fn pin(processor: usize) -> io::Result<()> {
        // SAFETY: an array of integers, for which zeros are the empty set.
        let mut set: Set = unsafe { mem::zeroed() };
        // SAFETY: the index came out of a set of the same size.
        unsafe { libc::CPU_SET(processor, &mut set) };
        // SAFETY: the set is live and as large as is told. 0 is the calling thread.
        match unsafe { libc::sched_setaffinity(0, size_of::<Set>(), &raw const set) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::{io, thread};

    /// As many numbers as there are processors.
    pub(crate) fn processors() -> Vec<usize> {
        (0..thread::available_parallelism().map_or(1, usize::from)).collect()
    }

    /// Not known here.
    pub(crate) fn pin(_processor: usize) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
