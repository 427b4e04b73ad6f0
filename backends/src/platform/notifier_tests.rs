//! Both kinds of [`Notifier`](super::Notifier) on one machine.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "poll(2), which std has no form of")]

use std::os::fd::AsRawFd;

use super::{WaitHandle, notifier_eventfd, notifier_pipe};

fn is_readable(handle: WaitHandle<'_>) -> bool {
    let mut source = libc::pollfd { fd: handle.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the array has one element.
    unsafe { libc::poll(&raw mut source, 1, 0) == 1 }
}

macro_rules! keeps_its_word {
    ($name:ident, $notifier:ty) => {
        #[test]
        fn $name() {
            let notifier = <$notifier>::new().unwrap();
            notifier.drain();
            assert!(!is_readable(notifier.handle()));
            // More than a pipe holds: neither call waits.
            for count in [1, 64, 65, 70_000] {
                (0..count).for_each(|_| notifier.notify());
                assert!(is_readable(notifier.handle()), "{count}");
                assert!(is_readable(notifier.handle()), "it stays so");
                notifier.drain();
                assert!(!is_readable(notifier.handle()), "{count}");
            }
        }
    };
}

keeps_its_word!(an_eventfd_is_readable_until_it_is_drained, notifier_eventfd::Notifier);
keeps_its_word!(a_pipe_is_readable_until_it_is_drained, notifier_pipe::Notifier);
