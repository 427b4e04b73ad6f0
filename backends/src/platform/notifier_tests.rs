//! Both kinds of [`Notifier`](super::Notifier) on one machine.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "poll(2), which std has no form of")]

use std::{
    os::fd::{AsFd, AsRawFd},
    time::{Duration, Instant},
};

use super::{notifier_eventfd, notifier_pipe};

const LONG: Duration = Duration::from_secs(20);

fn is_readable(notifier: &impl AsFd) -> bool {
    let fd = notifier.as_fd().as_raw_fd();
    let mut source = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: the array has one element.
    unsafe { libc::poll(&raw mut source, 1, 0) == 1 }
}

macro_rules! keeps_its_word {
    ($name:ident, $notifier:ty) => {
        #[test]
        fn $name() {
            let notifier = <$notifier>::new().unwrap();
            notifier.drain();
            assert!(!is_readable(&notifier));
            // More than a pipe holds: neither call waits.
            for count in [1, 64, 65, 70_000] {
                (0..count).for_each(|_| notifier.notify());
                assert!(is_readable(&notifier), "{count}");
                assert!(is_readable(&notifier), "it stays so");
                let begin = Instant::now();
                notifier.sleep(None).unwrap();
                notifier.sleep(Some(LONG)).unwrap();
                assert!(begin.elapsed() < LONG, "{count}");
                notifier.drain();
                assert!(!is_readable(&notifier), "{count}");
            }
            let (begin, little) = (Instant::now(), Duration::from_micros(20_100));
            while begin.elapsed() < little {
                notifier.sleep(Some(little)).unwrap();
            }
            assert!(begin.elapsed() < LONG, "the time ends a sleep");
        }
    };
}

keeps_its_word!(an_eventfd_is_readable_until_it_is_drained, notifier_eventfd::Notifier);
keeps_its_word!(a_pipe_is_readable_until_it_is_drained, notifier_pipe::Notifier);
