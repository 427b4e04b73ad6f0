//! epoll(7) and timerfd(2), as much as the example needs. The only file of the example with `cfg`.
//!
//! # Safety
//! Calls of libc on descriptors that are open, with structures that outlive the call.
#![allow(unsafe_code)]

#[cfg(target_os = "linux")]
pub(crate) use linux::{Epoll, Timer};

#[cfg(not(target_os = "linux"))]
pub(crate) use other::{Epoll, Timer};

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        fs::File,
        io::{self, Read},
        os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd},
        ptr::null_mut,
        time::Duration,
    };

    /// A new descriptor, or why there is none.
    fn owned(descriptor: i32) -> io::Result<File> {
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and nobody else's.
        Ok(unsafe { File::from_raw_fd(descriptor) })
    }

    /// Sleeps on several descriptors.
    #[derive(Debug)]
    pub(crate) struct Epoll(File);

    impl Epoll {
        pub(crate) fn new() -> io::Result<Self> {
            // SAFETY: takes a number.
            owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).map(Self)
        }

        /// Wakes for `source` too, level-triggered, and calls it `name`.
        pub(crate) fn add(&self, source: &impl AsFd, name: u64) -> io::Result<()> {
            let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: name };
            let (epoll, source) = (self.0.as_raw_fd(), source.as_fd().as_raw_fd());
            // SAFETY: both are open, and the event outlives the call.
            match unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, source, &raw mut event) } {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        }

        /// Sleeps until a source is readable, unless `may_sleep` is false, and returns the names of
        /// those that are.
        pub(crate) fn wait(&self, may_sleep: bool) -> io::Result<Vec<u64>> {
            let mut events = [libc::epoll_event { events: 0, u64: 0 }; 8];
            let timeout = if may_sleep { -1 } else { 0 };
            // SAFETY: there is room for eight.
            let count =
                unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), 8, timeout) };
            match usize::try_from(count) {
                Ok(count) => Ok(events.iter().take(count).map(|event| event.u64).collect()),
                Err(_) => {
                    let error = io::Error::last_os_error();
                    // A signal handler; or the kernel, which did some work of the ring on this
                    // thread.
                    let is_early = error.kind() == io::ErrorKind::Interrupted;
                    if is_early { Ok(Vec::new()) } else { Err(error) }
                }
            }
        }
    }

    /// Becomes readable at regular times.
    #[derive(Debug)]
    pub(crate) struct Timer(File);

    impl Timer {
        pub(crate) fn every(period: Duration) -> io::Result<Self> {
            // SAFETY: takes two numbers.
            let timer = owned(unsafe {
                libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK)
            })?;
            let interval = libc::timespec {
                tv_sec: period.as_secs() as libc::time_t,
                tv_nsec: period.subsec_nanos() as libc::c_long,
            };
            let times = libc::itimerspec { it_interval: interval, it_value: interval };
            // SAFETY: the timer is open, and the times outlive the call.
            match unsafe {
                libc::timerfd_settime(timer.as_raw_fd(), 0, &raw const times, null_mut())
            } {
                0 => Ok(Self(timer)),
                _ => Err(io::Error::last_os_error()),
            }
        }

        /// How many periods ended since this was called last.
        pub(crate) fn take(&mut self) -> u64 {
            let mut count = [0; 8];
            match self.0.read_exact(&mut count) {
                Ok(()) => u64::from_ne_bytes(count),
                // None has.
                Err(_) => 0,
            }
        }
    }

    impl AsFd for Timer {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::{io, time::Duration};

    /// Not here.
    #[derive(Debug)]
    pub(crate) struct Epoll;

    impl Epoll {
        pub(crate) fn new() -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(crate) fn add<T>(&self, _source: &T, _name: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(crate) fn wait(&self, _may_sleep: bool) -> io::Result<Vec<u64>> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    /// Not here.
    #[derive(Debug)]
    pub(crate) struct Timer(std::convert::Infallible);

    impl Timer {
        pub(crate) fn every(_period: Duration) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(crate) fn take(&mut self) -> u64 {
            match self.0 {}
        }
    }
}
