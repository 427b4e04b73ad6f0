//! [`Stall`]: a file system whose writes stall for as long as a test wants, frozen with FIFREEZE
//! (ioctl_fifreeze(2)). A write to it waits in the kernel, uninterruptibly, until it is thawed,
//! which makes "in flight" a state and not a race.
//!
//! # Safety
//! The requests take a descriptor that is open, and nothing else.
#![allow(unsafe_code)]

use std::{
    fs::File,
    io,
    os::fd::AsRawFd,
    path::Path,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

/// `_IOWR('X', 119, int)` and `_IOWR('X', 120, int)` of linux/fs.h.
const FIFREEZE: libc::Ioctl = 0xC004_5877_u32 as libc::Ioctl;
const FITHAW: libc::Ioctl = 0xC004_5878_u32 as libc::Ioctl;

/// A stall ends by itself after this, so that a failed test leaves nothing behind that waits.
const LONGEST: Duration = Duration::from_secs(20);

/// While it lives, writes stall.
#[derive(Debug)]
pub struct Stall {
    end: Option<Sender<()>>,
    watch: Option<JoinHandle<()>>,
}

impl Stall {
    /// Freezes the file system that `path` is on.
    pub(super) fn begin(path: &Path) -> io::Result<Self> {
        let folder = File::open(path)?;
        // SAFETY: the descriptor is open; the request takes nothing.
        if unsafe { libc::ioctl(folder.as_raw_fd(), FIFREEZE, 0) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let (end, ended) = mpsc::channel();
        let watch = thread::spawn(move || {
            if ended.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout) {
                println!("a stall was ended after {LONGEST:?}");
            }
            // SAFETY: the descriptor is open; the request takes nothing.
            unsafe { libc::ioctl(folder.as_raw_fd(), FITHAW, 0) };
        });
        Ok(Self { end: Some(end), watch: Some(watch) })
    }
}

impl Drop for Stall {
    fn drop(&mut self) {
        drop(self.end.take());
        let _ = self.watch.take().map(JoinHandle::join);
    }
}
