//! What this process has used so far: processor time and memory.
//!
//! # Safety
//! One call that fills a struct of this function's own.
#![allow(unsafe_code)]

use std::{fs, io, mem::MaybeUninit};

/// User and system time of all threads of this process, those that ended included (getrusage(2),
/// RUSAGE_SELF). Threads that the kernel runs for an io_uring of this process are among them.
///
/// # Errors
/// Never on Linux: both arguments are valid.
pub fn cpu_ns() -> io::Result<u64> {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to a `rusage` that lives through the call.
    let answer = unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
    if answer != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeros are a valid `rusage`, and the call filled it.
    let usage = unsafe { usage.assume_init() };
    let nanoseconds = |time: libc::timeval| time.tv_sec * 1_000_000_000 + time.tv_usec * 1_000;
    Ok((nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime)) as u64)
}

/// Most memory that was resident at one time (proc(5), VmHWM), in bytes.
///
/// # Errors
/// `/proc` is not mounted, or says nothing of it.
pub fn peak_memory_bytes() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.map(|kib| kib << 10).ok_or_else(|| io::Error::other("no VmHWM in /proc/self/status"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{hint::black_box, time::Instant};

    #[test]
    fn work_shows_as_processor_time() {
        let before = cpu_ns().unwrap();
        let begin = Instant::now();
        while cpu_ns().unwrap() < before + 20_000_000 {
            assert!(begin.elapsed().as_secs() < 60, "a busy loop uses processor time");
        }
    }

    #[test]
    fn touched_memory_shows_as_peak() {
        let before = peak_memory_bytes().unwrap();
        let memory = black_box(vec![1_u8; 64 << 20]);
        assert!(peak_memory_bytes().unwrap() >= before + (32 << 20), "{}", memory.len());
    }
}
